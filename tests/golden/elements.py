"""More cases of operators: element by element, comparisons and logic, places of extremes, norms, new tensors. As operators.py."""
import torch
from torch.nn import functional as F

import operators
from operators import Input

CASES = []


def case(*args, **named):
    operators.case(*args, **named, to=CASES)


TABLE, ROW, COLUMN = (3, 7), (7,), (3, 1)
TRUTHS = Input(TABLE, truths=[1, 0, 0, 1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 1, 1])
MORE = Input(ROW, truths=[0, 0, 1, 1, 0, 1, 0])
COUNTS = Input(TABLE, classes=5)
ENDS = [-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 2.75]


def fixed(shape, *args, **named):
    """An argument without a gradient."""
    return Input(shape, *args, grad=False, **named)


# One tensor.
for name in ("neg", "sign", "erf", "sin", "cos", "square"):
    case(name, name, f"x.{name}()", [TABLE], getattr(torch, name))
case("erf_far", "erf", "x.erf()", [Input(TABLE, -5.0, 5.0)], torch.erf)
case("sin_far", "sin", "x.sin()", [Input(TABLE, -200.0, 200.0)], torch.sin)
case("cos_far", "cos", "x.cos()", [Input(TABLE, -200.0, 200.0)], torch.cos)
case("reciprocal", "reciprocal", "x.reciprocal()", [Input(TABLE, 0.2, 3.0)], torch.reciprocal)
case("neg_sign", "neg", "-x", [TABLE], torch.neg)
case("leaky_relu", "leaky_relu", "x.leaky_relu()", [TABLE], F.leaky_relu)
case("leaky_relu_slope", "leaky_relu", "x.leaky_relu(0.2)", [TABLE], lambda x: F.leaky_relu(x, 0.2))
for name in ("floor", "trunc", "round", "ceil"):
    # As a factor, for no gradient flows through it.
    case(name, name, f"x.{name}() * x", [Input(TABLE, -4.0, 4.0)], lambda x, f=getattr(torch, name): f(x) * x)
    case(f"{name}_ends", name, f"x.{name}()", [fixed(ROW, values=ENDS)], getattr(torch, name), tie=True)
case("sign_ends", "sign", "x.sign()", [fixed(ROW, values=ENDS)], torch.sign, tie=True)

NEAR, WIDE, AT_BENDS = Input(TABLE, -1e-3, 1e-3), Input(TABLE, -7.0, 9.0), [-3.0, 0.0, 3.0, 6.0, -7.0, 1.0, 8.0]
case("log1p", "log1p", "x.log1p()", [Input(TABLE, -0.9, 6.0)], torch.log1p)
case("log1p_near", "log1p", "x.log1p()", [NEAR], torch.log1p)
case("expm1", "expm1", "x.expm1()", [Input(TABLE, -6.0, 6.0)], torch.expm1)
case("expm1_near", "expm1", "x.expm1()", [NEAR], torch.expm1)
case("atan", "atan", "x.atan()", [Input(TABLE, -6.0, 6.0)], torch.atan)
case("atan_near", "atan", "x.atan()", [NEAR], torch.atan)
case("isnan", "isnan", "(x / y).isnan()", [fixed(ROW, values=AT_BENDS), fixed(ROW, values=[1.0, 0.0, 2.0, 0.0, 1.0, 1.0, 1.0])],
     lambda x, y: torch.isnan(x / y))
for name in ("softplus", "elu", "relu6", "mish", "hardswish"):
    f = getattr(F, name)
    case(name, name, f"x.{name}()", [WIDE], f)
    case(f"{name}_far", name, f"x.{name}()", [Input(TABLE, -95.0, 6.0 if name == "mish" else 95.0)], f)
    case(f"{name}_bends", name, f"x.{name}()", [Input(ROW, values=AT_BENDS)], f, tie=True)
case("softplus_beta", "softplus", "x.softplus(2.5, threshold = 8)", [WIDE], lambda x: F.softplus(x, 2.5, 8))
case("elu_alpha", "elu", "x.elu(1.5)", [WIDE], lambda x: F.elu(x, 1.5))
case("detach", "detach", "x.sin().detach() * x", [TABLE], lambda x: x.sin().detach() * x)
case("detach_twice", "detach", "grad((x.sin().detach() * x.square() * y).sum(), [x])[0] * x", [TABLE, TABLE],
     lambda x, y: torch.autograd.grad((x.sin().detach() * x.square() * y).sum(), [x], create_graph=True)[0] * x)

# Two tensors.
for name, sign in {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}.items():
    f = getattr(torch, name)
    case(name, name, f"x {sign} y", [fixed(TABLE, values=3 * ENDS), fixed(ROW, values=ENDS[::-1])], f)
    case(f"{name}_integers", name, f"x.{name}(y)", [COUNTS, Input(COLUMN, classes=5)], f)
    case(f"{name}_number", name, f"x {sign} 0.5", [fixed(ROW, values=ENDS)], lambda x, f=f: f(x, 0.5))
