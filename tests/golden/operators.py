"""The operators of operators.safetensors: one `Case` a line, each with PyTorch's computation and castnet's text for it.

In the text, `x`, `y`, `z`, `u`, `v` are the inputs in order. Inputs come from a shuffled grid (`grid`): its values keep a distance from each
other and from 0, so no result lies at a kink, except in the cases marked `tie`, which are there to fix what happens at one.
"""
import dataclasses
import math
import zlib
from collections.abc import Callable

import torch
from torch.nn import functional as F


@dataclasses.dataclass
class Input:
    """An input's shape and how its values are made. `classes` makes it a target: u8, without a gradient; of `numbers`, if they are given.
    `truths` makes it a mask: bool. `grad = False`: an argument without a gradient."""

    shape: tuple
    low: float = -2.0
    high: float = 2.0
    classes: int = 0
    values: list = None
    numbers: list = None
    truths: list = None
    grad: bool = True

    def make(self, generator):
        if self.values is not None:
            return torch.tensor(self.values, dtype=torch.float32).reshape(self.shape)
        if self.truths is not None:
            return torch.tensor(self.truths, dtype=torch.bool).reshape(self.shape)
        if self.numbers is not None:
            return torch.tensor(self.numbers).reshape(self.shape)
        if self.classes:
            return torch.randint(self.classes, self.shape, generator=generator)
        return grid(self.shape, self.low, self.high, generator)


@dataclasses.dataclass
class Case:
    name: str
    operator: str
    text: str
    inputs: list
    compute: Callable
    tie: bool = False


def grid(shape, low, high, generator):
    """The cells' middles of an even grid over [low, high], moved by less than a quarter cell, shuffled; f32, none is 0.

    The offset that keeps an odd grid's middle from 0 is an eighth of a cell.
    """
    n = math.prod(shape)
    cell = (high - low) / n
    i = torch.arange(n, dtype=torch.float64)
    jitter = torch.rand(n, generator=generator, dtype=torch.float64) * 0.1
    values = low + (i + 0.625 + jitter) * cell
    return values[torch.randperm(n, generator=generator)].float().reshape(shape)


def tensors_of(case):
    """Inputs in f32 (targets int64) from a generator of the case's own, so that adding a case changes no other."""
    generator = torch.Generator().manual_seed(zlib.crc32(case.name.encode()))
    return [i.make(generator) for i in case.inputs], generator


def evaluate(case, dtype):
    """Inputs, result, and weights and gradients if there are any, by key; computed in `dtype`."""
    drawn, generator = tensors_of(case)
    inputs = [x.to(dtype).requires_grad_(i.grad) if x.is_floating_point() else x for i, x in zip(case.inputs, drawn)]
    out = case.compute(*inputs)
    result = {f"in{i}": x.to(torch.uint8) if x.dtype == torch.int64 else x for i, x in enumerate(drawn)}
    result["out"] = out.detach().to(dtype) if out.is_floating_point() else out
    if not any(x.requires_grad for x in inputs):
        return result
    w = grid(out.shape, -1.0, 1.0, generator)
    (out * w.to(dtype)).sum().backward()
    return result | {"w": w} | {f"grad{i}": x.grad for i, x in enumerate(inputs) if x.requires_grad}


TYPES = {torch.uint8: "u8", torch.int64: "i64", torch.bool: "bool", torch.float32: "f32", torch.float64: "f32"}


def describe(case, result):
    """The case's entry in operators.json."""
    inputs = []
    for i, name in zip(range(len(case.inputs)), "xyzuv"):
        value = result[f"in{i}"]
        inputs.append({"name": name, "type": TYPES[value.dtype], "shape": list(value.shape), "grad": f"grad{i}" in result})
    return {
        "name": case.name,
        "operator": case.operator,
        "text": case.text,
        "inputs": inputs,
        "output": {"type": TYPES[result["out"].dtype], "shape": list(result["out"].shape)},
        "tie": case.tie,
    }


CASES = []


def case(name, operator, text, inputs, compute, tie=False, to=CASES):
    """Adds a case; an input may be given by its shape alone."""
    inputs = [i if isinstance(i, Input) else Input(i) for i in inputs]
    to.append(Case(name, operator, text, inputs, compute, tie))


# Binary, with and without broadcasting.
WIDE, ROW, COLUMN = (3, 37), (37,), (3, 1)
BINARY = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
for op, sign in BINARY.items():
    y = dict(low=0.5, high=2.5) if op == "div" else {}
    f = getattr(torch, op)
    case(op, op, f"x {sign} y", [WIDE, Input(WIDE, **y)], f)
    case(f"{op}_row", op, f"x {sign} y", [WIDE, Input(ROW, **y)], f)
    case(f"{op}_column", op, f"x {sign} y", [COLUMN, Input(WIDE, **y)], f)
    case(f"{op}_both", op, f"x {sign} y", [(4, 1, 5), Input((3, 1), **y)], f)
    case(f"{op}_scalar", op, f"x {sign} y", [WIDE, Input((), **y)], f)
    case(f"{op}_literal", op, f"x {sign} 1.5", [WIDE], lambda x, f=f: f(x, 1.5))
