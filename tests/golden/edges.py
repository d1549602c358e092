"""The operators at their edges: what PyTorch computes *in f32* of ±0, ±∞, NaN, equal values, kinks, the largest and the smallest floats and both sides of
every threshold, forward and backward.

    python tests/golden/edges.py          # torch 2.15.0 for CPU, as make.py; rewrites edges.safetensors and edges.json

The cases are written as those of operators.py, and `runtime/tests/edges.rs` runs each on every instruction set of the machine. In the file:

    in.<inputs>                 the hard values: all cases of one kind share them
    <case>.w                    the weights of the results: 1, -½, 2, ¼ …
    <case>.out, <case>.grad0    what PyTorch makes of them in f32
    <case>.out.exact, ...       the same computed in f64 and rounded to f32, where that is another number

Where PyTorch is finite, castnet must be, too: within a relative TOLERANCE of either of the two, or within `near` of it, absolutely, where a case
says so because its formula takes near numbers off each other. Where PyTorch is not finite, the same or the exact number is right. The sign of a
zero counts where a case says `signed`.
"""
import dataclasses
import itertools
import json
import pathlib
import warnings

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

HERE = pathlib.Path(__file__).resolve().parent
INF, NAN = float("inf"), float("nan")
LARGEST, NORMAL, SUBNORMAL = 3.4028234663852886e38, 1.1754943508222875e-38, 1.401298464324817e-45


def beside(x):
    """A float and its two neighbours."""
    x = torch.tensor(x)
    return [torch.nextafter(x, torch.tensor(0.0)).item(), x.item(), torch.nextafter(x, torch.tensor(INF)).item()]


# Where something happens: the ends of f32, of exponentials (overflow, subnormal results, nothing left), of tanh, erf and their clamps, of
# softplus, of roundings, the multiples of π, arguments of sines that a short reduction gets wrong.
POINTS = [NORMAL, 2.0**-64, 1e-20, 1e-10, 4e-4, 1e-3, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 6.0, 7.905311, 9.01, 20.0, 87.33654, 88.72284,
          103.97208, 104.5, 3.832507, 2.0**23, 2.0**24, 2.0**31, 1e8, 1e13, 1.8446743e19, 1e30, 1.5707964, 3.1415927, 6.2831855]
LONE = [0.0, SUBNORMAL, 3 * SUBNORMAL, 1e-40, LARGEST, INF, 0.1, 0.7, 1.2533141, 4.0, 5.0, 8.0, 10.0, 12.0, 13.3, 14.2, 15.0, 50.0, 90.0, 100.0, 3000.0,
        8388607.5, 1e9, 1e10, 123456792.0, 3e38, 1.6e38, 2.7e20, 16.625, 33.27, 1000.5]
HARD = [sign * x for x in sorted({y for p in POINTS for y in beside(p)} | set(LONE)) for sign in (1.0, -1.0)] + [NAN]
# For functions of two, every pair of these; and of fewer for functions of three.
SHORT = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 3.0, 0.5, -0.5, 1e-3, -2.5, SUBNORMAL, -SUBNORMAL, NORMAL, 1e20, -1e20, 1e-20, 16777217.0, LARGEST, -LARGEST, INF,
         -INF, NAN, 0.9999999, -7.0]
FEW = [0.0, -0.0, 1.0, -1.5, 1e-20, 1e30, INF, -INF, NAN]
# Probabilities.
PART = [0.0, -0.0, SUBNORMAL, NORMAL, 1e-30, 3e-8, 0.25, 0.5, 0.99999994, 1.0, 3.783506e-44]

