"""Networks that make images: a variational autoencoder, and both sides of a GAN."""
import torch
from torch import nn
from torch.nn import functional as F

from nets import Input, image


class Vae(nn.Module):
    """A variational autoencoder (Kingma and Welling 2014) of 28 x 28 images; the noise is an argument."""

    BATCH, LATENT = 4, 8

    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(784, 64)
        self.mean = nn.Linear(64, self.LATENT)
        self.log_var = nn.Linear(64, self.LATENT)
        self.decode1 = nn.Linear(self.LATENT, 64)
        self.decode2 = nn.Linear(64, 784)

    def inputs(self, n):
        return [image(n, 784), Input("noise", "f32", (n, self.LATENT), -1.5, 1.5)]

    def decode(self, z):
        return self.decode2(self.decode1(z).tanh())

    def results(self, image, noise):
        return {"decoded": self.decode(noise).sigmoid()}

    def loss(self, image, noise):
        x = self.encode(image).tanh()
        mean, log_var = self.mean(x), self.log_var(x)
        z = mean + (0.5 * log_var).exp() * noise
        likelihood = F.binary_cross_entropy_with_logits(self.decode(z), image, reduction="sum")
        divergence = -0.5 * (1 + log_var - mean * mean - log_var.exp()).sum()
        return (likelihood + divergence) / image.shape[0]


class Generator(nn.Module):
    """Noise to a 16 x 16 image by transposed convolutions."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 256)
        self.up1 = nn.ConvTranspose2d(16, 8, 4, 2, 1)
        self.up2 = nn.ConvTranspose2d(8, 1, 4, 2, 1)

    def forward(self, z):
        x = F.silu(self.fc(z)).reshape(-1, 16, 4, 4)
        return self.up2(F.silu(self.up1(x))).tanh()


class Critic(nn.Module):
    """How real an image looks; smooth, since its gradient is differentiated again."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 4, 2, 1)
        self.conv2 = nn.Conv2d(8, 16, 4, 2, 1)
        self.fc = nn.Linear(256, 1, bias=False)  # the loss would not see one

    def forward(self, image):
        x = F.silu(self.conv2(F.silu(self.conv1(image))))
        return self.fc(x.flatten(1))


class Gan(nn.Module):
    """A Wasserstein GAN with gradient penalty (Gulrajani and others 2017)."""

    BATCH = 3

    def __init__(self):
        super().__init__()
        self.generator = Generator()
        self.critic = Critic()
        for module in self.modules():
            module.GAIN = 2.0  # with PyTorch's default the gradients are so small that f32 loses the steps

    def results(self, *inputs):
        return {"made": self.generator(inputs[-1] if len(inputs) == 1 else inputs[1])}


class GanGenerator(Gan):
    """The generator's step."""

    def inputs(self, n):
        return [Input("noise", "f32", (n, 8), -1.5, 1.5)]

    def trained(self):
        return "generator."

    def loss(self, noise):
        return -self.critic(self.generator(noise)).mean()


class GanCritic(Gan):
    """The critic's step."""

    def inputs(self, n):
        return [
            Input("image", "f32", (n, 1, 16, 16), -1.0, 1.0),
            Input("noise", "f32", (n, 8), -1.5, 1.5),
            Input("mix", "f32", (n, 1, 1, 1), 0.0, 1.0),
        ]

    def trained(self):
        return "critic."

    def loss(self, image, noise, mix):
        made = self.generator(noise).detach()
        between = (mix * image + (1 - mix) * made).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        norm = (slope.flatten(1).pow(2).sum(1) + 1e-12).sqrt()
        penalty = (norm - 1).pow(2).mean()
        return self.critic(made).mean() - self.critic(image).mean() + 10 * penalty
