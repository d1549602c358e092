"""Goldens of integers of every width, exact: what PyTorch gives for operators at the ends of each type, and for casts.

    python tests/golden/integers.py     # writes integers.json and integers.safetensors beside this script; torch 2.15.0 for CPU

PyTorch's uint32 knows few operators: what it would give is computed in int64, and wrapped to 32 bits. Every tensor of the file has the type
that the list says; a tensor that several cases share stands there once.
"""
import functools
import json
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
TYPES = {
    "i8": (torch.int8, -2**7, 2**7 - 1),
    "u8": (torch.uint8, 0, 2**8 - 1),
    "i16": (torch.int16, -2**15, 2**15 - 1),
    "i32": (torch.int32, -2**31, 2**31 - 1),
    "u32": (torch.int64, 0, 2**32 - 1),
    "i64": (torch.int64, -2**63, 2**63 - 1),
}
FLOATS = {"f32": torch.float32, "f64": torch.float64, "bf16": torch.bfloat16, "f16": torch.float16}
tensors, cases = {}, []


def wrap(name, x):
    return x.to(torch.int64) & 0xFFFFFFFF if name == "u32" else x


def to(x, name):
    """`x.to(type)` of any type, u32 among them."""
    if name == "bool":
        return x != 0
    if name in FLOATS:
        return x.to(FLOATS[name])
    if x.is_floating_point():
        # By way of i64: truncated, and what is out of its range or no number is undefined in PyTorch and not asked for.
        x = x.to(torch.int64)
    return wrap(name, x.to(TYPES[name][0]))


known = {}


def kept(name, x):
    """The key of a tensor in the file."""
    x = (x.to(torch.uint32) if name == "u32" else x).contiguous()
    content = (name, tuple(x.shape), x.numpy().tobytes())
    key = known.setdefault(content, str(len(known)))
    tensors.setdefault(key, x.clone())
    return key


def case(name, text, inputs, out_type, out):
    """`inputs`: (type, tensor) by name."""
    listed = [{"name": key, "type": ty, "shape": list(x.shape), "data": kept(ty, x)} for key, (ty, x) in inputs.items()]
    output = {"type": out_type, "shape": list(out.shape), "data": kept(out_type, out)}
    cases.append({"name": name, "text": text, "inputs": listed, "output": output})