# Rows of five, for what goes along an axis.
ROWS = [
    [1.0, 2.0, 3.0, 4.0, 5.0], [0.0] * 5, [-0.0] * 5, [0.0, -0.0, 0.0, -0.0, 0.0], [-0.0, 0.0, -0.0, -0.0, -0.0], [7.0] * 5, [3.0, 1.0, 3.0, 3.0, 1.0],
    [-INF] * 5, [INF] * 5, [INF, -INF, 0.0, 1.0, 2.0], [-INF, 1.0, 2.0, -INF, 1.5], [INF, 1.0, 2.0, 3.0, 4.0], [INF, INF, 0.0, 0.0, 0.0],
    [-INF, -INF, -INF, -INF, 0.0], [NAN, 1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0, NAN], [NAN] * 5, [NAN, INF, -INF, 0.0, 1.0], [-INF, NAN, -INF, -INF, -INF],
    [88.8, 88.8, 1.0, 2.0, 3.0], [1000.0, 999.0, 0.0, -1000.0, -2000.0], [-1000.0, -1001.0, -1002.0, -1003.0, -1004.0], [1e30, -1e30, 5e29, 0.0, 1e29],
    [1e-20, 2e-20, -3e-20, 4e-20, 0.0], [1e-30] * 5, [SUBNORMAL, 0.0, 0.0, 0.0, -SUBNORMAL], [NORMAL, -NORMAL, NORMAL, 0.0, 0.0],
    [LARGEST, 1.0, 0.0, -1.0, 0.0], [LARGEST, -LARGEST, 0.0, 0.0, 0.0], [-LARGEST, -LARGEST, -LARGEST, -LARGEST, 1.0], [1e19, -1e19, 1e19, -1e19, 0.0],
    [1e5, 1e5 + 1, 1e5 + 2, 1e5 + 3, 1e5 + 4], [1e-3, 0.0, 0.0, 0.0, 0.0], [104.0, 0.0, 1.0, 2.0, 3.0], [16777216.0, 1.0, 1.0, 1.0, 1.0],
    [5.0, 5.0, -5.0, -5.0, 0.0], [2.0**60] * 5,
]
# The same without large numbers: which sums overflow, or lose what is small, depends on the order of the additions.
CALM = [row for row in ROWS if all(abs(x) in (INF, 0) or abs(x) < 1e17 or x != x for x in row)]

INPUTS = {
    "hard": torch.tensor(HARD),
    "left": torch.tensor([x for x, _ in itertools.product(SHORT, SHORT)]),
    "right": torch.tensor([y for _, y in itertools.product(SHORT, SHORT)]),
    "first": torch.tensor([x for x, _, _ in itertools.product(FEW, FEW, FEW)]),
    "second": torch.tensor([x for _, x, _ in itertools.product(FEW, FEW, FEW)]),
    "third": torch.tensor([x for _, _, x in itertools.product(FEW, FEW, FEW)]),
    "p": torch.tensor([x for x, _ in itertools.product(PART, PART)]),
    "q": torch.tensor([x for _, x in itertools.product(PART, PART)]),
    "logits": torch.tensor([x for x, _ in itertools.product(HARD, [0.0, 0.25, 1.0])]),
    "targets": torch.tensor([x for _, x in itertools.product(HARD, [0.0, 0.25, 1.0])]),
    "rows": torch.tensor(ROWS),
    "calm": torch.tensor(CALM),
    "calm_columns": torch.tensor(CALM).T.contiguous(),
    "columns": torch.tensor(ROWS).T.contiguous(),
    "calm_long": torch.tensor(CALM).repeat(1, 29),
    "long": torch.tensor(ROWS).repeat(1, 29),
    "one": torch.tensor(ROWS)[:, :1].contiguous(),
    "images": torch.tensor(ROWS).reshape(-1, 1, 1, 5),
    "channels": torch.tensor(ROWS).T.reshape(5, -1, 1, 1).contiguous(),
    "classes": torch.tensor([i % 5 for i in range(len(ROWS))]),
    "ignored": torch.tensor([4 if i % 3 else 2 for i in range(len(ROWS))]),
    "all_ignored": torch.full((len(ROWS),), 2),
    "scale": torch.tensor([1.0, 0.5, -2.0, 0.0, 3.0]),
    "shift": torch.tensor([0.0, 1.0, -1.0, 2.0, 0.5]),
    "variances": torch.tensor([0.0, SUBNORMAL, 1e-5, 1.0, 1e30, INF, NAN, LARGEST, 1e-20, 4.0]),
    "means": torch.tensor([0.0, 1.0, -1.0, 2.0**66, 0.0, 1.0, 1.0, 0.0, INF, NAN]),
    "ten": torch.tensor([[1.0] * 10, [0.0] * 10, [-2.5] * 10, [2.0**66] * 10]),
    "truths": torch.tensor([i % 3 == 0 for i in range(len(HARD))]),
    "query": torch.tensor([[[1.0, 0.5], [-1.0, 2.0], [0.0, 0.0]]] * 2),
    "key": torch.tensor([[[0.5, 1.0], [2.0, -1.0], [1.0, 1.0], [-3.0, 0.0]]] * 2),
    "value": torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, -6.0], [0.5, 0.0]]] * 2),
    "full_mask": torch.tensor([[[-INF] * 4, [0.0, -INF, 1.0, -INF], [0.0] * 4], [[-INF] * 4, [-INF] * 4, [-INF, -INF, -INF, 2.0]]]),
    "row_mask": torch.tensor([[0.0], [-INF], [0.0]]),
    "key_mask": torch.tensor([0.0, -INF, -INF, 0.0]),
    "batch_mask": torch.tensor([[[-INF]], [[0.0]]]),
    "no_key": torch.tensor([-INF, -INF, -INF, -INF]),
    "bool_mask": torch.tensor([[False] * 4, [True, False, True, False], [True] * 4]),
    "to_fill": torch.tensor([[True] * 4, [False, True, False, True], [False] * 4]),
}