case("div_reciprocal", "div", "1.5 / x", [Input(WIDE, 0.5, 2.5)], lambda x: 1.5 / x)
case("pow", "pow", "x.pow(y)", [Input(WIDE, 0.2, 2.0), WIDE], torch.pow)
case("pow_row", "pow", "x.pow(y)", [Input(WIDE, 0.2, 2.0), ROW], torch.pow)
case("pow_square", "pow", "x.pow(2)", [WIDE], lambda x: x.pow(2))
case("pow_cube", "pow", "x.pow(3)", [WIDE], lambda x: x.pow(3))
case("pow_real", "pow", "x.pow(2.5)", [Input(WIDE, 0.1, 2.0)], lambda x: x.pow(2.5))
case("pow_inverse", "pow", "x.pow(-1)", [Input(WIDE, 0.5, 2.0)], lambda x: x.pow(-1))

# Unary.
POSITIVE = Input(WIDE, 0.1, 4.0)
FAR = Input(WIDE, -12.0, 12.0)  # into saturation
UNARY = {
    "exp": [("", WIDE), ("_far", FAR)],
    "log": [("", POSITIVE)],
    "sqrt": [("", POSITIVE)],
    "rsqrt": [("", POSITIVE)],
    "abs": [("", WIDE)],
    "tanh": [("", WIDE), ("_far", FAR)],
    "sigmoid": [("", WIDE), ("_far", FAR)],
}
for op, cases in UNARY.items():
    for suffix, x in cases:
        case(op + suffix, op, f"x.{op}()", [x], getattr(torch, op))
for op in ("relu", "gelu", "silu"):
    case(op, op, f"x.{op}()", [WIDE], getattr(F, op))
case("gelu_far", "gelu", "x.gelu()", [Input(WIDE, -5.0, 5.0)], F.gelu)
case("gelu_tanh", "gelu", 'x.gelu(approximate = "tanh")', [WIDE], lambda x: F.gelu(x, approximate="tanh"))
case("silu_far", "silu", "x.silu()", [FAR], F.silu)
case("clamp", "clamp", "x.clamp(-0.5, 1.25)", [WIDE], lambda x: x.clamp(-0.5, 1.25))
case("clamp_min", "clamp", "x.clamp(min = -0.5)", [WIDE], lambda x: x.clamp(min=-0.5))
case("clamp_max", "clamp", "x.clamp(max = 0.75)", [WIDE], lambda x: x.clamp(max=0.75))
case("abs_tie", "abs", "x.abs()", [Input((3,), values=[-1.0, 0.0, 1.0])], torch.abs, tie=True)
case("relu_tie", "relu", "x.relu()", [Input((3,), values=[-1.0, 0.0, 1.0])], F.relu, tie=True)
case("clamp_tie", "clamp", "x.clamp(-0.5, 1.25)", [Input((4,), values=[-0.75, -0.5, 1.25, 1.5])], lambda x: x.clamp(-0.5, 1.25), tie=True)

# Reductions.
CUBE = (3, 5, 19)
AXES = {
    "": ("", None, False),
    "_last": ("-1", -1, False),
    "_first": ("0", 0, False),
    "_middle": ("1", 1, False),
    "_keepdim": ("1, keepdim = true", 1, True),
    "_two": ("[0, 2]", [0, 2], False),
    "_rows": ("[1, 2]", [1, 2], False),
    "_two_keepdim": ("[0, 1], keepdim = true", [0, 1], True),
}
for op in ("sum", "mean", "amax", "amin"):
    for suffix, (text, dim, keepdim) in AXES.items():
        f = getattr(torch, op)
        if dim is None:
            case(op + suffix, op, f"x.{op}()", [CUBE], f)
        else:
            case(op + suffix, op, f"x.{op}({text})", [CUBE], lambda x, f=f, d=dim, k=keepdim: f(x, dim=d, keepdim=k))
TIED = Input((2, 4), values=[1.0, 3.0, 3.0, 2.0, 5.0, 5.0, 5.0, 4.0])
case("amax_tie", "amax", "x.amax(1)", [TIED], lambda x: x.amax(1), tie=True)
case("amin_tie", "amin", "x.amin(0)", [Input((2, 2), values=[1.0, 2.0, 1.0, 3.0])], lambda x: x.amin(0), tie=True)

# Softmax and losses; `far`: where exp(x) alone overflows f32.
for op in ("softmax", "log_softmax"):
    f = getattr(F, op)
    case(op, op, f"x.{op}(-1)", [(5, 19)], lambda x, f=f: f(x, -1))
    case(f"{op}_middle", op, f"x.{op}(1)", [CUBE], lambda x, f=f: f(x, 1))
    case(f"{op}_first", op, f"x.{op}(0)", [CUBE], lambda x, f=f: f(x, 0))
    case(f"{op}_far", op, f"x.{op}(-1)", [Input((5, 19), 98.0, 102.0)], lambda x, f=f: f(x, -1))