case("logical_and", "logical_and", "x & y", [TRUTHS, MORE], torch.logical_and)
case("logical_or", "logical_or", "x | y", [TRUTHS, MORE], torch.logical_or)
case("logical_not", "logical_not", "!x", [TRUTHS], torch.logical_not)
for name in ("maximum", "minimum"):
    f = getattr(torch, name)
    case(name, name, f"x.{name}(y)", [TABLE, ROW], f)
    case(f"{name}_tie", name, f"x.{name}(y)", [Input((3,), values=[1.0, 2.0, 2.0]), Input((3,), values=[2.0, 1.0, 2.0])], f, tie=True)
for suffix, low, high in (("", 0.5, 2.0), ("_negative", -2.0, -0.5)):
    case(f"remainder{suffix}", "remainder", "x % y", [Input(TABLE, -4.0, 4.0), Input(ROW, low, high)], torch.remainder)
case("remainder_number", "remainder", "x.remainder(0.75)", [Input(TABLE, -4.0, 4.0)], lambda x: torch.remainder(x, 0.75))
case("remainder_integers", "remainder", "x.cast(i64) % -3", [COUNTS], lambda x: torch.remainder(x, -3))
case("where", "where_", "x.where_(y, z)", [TRUTHS, TABLE, ROW], torch.where)
case("where_number", "where_", "where_(x, y, -1.5)", [TRUTHS, TABLE], lambda x, y: torch.where(x, y, torch.tensor(-1.5, dtype=y.dtype)))
case("where_compared", "where_", "where_(x > y, x * y, x)", [TABLE, TABLE], lambda x, y: torch.where(x > y, x * y, x))

# Element types.
case("cast_integer", "cast", "x.cast(i64)", [fixed(ROW, values=ENDS)], lambda x: x.to(torch.int64))
case("cast_float", "cast", "x.cast(f32) * y", [COUNTS, TABLE], lambda x, y: x.to(y.dtype) * y)
case("cast_bool", "cast", "x.cast(bool)", [fixed(ROW, values=ENDS)], lambda x: x.to(torch.bool))
case("cast_truths", "cast", "x.cast(f32) * y", [TRUTHS, TABLE], lambda x, y: x.to(y.dtype) * y)

# Places of extremes.
CUBE = fixed((3, 5, 7))
EQUAL = fixed((2, 4), values=[1.0, 3.0, 3.0, 2.0, 5.0, 5.0, 5.0, 5.0])
for name in ("argmax", "argmin"):
    f = getattr(torch, name)
    case(name, name, f"x.{name}()", [CUBE], f)
    for dim in (0, 1, -1):
        case(f"{name}_{dim}", name, f"x.{name}({dim})", [CUBE], lambda x, f=f, d=dim: f(x, d))
    case(f"{name}_keepdim", name, f"x.{name}(1, keepdim = true)", [CUBE], lambda x, f=f: f(x, 1, keepdim=True))
    case(f"{name}_tie", name, f"x.{name}(1)", [EQUAL], lambda x, f=f: f(x, 1), tie=True)

# Lengths.
BLOCK = (3, 4, 5)
for name, p in {"half": 0.5, "one": 1.0, "three_halves": 1.5, "two": 2.0, "three": 3.0, "most": float("inf"), "least": float("-inf")}.items():
    written = str(p)
    case(f"norm_{name}", "norm", f"x.norm({written})", [BLOCK], lambda x, p=p: torch.linalg.vector_norm(x, p))
    case(f"norm_{name}_axes", "norm", f"x.norm({written}, [0, 2], keepdim = true) * x", [BLOCK],
         lambda x, p=p: torch.linalg.vector_norm(x, p, (0, 2), keepdim=True) * x)
    case(f"norm_{name}_of_zeros", "norm", f"x.norm({written}, 1)", [Input((2, 3), values=[0.0, 0.0, 0.0, 0.0, 1.0, -2.0])],
         lambda x, p=p: torch.linalg.vector_norm(x, p, 1), tie=True)
case("norm_zero", "norm", "x.norm(0, 1)", [fixed((2, 3), values=[0.0, 0.0, 3.0, 0.0, 1.0, -2.0])], lambda x: torch.linalg.vector_norm(x, 0, 1))
case("norm_all", "norm", "x.norm()", [BLOCK], torch.linalg.vector_norm)
case("normalize", "normalize", "x.normalize()", [BLOCK], F.normalize)
case("normalize_one", "normalize", "x.normalize(p = 1, dim = -1)", [BLOCK], lambda x: F.normalize(x, 1.0, -1))
case("normalize_held", "normalize", "x.normalize(eps = 20)", [TABLE], lambda x: F.normalize(x, eps=20))
case("cosine_similarity", "cosine_similarity", "x.cosine_similarity(y)", [BLOCK, BLOCK], F.cosine_similarity)
case("cosine_similarity_last", "cosine_similarity", "x.cosine_similarity(y, dim = -1)", [(3, 1, 5), (4, 5)],
     lambda x, y: F.cosine_similarity(x, y, -1))