@dataclasses.dataclass
class Case:
    name: str
    operator: str
    text: str
    # Names of INPUTS; with a minus in front: an argument without gradient.
    inputs: list
    compute: object
    # What is right in f64, if PyTorch's own formula is not.
    exact: object = None
    # How far off, absolutely, value and gradients may be.
    near: float = 0.0
    # Whether the sign of a zero counts in the result.
    signed: bool = False


CASES = []


def case(*args, **named):
    CASES.append(Case(*args, **named))


def unary(name, f=None, text=None, suffix="", **named):
    case(f"{name}{suffix}", name, text or f"x.{name}()", ["hard"], f or getattr(torch, name), **named)


def binary(name, f=None, text=None, **named):
    case(name, name, text or f"x.{name}(y)", ["left", "right"], f or getattr(torch, name), **named)


# One tensor. `near`: what is 1 - y · y or y · (1 - y) of a rounded y.
for name in ("neg", "abs", "exp", "sqrt", "square", "floor", "trunc"):
    unary(name, signed=True)
for name in ("sign", "log", "rsqrt", "reciprocal"):
    unary(name)
unary("erf", signed=True)
unary("tanh", signed=True, near=1.2e-6)
unary("sigmoid", near=2e-7)
unary("sin", near=3e-7)
unary("cos", near=3e-7)
unary("relu", F.relu)
unary("leaky_relu", F.leaky_relu)
unary("leaky_relu", lambda x: F.leaky_relu(x, -0.5), "x.leaky_relu(-0.5)", "_negative")
unary("leaky_relu", lambda x: F.leaky_relu(x, 0.0), "x.leaky_relu(0.0)", "_zero")
unary("gelu", F.gelu, near=2e-6)
unary("gelu", lambda x: F.gelu(x, approximate="tanh"), 'x.gelu(approximate = "tanh")', "_tanh", near=6e-6)
unary("silu", F.silu, near=2e-6)
for c in (-2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3, 4):
    unary("pow", lambda x, c=c: x.pow(c), f"x.pow({c})", f"_{c}")
for suffix, text, f in (
    ("", "-0.5, 1.25", lambda x: x.clamp(-0.5, 1.25)),
    ("_ends", "-1.0, 2.0", lambda x: x.clamp(-1.0, 2.0)),
    ("_min", "min = -1.0", lambda x: x.clamp(min=-1.0)),
    ("_max", "max = 3.0", lambda x: x.clamp(max=3.0)),
    ("_zero", "min = 0.0", lambda x: x.clamp(min=0.0)),
):
    unary("clamp", f, f"x.clamp({text})", suffix)
for name, sign, f in (("add", "+", torch.add), ("sub", "-", torch.sub), ("mul", "*", torch.mul), ("div", "/", torch.div)):
    for c in ("0.0", "1.0", "2.0", "-1.0", "0.5"):
        unary(name, lambda x, c=float(c), f=f: f(x, c), f"x {sign} {c}", f"_{c}")
        unary(name, lambda x, c=float(c), f=f: f(torch.tensor(c, dtype=x.dtype), x), f"{c} {sign} x", f"_of_{c}")
for c in ("0.75", "-3.0"):
    unary("remainder", lambda x, c=float(c): torch.remainder(x, c), f"x % {c}", f"_{c}")
for name in ("eq", "ne", "lt", "le", "gt", "ge"):
    case(f"{name}_zero", name, f"x.{name}(0.0)", ["-hard"], lambda x, f=getattr(torch, name): f(x, 0.0))
case("cast_bool", "cast", "x.cast(bool)", ["-hard"], lambda x: x.to(torch.bool))

for name in ("ceil", "round", "log1p", "atan"):
    unary(name, signed=True)
# Its slope by exp(x), not by expm1(x) + 1.
unary("expm1", exact=lambda x: x.exp() - 1, signed=True)
case("isnan", "isnan", "x.isnan()", ["-hard"], torch.isnan)
unary("detach", lambda x: x.detach() * x, "x.detach() * x")
for name in ("softplus", "elu", "relu6"):
    unary(name, getattr(F, name))
