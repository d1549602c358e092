"""The networks of the goldens and of `benches/pytorch.py`, in PyTorch.

Parameter names are those that castnet gives the same layers, so a `state_dict` of one loads in the other. Operators with a
kink (ReLU, max pooling) are modules, so that `make.py` can watch how close their inputs come to it.

A net says what it takes, `inputs(n)`, and has `results(*inputs)`, its forward results by name, and `loss(*inputs)`.
"""
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

import draw


@dataclass
class Input:
    """An argument: reals in [low, high), or integers if `dtype` is one. `ramp`: the last axis of size k has 0, 1, ... k - 1 in it."""

    name: str
    dtype: str
    shape: tuple
    low: float
    high: float

    def draw(self, seed):
        if self.dtype == "f32":
            return draw.uniform(seed, self.shape, self.low, self.high)
        return draw.integers(seed, self.shape, self.low, self.high)


def image(n, *shape):
    return Input("image", "f32", (n, *shape), 0.0, 1.0)


def classes(n, *shape, count=10):
    return Input("class", "u8", (n, *shape), 0, count)


class Classifier(nn.Module):
    """Scores of images, and their cross entropy; `forward` is the rest."""

    IMAGE = (3, 32, 32)
    BATCH = 4

    def inputs(self, n):
        return [image(n, *self.IMAGE), classes(n)]

    def results(self, image, *_):
        return {"scores": self(image)}

    def loss(self, image, digit):
        return F.cross_entropy(self(image), digit)


class LeNet(Classifier):
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


class Mlp(Classifier):
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


class Third(nn.Module):
    """Odd channel counts, a strided and a padded convolution, exact GELU, average pooling and two heads.

    `forward` gives (class scores, parity); the loss is the cross entropy of the one plus half the mean squared error of the
    other.
    """

    BATCH = 4

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 7, 3, padding=1)
        self.conv2 = nn.Conv2d(7, 33, 3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(33, 50, 3)
        self.digit = nn.Linear(1250, 10)
        self.parity = nn.Linear(1250, 1)

    def inputs(self, n):
        return [image(n, 1, 28, 28), classes(n), Input("odd", "f32", (n, 1), 0.0, 1.0)]

    def forward(self, image):
        x = F.gelu(self.conv1(image))
        x = F.avg_pool2d(F.gelu(self.conv2(x)), 2)
        x = F.gelu(self.conv3(x)).flatten(1)
        return self.digit(x), self.parity(x)

    def results(self, image, *_):
        scores, odd = self(image)
        return {"scores": scores, "oddness": odd}

    def loss(self, image, digit, parity):
        scores, odd = self(image)
        return F.cross_entropy(scores, digit) + 0.5 * F.mse_loss(odd, parity)


def batch(net, n, seed=0):
    """The arguments of `net.loss`, by name."""
    return {x.name: x.draw(1000 * seed + i) for i, x in enumerate(net.inputs(n))}


def draw_parameters(net, seed):
    """Gives every parameter and running statistic of the net values that Rust draws alike; returns [key, shape, low, high] of each, in order.

    Bounds are multiples of 1/4096, which text, f32 and f64 hold alike.
    """
    drawn = []
    with torch.no_grad():
        for module_name, module in net.named_modules():
            tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
            for name, tensor in tensors:
                key = f"{module_name}.{name}".lstrip(".")
                if not tensor.is_floating_point():
                    continue
                low, high = bounds(module, name, tensor)
                tensor.copy_(draw.uniform(1000 * seed + 500 + len(drawn), tensor.shape, low, high))
                drawn.append([key, list(tensor.shape), low, high])
    return drawn


def bounds(module, name, tensor):
    """Where values are drawn in: PyTorch's default for products, around the neutral ones for norms."""
    if name in getattr(module, "WITHIN", {}):
        return module.WITHIN[name]
    if name == "running_mean":
        return -0.25, 0.25
    if name == "running_var" or (name == "weight" and tensor.ndim == 1):
        return 0.5, 1.5
    if isinstance(module, nn.RNNBase):
        fan_in = module.hidden_size
    elif isinstance(module, nn.Embedding):
        fan_in = 4
    elif tensor.ndim > 1:
        fan_in = tensor[0].numel() if not isinstance(module, nn.ConvTranspose2d) else tensor[:, 0].numel()
    else:
        fan_in = 100
    bound = max(1, round(4096 * getattr(module, "GAIN", 1.0) / fan_in**0.5)) / 4096
    return -bound, bound