case("cross_entropy", "cross_entropy", "x.cross_entropy(y)", [(6, 10), Input((6,), classes=10)], F.cross_entropy)
case("cross_entropy_far", "cross_entropy", "x.cross_entropy(y)", [Input((6, 10), 98.0, 102.0), Input((6,), classes=10)], F.cross_entropy)
case("cross_entropy_pixels", "cross_entropy", "x.cross_entropy(y)", [(3, 7, 5), Input((3, 5), classes=7)], F.cross_entropy)
case("cross_entropy_last", "cross_entropy", "x.cross_entropy(y, dim = -1)", [(3, 5, 7), Input((3, 5), classes=7)],
     lambda x, y: F.cross_entropy(x.movedim(-1, 1), y))
case("mse_loss", "mse_loss", "x.mse_loss(y)", [WIDE, WIDE], F.mse_loss)

# Products.
case("matmul", "matmul", "x.matmul(y)", [(5, 19), (19, 37)], torch.matmul)
case("matmul_thin", "matmul", "x.matmul(y)", [(5, 19), (19, 1)], torch.matmul)
case("matmul_batched", "matmul", "x.matmul(y)", [(3, 5, 7), (3, 7, 11)], torch.matmul)
case("matmul_shared", "matmul", "x.matmul(y)", [(2, 3, 5, 7), (7, 11)], torch.matmul)
case("matmul_broadcast", "matmul", "x.matmul(y)", [(2, 1, 5, 7), (3, 7, 11)], torch.matmul)
case("linear", "linear", "x.linear(y, z)", [(6, 19), (11, 19), (11,)], F.linear)
case("linear_no_bias", "linear", "x.linear(y)", [(6, 19), (11, 19)], F.linear)
case("linear_batched", "linear", "x.linear(y, z)", [(2, 3, 19), (11, 19), (11,)], F.linear)

# Convolution: x the images, y the weight, z the bias.
IMAGES, WEIGHT, BIAS = (2, 3, 9, 8), (5, 3, 3, 3), (5,)
case("conv2d", "conv2d", "x.conv2d(y, z)", [IMAGES, WEIGHT, BIAS], F.conv2d)
case("conv2d_no_bias", "conv2d", "x.conv2d(y)", [IMAGES, WEIGHT], F.conv2d)
case("conv2d_stride", "conv2d", "x.conv2d(y, z, stride = 2, padding = 1)", [IMAGES, WEIGHT, BIAS],
     lambda x, y, z: F.conv2d(x, y, z, stride=2, padding=1))
case("conv2d_padding", "conv2d", "x.conv2d(y, z, padding = 1)", [IMAGES, WEIGHT, BIAS], lambda x, y, z: F.conv2d(x, y, z, padding=1))
case("conv2d_dilation", "conv2d", "x.conv2d(y, z, dilation = 2)", [IMAGES, WEIGHT, BIAS], lambda x, y, z: F.conv2d(x, y, z, dilation=2))
case("conv2d_pointwise", "conv2d", "x.conv2d(y, z)", [IMAGES, (5, 3, 1, 1), BIAS], F.conv2d)
case("conv2d_wide", "conv2d", "x.conv2d(y, z)", [(2, 7, 6, 6), (33, 7, 3, 3), (33,)], F.conv2d)

# Pooling.
case("max_pool2d", "max_pool2d", "x.max_pool2d(2)", [(2, 3, 8, 6)], lambda x: F.max_pool2d(x, 2))
case("max_pool2d_odd", "max_pool2d", "x.max_pool2d(2)", [(2, 3, 9, 7)], lambda x: F.max_pool2d(x, 2))
case("max_pool2d_stride", "max_pool2d", "x.max_pool2d(3, stride = 2, padding = 1)", [IMAGES],
     lambda x: F.max_pool2d(x, 3, stride=2, padding=1))
case("max_pool2d_overlap", "max_pool2d", "x.max_pool2d(2, stride = 1)", [IMAGES], lambda x: F.max_pool2d(x, 2, stride=1))
case("max_pool2d_tie", "max_pool2d", "x.max_pool2d(2)", [Input((1, 1, 2, 4), values=[1.0, 1.0, 0.0, 2.0, 1.0, 1.0, 2.0, 2.0])],
     lambda x: F.max_pool2d(x, 2), tie=True)
case("avg_pool2d", "avg_pool2d", "x.avg_pool2d(2)", [(2, 3, 8, 6)], lambda x: F.avg_pool2d(x, 2))
case("avg_pool2d_odd", "avg_pool2d", "x.avg_pool2d(2)", [(2, 3, 9, 7)], lambda x: F.avg_pool2d(x, 2))
case("avg_pool2d_stride", "avg_pool2d", "x.avg_pool2d(3, stride = 2, padding = 1)", [IMAGES],
     lambda x: F.avg_pool2d(x, 3, stride=2, padding=1))