unary("hardswish", F.hardswish, near=2e-7)
unary("softplus", lambda x: F.softplus(x, 0.5, 3.0), "x.softplus(0.5, 3.0)", "_beta")
unary("mish", F.mish, near=3e-6)

# Two tensors: every pair.
for name in ("add", "sub", "mul", "div"):
    binary(name, signed=True)
for name in ("pow", "remainder", "maximum", "minimum"):
    binary(name)
for name, number in (("maximum", 1.0), ("minimum", 1.0), ("maximum", 0.0)):
    f = getattr(torch, name)
    case(f"{name}_number_{number:g}", name, f"x.{name}({number})", ["hard"], lambda x, f=f, c=number: f(x, torch.tensor(c)))
case("maximum_ones", "maximum", "maximum(ones_like(x), x)", ["hard"], lambda x: torch.maximum(torch.ones_like(x), x))
# Numbers that seem to change nothing change the sign of a zero.
for text in ("x + 0.0", "0.0 + x", "x - 0.0", "0.0 - x", "-0.0 + x", "-0.0 - x", "x - -0.0"):
    case(f"zeros_{text}", "add", text, ["hard"], lambda x, text=text: eval(text), signed=True)
case("far_and_back", "mul", "x * 1e30 * 1e-30", ["hard"], lambda x: x * 1e30 * 1e-30)
case("back_and_far", "mul", "x * 1e-30 * 1e30", ["hard"], lambda x: x * 1e-30 * 1e30)
for name in ("eq", "ne", "lt", "le", "gt", "ge"):
    case(name, name, f"x.{name}(y)", ["-left", "-right"], getattr(torch, name))
case("logical_and", "logical_and", "(x > y) & (x == x)", ["-left", "-right"], lambda x, y: (x > y) & (x == x))
case("logical_or", "logical_or", "(x > y) | (x != x)", ["-left", "-right"], lambda x, y: (x > y) | (x != x))
case("logical_not", "logical_not", "!(x > y)", ["-left", "-right"], lambda x, y: ~(x > y))
case("where", "where_", "where_(x > y, x, y)", ["left", "right"], lambda x, y: torch.where(x > y, x, y), signed=True)
case("where_three", "where_", "where_(x > 0.0, y, z)", ["-first", "second", "third"], lambda x, y, z: torch.where(x > 0, y, z))
case("where_hidden", "where_", "where_(x > 0.0, x.log(), x)", ["hard"], lambda x: torch.where(x > 0, x.log(), x))
case("masked_fill", "masked_fill", "x.masked_fill(y, 2.0)", ["hard", "truths"], lambda x, y: x.masked_fill(y, 2.0), signed=True)

# Losses of two tensors.
NONE = 'reduction = "none"'
for name, more in (("mse_loss", {}), ("l1_loss", {}), ("smooth_l1_loss", {}), ("huber_loss", {})):
    case(name, name, f"x.{name}(y, {NONE})", ["left", "right"], lambda x, y, f=getattr(F, name): f(x, y, reduction="none"))
case("smooth_l1_loss_beta", "smooth_l1_loss", f"x.smooth_l1_loss(y, {NONE}, beta = 0.5)", ["left", "right"], lambda x, y: F.smooth_l1_loss(x, y, reduction="none", beta=0.5))
case("smooth_l1_loss_zero", "smooth_l1_loss", f"x.smooth_l1_loss(y, {NONE}, beta = 0.0)", ["left", "right"], lambda x, y: F.smooth_l1_loss(x, y, reduction="none", beta=0.0))
case("huber_loss_delta", "huber_loss", f"x.huber_loss(y, {NONE}, delta = 3.0)", ["left", "right"], lambda x, y: F.huber_loss(x, y, reduction="none", delta=3.0))
case("binary_cross_entropy", "binary_cross_entropy", f"x.binary_cross_entropy(y, {NONE})", ["p", "-q"], lambda x, y: F.binary_cross_entropy(x, y, reduction="none"), near=2e-7)
case("with_logits", "binary_cross_entropy_with_logits", f"x.binary_cross_entropy_with_logits(y, {NONE})", ["logits", "targets"],
     lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction="none"), near=3e-7)
case("with_logits_hard", "binary_cross_entropy_with_logits", f"x.binary_cross_entropy_with_logits(y, {NONE})", ["left", "right"],
     lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction="none"), near=3e-7)
