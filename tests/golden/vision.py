"""Networks of images: residual, depthwise, U-shaped, attending."""
import torch
from torch import nn
from torch.nn import functional as F

from nets import Classifier, Input, classes, image


# The weights of the last norm of a branch, so that a deep net is not chaotic from the start.
SMALL = {"weight": (0.125, 0.375)}


class Residual(nn.Module):
    """Two 3 x 3 convolutions around a shortcut."""

    def __init__(self, c, channels, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(c, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.bn2.WITHIN = SMALL
        self.down = nn.Conv2d(c, channels, 1, stride, bias=False) if stride != 1 or c != channels else nn.Identity()
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()

    def forward(self, x):
        y = self.relu1(self.bn1(self.conv1(x)))
        return self.relu2(self.bn2(self.conv2(y)) + self.down(x))


class ResNet20(Classifier):
    """He and others 2015, section 4.2, with projections as shortcuts."""

    BATCH = 2

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.stage1 = nn.Sequential(*[Residual(16, 16) for _ in range(3)])
        self.stage2 = nn.Sequential(Residual(16, 32, 2), Residual(32, 32), Residual(32, 32))
        self.stage3 = nn.Sequential(Residual(32, 64, 2), Residual(64, 64), Residual(64, 64))
        self.head = nn.Linear(64, 10)
        self.relu = nn.ReLU()

    def forward(self, image):
        x = self.relu(self.bn(self.stem(image)))
        return self.head(self.stage3(self.stage2(self.stage1(x))).mean([2, 3]))


class ResNet20Small(ResNet20):
    """The same net on smaller images."""

    IMAGE, EPS = (3, 16, 16), 1e-4


def keep_away(net):
    """For a net so deep that f32 would not follow f64 for ten steps: norms before a ReLU give values most of which are positive, so
    that few come near the kink, and the scores are far apart, so that gradients are large beside the rounding of the parameters."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            last = hasattr(module, "WITHIN")
            module.WITHIN = {"weight": (0.0625, 0.1875)} if last else {"weight": (0.25, 0.75), "bias": (0.5, 1.5)}
    net.head.GAIN = 4.0


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 (with the stride), 1 x 1 with four times the channels, around a shortcut."""

    def __init__(self, c, width, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(c, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.bn3.WITHIN = SMALL
        self.project = stride != 1 or c != 4 * width
        if self.project:
            self.down = nn.Conv2d(c, 4 * width, 1, stride, bias=False)
            self.bn4 = nn.BatchNorm2d(4 * width)
        self.relu1, self.relu2, self.relu3 = nn.ReLU(), nn.ReLU(), nn.ReLU()

    def forward(self, x):
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(self.relu2(self.bn2(self.conv2(y)))))
        return self.relu3(y + (self.bn4(self.down(x)) if self.project else x))


class ResNet50(Classifier):
    """ResNet-50; width 64 is the published one. 64 x 64 images, so that the last stage still has 2 x 2 pixels."""

    IMAGE = (3, 64, 64)
    WIDTH = 64

    def __init__(self):
        super().__init__()
        w = self.WIDTH
        self.stem = nn.Conv2d(3, w, 7, 2, 3, bias=False)
        self.bn = nn.BatchNorm2d(w)

        def stage(c, width, stride, count):
            first = Bottleneck(c, width, stride)
            return nn.Sequential(first, *[Bottleneck(4 * width, width) for _ in range(count - 1)])

        self.stage1 = stage(w, w, 1, 3)
        self.stage2 = stage(4 * w, 2 * w, 2, 4)
        self.stage3 = stage(8 * w, 4 * w, 2, 6)
        self.stage4 = stage(16 * w, 8 * w, 2, 3)
        self.head = nn.Linear(32 * w, 10)
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        keep_away(self)

    def forward(self, image):
        x = self.pool(self.relu(self.bn(self.stem(image))))
        return self.head(self.stage4(self.stage3(self.stage2(self.stage1(x)))).mean([2, 3]))


class ResNet50Thin(ResNet50):
    """A sixteenth of the width; the depth and the blocks are the published ones."""

    WIDTH, RATE, EPS, CLEAR = 4, 1.0, 1e-4, 0.5


class InvertedResidual(nn.Module):
    """Expand, filter each channel by itself, project; around a shortcut where sizes allow."""

    def __init__(self, c, channels, stride=1, expand=6):
        super().__init__()
        hidden = expand * c
        self.expand = nn.Conv2d(c, hidden, 1, bias=False) if expand != 1 else None
        self.bn1 = nn.BatchNorm2d(hidden) if expand != 1 else None
        self.depthwise = nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False)
        self.bn2 = nn.BatchNorm2d(hidden)
        self.project = nn.Conv2d(hidden, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)
        self.bn3.WITHIN = SMALL
        self.relu1, self.relu2 = nn.ReLU6(), nn.ReLU6()
        self.shortcut = stride == 1 and c == channels

    def forward(self, x):
        y = self.relu1(self.bn1(self.expand(x))) if self.expand is not None else x
        y = self.bn3(self.project(self.relu2(self.bn2(self.depthwise(y)))))
        return x + y if self.shortcut else y


class MobileNetV2(Classifier):
    """Sandler and others 2018; width 8 is the published one."""

    IMAGE = (3, 64, 64)
    WIDTH = 8

    def __init__(self):
        super().__init__()
        w = self.WIDTH
        self.stem = nn.Conv2d(3, 4 * w, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(4 * w)
        blocks = [InvertedResidual(4 * w, 2 * w, expand=1)]
        c = 2 * w
        for channels, count, stride in [(3, 2, 2), (4, 3, 2), (8, 4, 2), (12, 3, 1), (20, 3, 2), (40, 1, 1)]:
            for i in range(count):
                blocks.append(InvertedResidual(c, channels * w, stride if i == 0 else 1))
                c = channels * w
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Conv2d(40 * w, 160 * w, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(160 * w)
        self.head = nn.Linear(160 * w, 10)
        self.relu1, self.relu2 = nn.ReLU6(), nn.ReLU6()
        keep_away(self)

    def forward(self, image):
        x = self.blocks(self.relu1(self.bn1(self.stem(image))))
        return self.head(self.relu2(self.bn2(self.last(x))).mean([2, 3]))


class MobileNetV2Thin(MobileNetV2):
    """An eighth of the width; the depth and the blocks are the published ones."""

    WIDTH, RATE, EPS, CLEAR = 1, 1.0, 1e-4, 0.5


class Double(nn.Module):
    """Two 3 x 3 convolutions with ReLU."""

    def __init__(self, c, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(c, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()

    def forward(self, x):
        return self.relu2(self.conv2(self.relu1(self.conv1(x))))


class UNet(nn.Module):
    """Three levels down by pooling, up by transposed convolution, joined by concatenation; a class for each pixel."""

    BATCH = 2

    def __init__(self):
        super().__init__()
        self.down1, self.down2, self.bottom = Double(1, 8), Double(8, 16), Double(16, 32)
        self.up2 = nn.ConvTranspose2d(32, 16, 2, 2)
        self.join2 = Double(32, 16)
        self.up1 = nn.ConvTranspose2d(16, 8, 2, 2)
        self.join1 = Double(16, 8)
        self.head = nn.Conv2d(8, 3, 1)
        self.pool1, self.pool2 = nn.MaxPool2d(2), nn.MaxPool2d(2)
        for module in self.modules():
            module.GAIN = 6**0.5  # He's initialisation

    def inputs(self, n):
        return [image(n, 1, 16, 16), classes(n, 16, 16, count=3)]

    def forward(self, image):
        a = self.down1(image)
        b = self.down2(self.pool1(a))
        c = self.bottom(self.pool2(b))
        b = self.join2(torch.cat([self.up2(c), b], 1))
        a = self.join1(torch.cat([self.up1(b), a], 1))
        return self.head(a)

    def results(self, image, *_):
        return {"scores": self(image)}

    def loss(self, image, kind):
        return F.cross_entropy(self(image), kind)


class SelfAttention(nn.Module):
    """Every position looks at every other."""

    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(d, 3 * d)
        self.proj = nn.Linear(d, d)
        self.qkv.GAIN = self.proj.GAIN = 2.0

    def forward(self, x, is_causal=False):
        b, t, d = x.shape
        q, k, v = self.qkv(x).reshape(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=is_causal)
        return self.proj(y.permute(0, 2, 1, 3).reshape(b, t, d))


class Encoder(nn.Module):
    """Attention and a perceptron, each after a norm and around a shortcut."""

    def __init__(self, d, heads, is_causal=False):
        super().__init__()
        self.ln1 = nn.LayerNorm(d)
        self.attention = SelfAttention(d, heads)
        self.ln2 = nn.LayerNorm(d)
        self.up = nn.Linear(d, 4 * d)
        self.down = nn.Linear(4 * d, d)
        self.is_causal = is_causal

    def forward(self, x):
        x = x + self.attention(self.ln1(x), self.is_causal)
        return x + self.down(F.gelu(self.up(self.ln2(x))))


class ViT(Classifier):
    """Patches of 4 x 4 pixels and a class token through four encoder layers (Dosovitskiy and others 2021)."""

    BATCH = 2

    def __init__(self):
        super().__init__()
        d = 48
        self.patch = nn.Conv2d(3, d, 4, 4)
        self.cls = nn.Parameter(torch.zeros(1, 1, d))
        self.position = nn.Parameter(torch.zeros(1, 65, d))
        self.layers = nn.Sequential(*[Encoder(d, 4) for _ in range(4)])
        self.ln = nn.LayerNorm(d)
        self.head = nn.Linear(d, 10)

    def forward(self, image):
        x = self.patch(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.position
        return self.head(self.ln(self.layers(x))[:, 0])


class Stage(nn.Module):
    """The residual block of a diffusion net: GroupNorm, SiLU, convolution, twice."""

    def __init__(self, c):
        super().__init__()
        self.gn1, self.gn2 = nn.GroupNorm(4, c), nn.GroupNorm(4, c)
        self.conv1 = nn.Conv2d(c, c, 3, padding=1)
        self.conv2 = nn.Conv2d(c, c, 3, padding=1)

    def forward(self, x):
        y = self.conv1(F.silu(self.gn1(x)))
        return x + self.conv2(F.silu(self.gn2(y)))


class Diffusion(nn.Module):
    """The middle of a diffusion net: what noise was added to an image; GroupNorm, SiLU, attention over all pixels."""

    BATCH = 2

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.stage1 = Stage(16)
        self.down = nn.Conv2d(16, 16, 3, 2, 1)
        self.gn = nn.GroupNorm(4, 16)
        self.attention = SelfAttention(16, 2)
        self.stage2 = Stage(16)
        self.up = nn.ConvTranspose2d(16, 16, 2, 2)
        self.head = nn.Conv2d(16, 3, 3, padding=1)
        for module in self.modules():
            module.GAIN = 2.0  # so that f32 does not lose the steps

    def inputs(self, n):
        return [image(n, 3, 16, 16), Input("noise", "f32", (n, 3, 16, 16), -1.0, 1.0)]

    def forward(self, image):
        x = self.down(self.stage1(self.stem(image)))
        n, c, h, w = x.shape
        y = self.gn(x).reshape(n, c, h * w).permute(0, 2, 1)
        x = x + self.attention(y).permute(0, 2, 1).reshape(n, c, h, w)
        return self.head(F.silu(self.up(self.stage2(x))))

    def results(self, image, noise):
        return {"denoised": self(image)}

    def loss(self, image, noise):
        return F.mse_loss(self(image + 0.5 * noise), noise)