def values(name):
    """The ends of the type, what lies beside them and beside 0, and numbers between."""
    _, low, high = TYPES[name]
    odd = [low, low + 1, high, high - 1, 0, 1, 2, 3, 5, 7, 100, low // 2, high // 2, high // 3, high // 2 + 1]
    odd += [x for x in (-1, -2, -3, -7, -100) if x >= low]
    odd += [x for x in (2**24 + 1, -(2**24) - 1, 2**31, 2**31 - 1, 2**32 + 5, 2**53 + 1, -(2**53) - 1) if low <= x <= high]
    return odd


def table(name):
    """Every value beside every other."""
    all = torch.tensor(values(name), dtype=TYPES[name][0])
    x, y = torch.meshgrid(all, all, indexing="ij")
    return x.reshape(-1).contiguous(), y.reshape(-1).contiguous()


def reduce_xor(x, *dims):
    """What torch has of two at a time."""
    for dim in sorted(dims or range(x.dim()), reverse=True):
        x = functools.reduce(torch.bitwise_xor, x.unbind(dim))
    return x


def floor_divide(x, y):
    return torch.div(x, y, rounding_mode="floor")


for t in TYPES:
    _, low, high = TYPES[t]
    x, y = table(t)
    pair = {"x": (t, x), "y": (t, y)}
    for name, text, f in [
        ("add", "x + y", torch.add), ("sub", "x - y", torch.sub), ("mul", "x * y", torch.mul),
        ("maximum", "x.maximum(y)", torch.maximum), ("minimum", "x.minimum(y)", torch.minimum),
        ("bitwise_and", "x.bitwise_and(y)", torch.bitwise_and), ("bitwise_or", "x.bitwise_or(y)", torch.bitwise_or),
        ("bitwise_xor", "x.bitwise_xor(y)", torch.bitwise_xor),
    ]:
        case(f"{t}_{name}", text, pair, t, wrap(t, f(x, y)))
    for name, text, f in [("lt", "x < y", torch.lt), ("le", "x <= y", torch.le), ("gt", "x > y", torch.gt),
                          ("ge", "x >= y", torch.ge), ("eq", "x == y", torch.eq), ("ne", "x != y", torch.ne)]:
        case(f"{t}_{name}", text, pair, "bool", f(x, y))
    # The smallest number by -1 does not fit: a trap of the machine, undefined in PyTorch.
    right = (y != 0) & ~((x == low) & (y == -1))
    a, b = x[right], y[right]
    divided = {"x": (t, a), "y": (t, b)}
    case(f"{t}_floor_divide", "x.floor_divide(y)", divided, t, floor_divide(a, b))
    case(f"{t}_remainder", "x % y", divided, t, torch.remainder(a, b))
    case(f"{t}_remainder_5", "x % 5", {"x": (t, x)}, t, torch.remainder(x, 5))
    case(f"{t}_floor_divide_7", "x.floor_divide(7)", {"x": (t, x)}, t, floor_divide(x, torch.tensor(7, dtype=x.dtype)))
    bits = {"i8": 8, "u8": 8, "i16": 16, "i32": 32, "u32": 32, "i64": 64}[t]
    counts = torch.arange(bits, dtype=x.dtype).repeat(len(values(t)))
    shifted = torch.tensor(values(t), dtype=x.dtype).repeat_interleave(bits)
    moved = {"x": (t, shifted), "y": (t, counts)}
    case(f"{t}_left", "x.bitwise_left_shift(y)", moved, t, wrap(t, shifted << counts))
    case(f"{t}_right", "x.bitwise_right_shift(y)", moved, t, shifted >> counts)
    one = {"x": (t, x)}
    case(f"{t}_not", "x.bitwise_not()", one, t, wrap(t, ~x))
    case(f"{t}_neg", "-x", one, t, wrap(t, -x))
    case(f"{t}_abs", "x.abs()", one, t, x.abs())
    case(f"{t}_sign", "x.sign()", one, t, x.sign())
    case(f"{t}_square", "x.square()", one, t, wrap(t, x.square()))
    case(f"{t}_three", "x * x * x + y - 1", pair, t, wrap(t, x * x * x + y - 1))
    case(f"{t}_where", "where_(x > y, x - y, y + x)", pair, t, wrap(t, torch.where(x > y, x - y, y + x)))
    case(f"{t}_clamp", "x.clamp(2, 100)", one, t, x.clamp(2, 100))
    small = torch.tensor(values(t), dtype=x.dtype)
    for exponent in (0, 1, 2, 3, 7):
        case(f"{t}_pow_{exponent}", f"x.pow({exponent})", {"x": (t, small)}, t, wrap(t, small**exponent))
    for other in list(TYPES) + ["bool"] + list(FLOATS):
        if other in ("bf16", "f16"):
            case(f"{t}_to_{other}", f"x.cast({other}).cast(f32)", {"x": (t, small)}, "f32", to(small, other).to(torch.float32))
        else:
            case(f"{t}_to_{other}", f"x.cast({other})", {"x": (t, small)}, other, to(small, other))
        if other not in FLOATS:
            # What is cast is computed with at once: stored or not, it is the same.
            back = to(to(small + 1 if t != "u32" else wrap(t, small + 1), other), t)
            case(f"{t}_by_{other}", f"(x + 1).cast({other}).cast({t})", {"x": (t, small)}, t, back)
    rows = torch.stack([small, small.flip(0), small.roll(3)])
    case(f"{t}_sum", "x.sum(1)", {"x": (t, rows)}, "i64", rows.sum(1))
    case(f"{t}_sum_all", "x.sum()", {"x": (t, rows)}, "i64", rows.sum())
    case(f"{t}_sum_columns", "x.sum(0)", {"x": (t, rows)}, "i64", rows.sum(0))
    case(f"{t}_sum_own", f"x.sum(0, dtype = {t})", {"x": (t, rows)}, t, wrap(t, rows.sum(0, dtype=rows.dtype)))
    case(f"{t}_sum_truths", "(x > 2).sum([0, 1], dtype = f32)", {"x": (t, rows)}, "f32", (rows > 2).sum([0, 1], dtype=torch.float32))
    case(f"{t}_sum_as_truths", "x.sum(1, keepdim = true, dtype = bool)", {"x": (t, rows)}, "bool", rows.sum(1, keepdim=True, dtype=torch.bool))
    # Of eight, so that the mean is exact.
    case(f"{t}_mean", "(x > 2).mean(1, dtype = f64)", {"x": (t, rows[:, :8])}, "f64", (rows[:, :8] > 2).mean(1, dtype=torch.float64))
    case(f"{t}_amax", "x.amax(1)", {"x": (t, rows)}, t, rows.amax(1))
    case(f"{t}_amin", "x.amin(0)", {"x": (t, rows)}, t, rows.amin(0))
    case(f"{t}_argmax", "x.argmax(1)", {"x": (t, rows)}, "i64", rows.argmax(1))
    case(f"{t}_bool", "x.cast(bool).sum()", {"x": (t, rows)}, "i64", (rows != 0).sum())
    case(f"{t}_prod", "x.prod(1)", {"x": (t, rows)}, "i64", rows.prod(1))
    case(f"{t}_prod_own", f"x.prod(0, dtype = {t})", {"x": (t, rows)}, t, wrap(t, rows.prod(0, dtype=rows.dtype)))
    case(f"{t}_xor", "x.reduce_xor(1)", {"x": (t, rows)}, t, reduce_xor(rows, 1))
    case(f"{t}_xor_columns", "x.reduce_xor(0, keepdim = true)", {"x": (t, rows)}, t, reduce_xor(rows, 0)[None])
    case(f"{t}_xor_all", "x.reduce_xor()", {"x": (t, rows)}, t, reduce_xor(rows))
    product = wrap(t, rows * 3 + 1)
    case(f"{t}_xor_fused", "(x * 3 + 1).reduce_xor(1) - 1", {"x": (t, rows)}, t, wrap(t, reduce_xor(product, 1) - 1))
    case(f"{t}_xor_bool", "(x > 2).reduce_xor(1)", {"x": (t, rows)}, "bool", reduce_xor(rows > 2, 1))

# What is far above 2²⁴.
far = torch.arange(2**40 - 7, 2**40, dtype=torch.int64)
case("arange_far", "arange(1099511627769, 1099511627776)", {}, "i64", far)
case("arange_step", "arange(0, 9000000000, 1000000001)", {}, "i64", torch.arange(0, 9000000000, 1000000001))
many = torch.full((3, 1000), 2**31 - 1, dtype=torch.int32)
case("sum_far", "x.sum(1)", {"x": ("i32", many)}, "i64", many.sum(1))
long = torch.full((70000,), 2**31 - 3, dtype=torch.int32)
case("sum_long", "x.sum()", {"x": ("i32", long)}, "i64", long.sum())
cube = (torch.arange(3 * 5 * 17 * 20, dtype=torch.int32) * 1103515245 + 12345).reshape(3, 5, 17, 20)
for dims in ([0], [1], [2], [3], [0, 2], [1, 3], [0, 1, 2]):
    case("xor_" + "_".join(map(str, dims)), f"x.reduce_xor({dims})", {"x": ("i32", cube)}, "i32", reduce_xor(cube, *dims))
sums = long.to(torch.int64) + torch.arange(70000)
case("xor_long", "(x.cast(i64) + arange(70000)).reduce_xor()", {"x": ("i32", long)}, "i64", reduce_xor(sums))
ticks = (torch.arange(3000) * 16777259 % 2**31).to(torch.int64)
case("count_equal", "(x == y).sum()", {"x": ("i64", ticks + 2**24), "y": ("i64", ticks.roll(1) + 2**24)}, "i64", (ticks == ticks.roll(1)).sum())
case("constant", "full([2], 16777217, dtype = i64)", {}, "i64", torch.full((2,), 16777217))
case("constant_far", "full([2], 9007199254740993, dtype = i64)", {}, "i64", torch.full((2,), 9007199254740993))
case("large_times", "x * 3000000019 + 7", {"x": ("i64", torch.arange(20))}, "i64", torch.arange(20) * 3000000019 + 7)
# Floats to integers: truncated; of what fits.
floats = torch.tensor([0.0, -0.0, 0.5, -0.5, 0.999, -1.999, 100.7, -100.7, 255.9, 256.0, 300.2, -129.5, 65536.5, 2147483520.0, -2147483648.0,
                       4294967040.0, 1e15, -1e15, 16777216.0, 16777218.0], dtype=torch.float32)
for t in list(TYPES) + ["bool"]:
    case(f"f32_to_{t}", f"x.cast({t})", {"x": ("f32", floats)}, t, to(floats, t))
    doubles = torch.cat([floats.to(torch.float64), torch.tensor([2.0**53, -(2.0**62), 123456789012.75], dtype=torch.float64)])
    case(f"f64_to_{t}", f"x.cast({t})", {"x": ("f64", doubles)}, t, to(doubles, t))

save_file(tensors, HERE / "integers.safetensors", metadata={"made by": "tests/golden/integers.py"})
(HERE / "integers.safetensors").chmod(0o644)
(HERE / "integers.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(f"{len(cases)} cases, {(HERE / 'integers.safetensors').stat().st_size:,} bytes")