case("kl_div", "kl_div", f"x.kl_div(y, {NONE})", ["left", "right"], lambda x, y: F.kl_div(x, y, reduction="none"), near=2e-7)
case("kl_div_log", "kl_div", f"x.kl_div(y, {NONE}, log_target = true)", ["left", "right"], lambda x, y: F.kl_div(x, y, reduction="none", log_target=True), near=2e-7)
for r in ("mean", "sum"):
    case(f"mse_loss_{r}", "mse_loss", f'x.mse_loss(y, reduction = "{r}")', ["scale", "shift"], lambda x, y, r=r: F.mse_loss(x, y, reduction=r))

def shared(x, dim):
    """logsumexp whose gradients add up to 1: PyTorch's, exp(x - result), do not where the result is rounded to the maximum."""
    top = x.amax(dim, keepdim=True)
    top = torch.where(top.abs() < INF, top, torch.zeros_like(top)).detach()
    return (x - top).exp().sum(dim).log() + top.squeeze(dim)


# Along rows, along columns, along long rows, and of one element.
for kind, dim in (("rows", 1), ("columns", 0), ("long", 1), ("one", 1)):
    near = {"long": 2e-6}.get(kind, 1e-6)
    for name in ("sum", "mean", "amax", "amin"):
        case(f"{name}_{kind}", name, f"x.{name}({dim})", [kind], lambda x, f=getattr(torch, name), d=dim: f(x, d), near=0 if name[0] == "a" else near)
    for name in ("argmax", "argmin"):
        case(f"{name}_{kind}", name, f"x.{name}({dim})", [f"-{kind}"], lambda x, f=getattr(torch, name), d=dim: f(x, d))
    for name in ("softmax", "log_softmax", "logsumexp"):
        exact = (lambda x, d=dim: shared(x, d)) if name == "logsumexp" else None
        case(f"{name}_{kind}", name, f"x.{name}({dim})", [kind], lambda x, f=getattr(torch, name), d=dim: f(x, d), near=near, exact=exact)
    for name in ("var", "std"):
        for c in (0, 1):
            # Of long rows of large numbers the sum of all gradients, which is 0, leaves rounding.
            inputs = ["calm_long" if kind == "long" else kind]
            case(f"{name}{c}_{kind}", name, f"x.{name}({dim}, correction = {c})", inputs, lambda x, f=getattr(torch, name), d=dim, c=c: f(x, d, correction=c), near=near)
for name in ("sum", "mean", "amax", "amin", "var", "std"):
    case(f"{name}_all", name, f"x.{name}()", ["scale"], getattr(torch, name))
for name in ("amax", "amin"):
    case(f"{name}_two", name, f"x.{name}([0, 1])", ["ten"], lambda x, f=getattr(torch, name): f(x, (0, 1)))

# Lengths.
for kind, dim in (("rows", 1), ("columns", 0), ("one", 1)):
    for name, p in (("one", 1.0), ("two", 2.0), ("most", INF), ("least", -INF)):
        case(f"norm_{name}_{kind}", "norm", f"x.norm({p}, {dim})", [kind], lambda x, p=p, d=dim: torch.linalg.vector_norm(x, p, d), near=1e-6)
case("norm_three", "norm", "x.norm(3.0, 1)", ["calm"], lambda x: torch.linalg.vector_norm(x, 3.0, 1), near=1e-6)
case("normalize", "normalize", "x.normalize()", ["rows"], F.normalize, near=1e-6)
case("cosine_similarity", "cosine_similarity", "x.cosine_similarity(y)", ["calm", "scale_rows"], F.cosine_similarity, near=1e-6)
INPUTS["scale_rows"] = INPUTS["scale"].repeat(len(CALM), 1)

# Losses of classes.
for suffix, text, f in (
    ("", "", {}),
    ("_smooth", ", label_smoothing = 0.1", dict(label_smoothing=0.1)),
):
    case(f"cross_entropy{suffix}", "cross_entropy", f"x.cross_entropy(y, {NONE}{text})", ["rows", "classes"], lambda x, y, f=f: F.cross_entropy(x, y, reduction="none", **f), near=1e-6)
case("cross_entropy_weight", "cross_entropy", f"x.cross_entropy(y, weight = z, {NONE})", ["rows", "classes", "-scale"],
     lambda x, y, z: F.cross_entropy(x, y, z, reduction="none"), near=2e-6)
case("cross_entropy_ignored", "cross_entropy", f"x.cross_entropy(y, ignore_index = 4, {NONE})", ["rows", "ignored"],
     lambda x, y: F.cross_entropy(x, y, ignore_index=4, reduction="none"), near=1e-6)