case("cosine_similarity_held", "cosine_similarity", "x.cosine_similarity(y, eps = 20)", [TABLE, TABLE],
     lambda x, y: F.cosine_similarity(x, y, eps=20))

# Norms.
IMAGES, CHANNELS = (2, 6, 4, 3), (6,)
SCALE = Input(CHANNELS, 0.5, 1.5)
case("layer_norm", "layer_norm", "x.layer_norm()", [TABLE], lambda x: F.layer_norm(x, x.shape[-1:]))
case("layer_norm_affine", "layer_norm", "x.layer_norm([7], y, z)", [TABLE, Input(ROW, 0.5, 1.5), ROW], lambda x, y, z: F.layer_norm(x, (7,), y, z))
case("layer_norm_axes", "layer_norm", "x.layer_norm([4, 3], weight = y, eps = 0.01)", [IMAGES, (4, 3)],
     lambda x, y: F.layer_norm(x, (4, 3), y, eps=0.01))
case("rms_norm", "rms_norm", "x.rms_norm(eps = 0.00001)", [TABLE], lambda x: F.rms_norm(x, x.shape[-1:], eps=1e-5))
case("rms_norm_weight", "rms_norm", "x.rms_norm([7], y, eps = 0.01)", [TABLE, Input(ROW, 0.5, 1.5)], lambda x, y: F.rms_norm(x, (7,), y, 0.01))
case("group_norm", "group_norm", "x.group_norm(3)", [IMAGES], lambda x: F.group_norm(x, 3))
case("group_norm_affine", "group_norm", "x.group_norm(2, y, z, eps = 0.01)", [IMAGES, SCALE, CHANNELS],
     lambda x, y, z: F.group_norm(x, 2, y, z, 0.01))
case("batch_norm", "batch_norm", "x.batch_norm(y, z, u, v)", [IMAGES, fixed(CHANNELS), fixed(CHANNELS, 0.5, 1.5), SCALE, CHANNELS], F.batch_norm)
case("batch_norm_plain", "batch_norm", "x.batch_norm(y, z, eps = 0.01)", [IMAGES, fixed(CHANNELS), fixed(CHANNELS, 0.5, 1.5)],
     lambda x, y, z: F.batch_norm(x, y, z, eps=0.01))
case("batch_norm_training", "batch_norm", "x.batch_norm(weight = y, bias = z, training = true)", [IMAGES, SCALE, CHANNELS],
     lambda x, y, z: F.batch_norm(x, None, None, y, z, training=True))

# New tensors.
case("arange", "arange", "arange(7)", [], lambda: torch.arange(7))
case("arange_step", "arange", "arange(3, 20, 4)", [], lambda: torch.arange(3, 20, 4))
case("arange_down", "arange", "arange(5, -3, -2)", [], lambda: torch.arange(5, -3, -2))
case("arange_used", "arange", "arange(1, 8).cast(f32) * x", [TABLE], lambda x: torch.arange(1, 8).to(x.dtype) * x)
case("eye", "eye", "eye(3)", [], lambda: torch.eye(3))
case("eye_wide", "eye", "eye(3, 7) * x", [TABLE], lambda x: torch.eye(3, 7).to(x.dtype) * x)
case("eye_integers", "eye", "eye(2, dtype = i64)", [], lambda: torch.eye(2, dtype=torch.int64))
case("zeros_one_by_one", "zeros", "zeros(2, 3, dtype = i64)", [], lambda: torch.zeros(2, 3, dtype=torch.int64))
case("zeros", "zeros", "zeros([2, 3])", [], lambda: torch.zeros(2, 3))
case("ones", "ones", "ones([2, 3], dtype = i64)", [], lambda: torch.ones(2, 3, dtype=torch.int64))
case("full", "full", "full([2, 3], -1.5)", [], lambda: torch.full((2, 3), -1.5))
case("full_integers", "full", "full([4], 7, dtype = i64)", [], lambda: torch.full((4,), 7, dtype=torch.int64))
case("zeros_like", "zeros_like", "x.zeros_like() + x", [TABLE], lambda x: torch.zeros_like(x) + x)
case("ones_like", "ones_like", "x.ones_like() + x", [TABLE], lambda x: torch.ones_like(x) + x)
case("full_like", "full_like", "x.full_like(2.5) * x", [TABLE], lambda x: torch.full_like(x, 2.5) * x)
case("ones_like_integers", "ones_like", "x.ones_like()", [Input(ROW, truths=[0] * 7)], torch.ones_like)

# Gradients as values.
case("grad", "grad", "grad((x.tanh() * y).sum(), [x, y])[0]", [TABLE, TABLE],
     lambda x, y: torch.autograd.grad((x.tanh() * y).sum(), [x, y], create_graph=True)[0])
case("grad_penalty", "grad", "grad(x.matmul(y).sin().sum(), [y])[0].square().sum()", [(3, 5), (5, 4)],
     lambda x, y: torch.autograd.grad(x.matmul(y).sin().sum(), [y], create_graph=True)[0].square().sum())
