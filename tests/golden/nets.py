"""The networks of the goldens and of `benches/pytorch.py`, in PyTorch.

Parameter names are those that castnet gives the same layers, so a `state_dict` of one loads in the other. Operators with a
kink (ReLU, max pooling) are modules, so that `make.py` can watch how close their inputs come to it.
"""
import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["LeNet", "Mlp", "Third", "batch"]


class LeNet(nn.Module):
    """Two tanh convolutions with max pooling, two linear layers; 431,080 parameters."""

    IMAGE = (1, 28, 28)

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(800, 500)
        self.fc2 = nn.Linear(500, 10)
        self.pool = nn.MaxPool2d(2)

    def forward(self, image):
        x = self.pool(self.conv1(image).tanh())
        x = self.pool(self.conv2(x).tanh())
        return self.fc2(self.fc1(x.flatten(1)).tanh())

    def loss(self, image, digit):
        return F.cross_entropy(self(image), digit)


class Mlp(nn.Module):
    """784-512-512-10 with ReLU; 669,706 parameters."""

    IMAGE = (784,)

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 512)
        self.fc2 = nn.Linear(512, 512)
        self.fc3 = nn.Linear(512, 10)
        self.relu = nn.ReLU()

    def forward(self, image):
        return self.fc3(self.relu(self.fc2(self.relu(self.fc1(image)))))

    def loss(self, image, digit):
        return F.cross_entropy(self(image), digit)


class Third(nn.Module):
    """Odd channel counts, a strided and a padded convolution, exact GELU, average pooling and two heads.

    `forward` gives (class scores, parity); the loss is the cross entropy of the one plus half the mean squared error of the
    other.
    """

    IMAGE = (1, 28, 28)

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 7, 3, padding=1)
        self.conv2 = nn.Conv2d(7, 33, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(33, 50, 3)
        self.digit = nn.Linear(1250, 10)
        self.parity = nn.Linear(1250, 1)

    def forward(self, image):
        x = F.gelu(self.conv1(image))
        x = F.avg_pool2d(F.gelu(self.conv2(x)), 2)
        x = F.gelu(self.conv3(x)).flatten(1)
        return self.digit(x), self.parity(x)

    def loss(self, image, digit, parity):
        scores, odd = self(image)
        return F.cross_entropy(scores, digit) + 0.5 * F.mse_loss(odd, parity)


def batch(net, n):
    """The arguments of `net.loss` for `n` images of uniform noise, by name, from torch's global generator."""
    inputs = {"image": torch.rand(n, *net.IMAGE), "class": torch.randint(10, (n,))}
    if isinstance(net, Third):
        inputs["parity"] = (inputs["class"] % 2).to(torch.float32).unsqueeze(1)
    return inputs