case("cross_entropy_all_ignored", "cross_entropy", "x.cross_entropy(y, ignore_index = 2)", ["rows", "all_ignored"], lambda x, y: F.cross_entropy(x, y, ignore_index=2))
case("cross_entropy_probable", "cross_entropy", f"x.cross_entropy(y, {NONE})", ["calm", "-parts"], lambda x, y: F.cross_entropy(x, y, reduction="none"), near=2e-6)
INPUTS["parts"] = torch.tensor([0.1, 0.2, 0.0, 0.7, 0.0]).repeat(len(CALM), 1)
case("nll_loss", "nll_loss", f"x.nll_loss(y, {NONE})", ["rows", "classes"], lambda x, y: F.nll_loss(x, y, reduction="none"))
case("nll_loss_ignored", "nll_loss", f"x.nll_loss(y, ignore_index = 4, {NONE})", ["rows", "ignored"], lambda x, y: F.nll_loss(x, y, ignore_index=4, reduction="none"))

# Norms.
for eps, suffix in ((1e-5, ""), (0.0, "_eps0")):
    case(f"layer_norm{suffix}", "layer_norm", f"x.layer_norm(eps = {eps!r})", ["calm" if eps == 0 else "rows"], lambda x, e=eps: F.layer_norm(x, (5,), eps=e), near=2e-6)
    case(f"rms_norm{suffix}", "rms_norm", f"x.rms_norm(eps = {eps!r})", ["rows"], lambda x, e=eps: F.rms_norm(x, (5,), eps=e), near=2e-6)
case("layer_norm_affine", "layer_norm", "x.layer_norm([5], y, z)", ["calm", "-scale", "-shift"], lambda x, y, z: F.layer_norm(x, (5,), y, z), near=4e-6)
case("layer_norm_one", "layer_norm", "x.layer_norm()", ["one"], lambda x: F.layer_norm(x, (1,)), near=2e-6)
case("group_norm", "group_norm", "x.group_norm(1)", ["images"], lambda x: F.group_norm(x, 1), near=2e-6)
case("batch_norm_training", "batch_norm", "x.batch_norm(training = true)", ["channels"], lambda x: F.batch_norm(x, None, None, training=True), near=2e-6)
case("batch_norm", "batch_norm", "x.batch_norm(y, z)", ["ten", "-means", "-variances"], lambda x, y, z: F.batch_norm(x, y, z), near=2e-6)

# Products pass on what is not a number.
case("matmul", "matmul", "x.matmul(y)", ["calm", "calm_columns"], torch.matmul, near=1e-6)
case("matmul_scale", "matmul", "x.matmul(y)", ["calm", "scale5"], torch.matmul, near=1e-6)
case("linear", "linear", "x.linear(y)", ["calm", "scale_row"], F.linear, near=1e-6)
INPUTS["scale5"] = INPUTS["scale"].reshape(5, 1)
INPUTS["scale_row"] = INPUTS["scale"].reshape(1, 5)

case("mm", "mm", "x.mm(y)", ["calm", "scale5"], torch.mm, near=1e-6)
case("bmm", "bmm", "x.bmm(y)", ["stack", "stack_right"], torch.bmm, near=1e-6)
INPUTS["stack"] = INPUTS["calm"].reshape(-1, 1, 5)
INPUTS["stack_right"] = INPUTS["scale"].reshape(1, 5, 1).repeat(len(CALM), 1, 1)
case("conv1d", "conv1d", "x.conv1d(y, padding = 1)", ["lines", "taps1"], lambda x, y: F.conv1d(x, y, padding=1), near=1e-6)
case("conv2d", "conv2d", "x.conv2d(y)", ["images", "taps2"], F.conv2d, near=1e-6)
case("conv_transpose1d", "conv_transpose1d", "x.conv_transpose1d(y)", ["lines", "taps1"], F.conv_transpose1d, near=1e-6)
case("conv_transpose2d", "conv_transpose2d", "x.conv_transpose2d(y)", ["images", "taps2"], F.conv_transpose2d, near=1e-6)
INPUTS["taps1"] = torch.tensor([[[1.0, -0.5, 2.0]]])
INPUTS["taps2"] = torch.tensor([[[[1.0, -0.5, 2.0]]]])
case("interpolate", "interpolate", 'x.interpolate([1, 10])', ["images"], lambda x: F.interpolate(x, (1, 10)), near=1e-6)
# Between two elements, and of no other; a weight of 0 counts.
for width, corners in itertools.product((2, 3, 8, 10, 15, 40), (False, True)):
    more = ", align_corners = true" if corners else ""
    case(f"interpolate_bilinear_{width}{'_corners' if corners else ''}", "interpolate", f'x.interpolate([1, {width}], mode = "bilinear"{more})', ["calm_images"],
         lambda x, w=width, c=corners: F.interpolate(x, (1, w), mode="bilinear", align_corners=c), near=1e-6)
    if width <= 10:
        case(f"interpolate_both_{width}{'_corners' if corners else ''}", "interpolate", f'x.interpolate([{width - 1}, {width}], mode = "bilinear"{more})', ["sheet"],
             lambda x, w=width, c=corners: F.interpolate(x, (w - 1, w), mode="bilinear", align_corners=c), near=1e-6)

# Pooling: ties go to the first, NaN wins; padding is -∞.
case("max_pool1d", "max_pool1d", "x.max_pool1d(2, 1)", ["lines"], lambda x: F.max_pool1d(x, 2, 1))
case("max_pool2d", "max_pool2d", "x.max_pool2d([1, 3], 1, [0, 1])", ["images"], lambda x: F.max_pool2d(x, (1, 3), 1, (0, 1)))
# Windows that begin in the padding, of which the first element wins where all is -∞; long ones are windows of windows.
case("max_pool1d_dilated", "max_pool1d", "x.max_pool1d(3, 1, 1, 2)", ["lines"], lambda x: F.max_pool1d(x, 3, 1, 1, 2))
case("max_pool1d_padded", "max_pool1d", "x.max_pool1d(4, 3, 2)", ["lines"], lambda x: F.max_pool1d(x, 4, 3, 2))
case("max_pool2d_padded", "max_pool2d", "x.max_pool2d(3, 2, 1)", ["sheet"], lambda x: F.max_pool2d(x, 3, 2, 1))
case("max_pool2d_wide", "max_pool2d", "x.max_pool2d(5, 2, 2)", ["sheet"], lambda x: F.max_pool2d(x, 5, 2, 2))
for kernel, stride, padding in ((18, 4, 9), (20, 3, 10), (34, 2, 17), (51, 1, 25)):
    case(f"max_pool1d_{kernel}", "max_pool1d", f"x.max_pool1d({kernel}, {stride}, {padding})", ["long_lines"],
         lambda x, k=kernel, s=stride, p=padding: F.max_pool1d(x, k, s, p))
case("avg_pool1d", "avg_pool1d", "x.avg_pool1d(2, 1)", ["lines"], lambda x: F.avg_pool1d(x, 2, 1))
case("avg_pool2d", "avg_pool2d", "x.avg_pool2d([1, 3], 1, [0, 1], count_include_pad = false)", ["images"], lambda x: F.avg_pool2d(x, (1, 3), 1, (0, 1), count_include_pad=False))
case("adaptive_avg_pool2d", "adaptive_avg_pool2d", "x.adaptive_avg_pool2d(1)", ["images"], lambda x: F.adaptive_avg_pool2d(x, 1))
for count in (2, 3, 4, 7, 13):
    case(f"adaptive_avg_pool1d_{count}", "adaptive_avg_pool1d", f"x.adaptive_avg_pool1d({count})", ["calm_lines"], lambda x, n=count: F.adaptive_avg_pool1d(x, n), near=1e-6)
    case(f"adaptive_avg_pool2d_{count}", "adaptive_avg_pool2d", f"x.adaptive_avg_pool2d([{count}, 4])", ["sheet"], lambda x, n=count: F.adaptive_avg_pool2d(x, (n, 4)), near=1e-6)
case("adaptive_max_pool2d", "adaptive_max_pool2d", "x.adaptive_max_pool2d(1)", ["images"], lambda x: F.adaptive_max_pool2d(x, 1))
INPUTS["lines"] = INPUTS["rows"].reshape(-1, 1, 5)
INPUTS["calm_images"] = INPUTS["calm"].reshape(-1, 1, 1, 5)
INPUTS["calm_lines"] = INPUTS["calm"].reshape(-1, 1, 5)
INPUTS["sheet"] = INPUTS["calm"][:25].reshape(5, 1, 5, 5)
# Runs of equal numbers.
INPUTS["long_lines"] = INPUTS["rows"].repeat_interleave(15, 1).reshape(-1, 1, 75)


# Attention: a query that may look at nothing gives 0, with whatever kind of mask.
def attend(q, k, v, **named):
    return F.scaled_dot_product_attention(q, k, v, **named)


QKV = ["query", "key", "value"]
ATTEND = "scaled_dot_product_attention"
for mask in ("full_mask", "row_mask", "key_mask", "batch_mask", "no_key", "bool_mask"):
    case(f"attention_{mask}", ATTEND, f"{ATTEND}(x, y, z, u)", QKV + [f"-{mask}"], lambda q, k, v, m: attend(q, k, v, attn_mask=m), near=1e-6)
case("attention_mask_gradient", ATTEND, f"{ATTEND}(x, y, z, u)", QKV + ["full_mask"], lambda q, k, v, m: attend(q, k, v, attn_mask=m), near=1e-6)
case("attention_filled", ATTEND, f"{ATTEND}(x, y, z, u.masked_fill(v, -inf))", QKV + ["-zeros_mask", "to_fill"],
     lambda q, k, v, m, f: attend(q, k, v, attn_mask=m.masked_fill(f, -INF)), near=1e-6)
# Scores of what is no parameter are made again for the backward pass.
for mask in ("full_mask", "row_mask", "bool_mask"):
    case(f"attention_again_{mask}", ATTEND, f"{ATTEND}(x.tanh(), y.tanh(), z.tanh(), u)", QKV + [f"-{mask}"],
         lambda q, k, v, m: attend(q.tanh(), k.tanh(), v.tanh(), attn_mask=m), near=1e-6)
case("attention_causal", ATTEND, f"{ATTEND}(x, y, z, is_causal = true)", QKV, lambda q, k, v: attend(q, k, v, is_causal=True), near=1e-6)
INPUTS["zeros_mask"] = torch.zeros(3, 4)

TYPES = {torch.int64: "i64", torch.bool: "bool", torch.float32: "f32"}
# The operators that only move elements: nothing happens to a number, so operators.py is all there is to check.
MOVES = """reshape flatten permute transpose t unsqueeze squeeze select narrow gather index_select embedding one_hot cat stack split chunk unbind
flip roll pad arange zeros ones full zeros_like ones_like full_like tril triu expand repeat tile repeat_interleave view eye pixel_shuffle pixel_unshuffle"""


def evaluate(case, dtype, compute=None):
    inputs = []
    for name in case.inputs:
        x = INPUTS[name.lstrip("-")]
        floats = x.dtype == torch.float32
        inputs.append(x.to(dtype).requires_grad_(name[0] != "-") if floats else x)
    out = (compute or case.compute)(*inputs)
    found = {"out": out.detach()}
    if any(x.requires_grad for x in inputs):
        weights = torch.tensor([1.0, -0.5, 2.0, 0.25, -1.0])
        w = weights.repeat(out.numel() // 5 + 1)[: out.numel()].reshape(out.shape)
        found["w"] = w
        gradients = torch.autograd.grad(out, [x for x in inputs if x.requires_grad], w.to(dtype), allow_unused=True)
        names = [i for i, x in enumerate(inputs) if x.requires_grad]
        for i, x, g in zip(names, [inputs[i] for i in names], gradients):
            found[f"grad{i}"] = torch.zeros_like(x) if g is None else g
    return {key: x.float() if x.is_floating_point() else x for key, x in found.items()}


def main():
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "(var|std)\\(\\): degrees of freedom")
    tensors = {f"in.{name}": x.clone() for name, x in INPUTS.items()}
    listed = []
    for case in CASES:
        found, exact = evaluate(case, torch.float32), evaluate(case, torch.float64, case.exact)
        for key, x in found.items():
            tensors[f"{case.name}.{key}"] = x.contiguous().clone()
            if x.is_floating_point() and key != "w" and not torch.equal(x.view(torch.int32), exact[key].view(torch.int32)):
                tensors[f"{case.name}.{key}.exact"] = exact[key].contiguous().clone()
        inputs = []
        for i, name in enumerate(case.inputs):
            x = INPUTS[name.lstrip("-")]
            inputs.append({"name": "xyzuv"[i], "from": name.lstrip("-"), "type": TYPES[x.dtype], "shape": list(x.shape), "grad": f"grad{i}" in found})
        out = found["out"]
        listed.append({"name": case.name, "operator": case.operator, "text": case.text, "near": case.near, "signed": case.signed, "inputs": inputs,
                       "output": {"type": TYPES[out.dtype], "shape": list(out.shape)}})
    assert len({case.name for case in CASES}) == len(CASES)
    about = {"made by": "tests/golden/edges.py", "torch": torch.__version__}
    save_file(tensors, HERE / "edges.safetensors", metadata={"about": json.dumps(about)})
    (HERE / "edges.safetensors").chmod(0o644)
    text = {"torch": torch.__version__, "tolerance": 1e-5, "moves": MOVES.split()}
    lines = ",\n".join(json.dumps(case) for case in listed)
    (HERE / "edges.json").write_text(f'{json.dumps(text)[:-1]}, "cases": [\n{lines}\n]}}\n')
    print(f"{len(listed)} cases, {(HERE / 'edges.safetensors').stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
