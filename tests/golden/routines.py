"""Writes routines.json and routines.safetensors: routines in every element type at their edges, for `runtime/tests/routines.rs`.

    python tests/golden/routines.py      # made with torch 2.15.0

NaN, ±0, ±∞, ties, rows of one element, each axis. A case is an expression of `x`, `y` and what PyTorch makes of them; f16 and bf16 are stored as
f32, which holds them. Forward and backward in f64 are rows.py's.
"""
import json
import pathlib
import re

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
TYPES = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16, "i8": torch.int8, "u8": torch.uint8,
         "i16": torch.int16, "i32": torch.int32, "i64": torch.int64, "bool": torch.bool}
FLOATS = ("f32", "f64", "f16", "bf16")
tensors, cases, known = {}, [], {}


def name_of(dtype):
    return next(name for name, t in TYPES.items() if t == dtype)


def stored(x):
    """The key of a tensor in the file."""
    x = x.to(torch.float32) if x.dtype in (torch.float16, torch.bfloat16) else x
    x = x.contiguous().clone()
    key = (x.dtype, tuple(x.shape), x.reshape(-1).view(torch.uint8).numpy().tobytes() if x.numel() else b"")
    if key not in known:
        known[key] = f"t{len(known)}"
        tensors[known[key]] = x
    return known[key]


def case(text, output, **inputs):
    """`text`: castnet's; halves of inputs and results are cast from and to f32."""
    listed, whole = [], text
    for name, x in inputs.items():
        half = name_of(x.dtype) in ("f16", "bf16")
        listed.append({"name": name, "type": "f32" if half else name_of(x.dtype), "shape": list(x.shape), "data": stored(x)})
        if half:
            whole = re.sub(rf"\b{name}\b(?!\.cast)", f"{name}.cast({name_of(x.dtype)})", whole)
    if name_of(output.dtype) in ("f16", "bf16"):
        whole += ".cast(f32)"
    half = name_of(output.dtype) in ("f16", "bf16")
    out = {"type": "f32" if half else name_of(output.dtype), "shape": list(output.shape), "data": stored(output)}
    cases.append({"text": whole, "inputs": listed, "output": out})


def table(t, shape=(3, 4, 6)):
    """Elements with ties; floats with NaN, zeros of both signs and infinities among them."""
    n = torch.Size(shape).numel()
    x = (torch.arange(n) * 37 % 23 - 11).reshape(shape)
    if t == "bool":
        return x % 3 == 0
    if t in FLOATS:
        x = x.to(TYPES[t]) / 4
        flat = x.reshape(-1)
        special = [float("nan"), 0.0, -0.0, float("inf"), float("-inf"), float("nan"), -0.0, 0.0]
        for i, value in enumerate(special):
            if 5 * i + 1 < n:
                flat[5 * i + 1] = value
        return x
    return (x + 11 if t == "u8" else x * 5).to(TYPES[t])


def calm(t, shape=(3, 4, 6)):
    """Without what is no number."""
    x = table(t, shape)
    return torch.nan_to_num(x, nan=0.75, posinf=1.5, neginf=-1.5) if t in FLOATS else x


# sort, argsort.
for t in TYPES:
    x = table(t)
    for dim in (0, 1, 2):
        for descending in (False, True):
            values, indices = x.sort(dim=dim, descending=descending, stable=True)
            way = f"{dim}, descending = {str(descending).lower()}"
            case(f"x.sort({way})[0]", values, x=x)
            case(f"x.sort({way})[1]", indices, x=x)
    case("x.argsort(descending = true)", x.argsort(descending=True, stable=True), x=x)
one = table("f32", (5, 1))
case("x.sort()[1]", one.sort()[1], x=one)
long = table("f32", (2, 3000))
case("x.sort()[0]", long.sort(stable=True)[0], x=long)
case("x.sort()[1]", long.sort(stable=True)[1], x=long)

# cumsum.
for t in TYPES:
    for dim in (0, 1, 2):
        case(f"x.cumsum({dim})", table(t).cumsum(dim), x=table(t))
        case(f"x.cumsum({dim})", calm(t).cumsum(dim), x=calm(t))
case("x.cumsum(0, dtype = f32)", table("i32").cumsum(0, dtype=torch.float32), x=table("i32"))
far = torch.full((2, 5000), 2**31 - 1, dtype=torch.int32)
case("x.cumsum(1)", far.cumsum(1), x=far)

# cumprod, logcumsumexp.
for t in TYPES:
    small = (calm(t, (3, 5)) if t in FLOATS else calm(t, (3, 5)) % 5 if t != "bool" else calm(t, (3, 5)))
    for dim in (0, 1):
        case(f"x.cumprod({dim})", small.cumprod(dim), x=small)
    if t in ("f32", "f64"):
        for dim in (0, 1, 2):
            case(f"x.cumprod({dim})", table(t).cumprod(dim), x=table(t))
            case(f"x.logcumsumexp({dim})", table(t).logcumsumexp(dim), x=table(t))
            case(f"x.logcumsumexp({dim})", (calm(t) * 400).logcumsumexp(dim), x=calm(t) * 400)
    case("x.prod(1)", small.prod(1), x=small)

# max, min along an axis: of ties PyTorch may name any, so values alone, and places where there are none.
for t in TYPES:
    if t == "bool":
        continue
    for dim in (0, 1, 2):
        case(f"x.max({dim})[0]", table(t).max(dim)[0], x=table(t))
        case(f"x.min({dim})[0]", table(t).min(dim)[0], x=table(t))
        if dim == 2:
            case(f"x.max({dim})[1]", calm(t).argmax(dim), x=calm(t))

# topk: the places of ties are PyTorch's own affair; these have none.
for t in TYPES:
    for largest in (True, False) if t != "bool" else ():
        way = f"4, 2, {str(largest).lower()}"
        case(f"x.topk({way})[0]", table(t).topk(4, 2, largest)[0], x=table(t))
    if t != "bool":
        distinct = (torch.arange(24) * 7 % 24).reshape(4, 6).to(TYPES[t])
        for k in (1, 3, 6):
            for largest in (True, False):
                way = f"{k}, -1, {str(largest).lower()}"
                case(f"x.topk({way})[1]", distinct.topk(k, -1, largest)[1], x=distinct)
        case("x.topk(2, 0)[1]", distinct.topk(2, 0)[1], x=distinct)

# searchsorted.
for t in TYPES:
    if t == "bool":
        continue
    rows, sought = calm(t).sort(-1)[0], calm(t).flip(1)[..., :4].contiguous()
    for right in (False, True):
        way = f"right = {str(right).lower()}"
        case(f"x.searchsorted(y, {way})", torch.searchsorted(rows, sought, right=right), x=rows, y=sought)
        one = rows[0, 0].contiguous()
        case(f"x.searchsorted(y, {way})", torch.searchsorted(one, sought, right=right), x=one, y=sought)
    if t in ("f32", "f64"):
        with_nan = table(t).sort(-1)[0]
        case("x.searchsorted(y)", torch.searchsorted(with_nan, table(t)), x=with_nan, y=table(t))

# scatter_add.
for t in TYPES:
    if t == "bool" or t in ("f16", "bf16"):
        continue
    at = (torch.arange(18) * 5 % 4).reshape(3, 6)
    x, src = calm(t, (3, 4)), calm(t, (3, 6))
    case("x.scatter_add(1, y, z)", x.scatter_add(1, at, src), x=x, y=at, z=src)

# median: the place of NaN, and where there are no ties.
for t in TYPES:
    if t == "bool":
        continue
    for dim in (0, 1, 2):
        case(f"x.median({dim})[0]", table(t).median(dim)[0], x=table(t))
        case(f"x.median({dim}, keepdim = true)[0]", calm(t).median(dim, True)[0], x=calm(t))
    case("x.median(1)[1]", distinct.to(TYPES[t]).median(1)[1], x=distinct.to(TYPES[t]))
with_nan = torch.tensor([[1.0, float("nan"), 3.0, float("nan")], [4.0, 2.0, 1.0, 3.0]])
case("x.median(1)[1]", with_nan.median(1)[1], x=with_nan)

# nonzero: what there is no room for is left out, what is left is 0.
for t in TYPES:
    for x in (table(t), table(t, (13,)), torch.zeros(3, 4, dtype=TYPES[t])):
        found = x.nonzero()
        for size in (5, x.numel()):
            room = torch.zeros(size, x.dim(), dtype=torch.int64)
            room[: min(size, len(found))] = found[:size]
            case(f"x.nonzero(size = {size})[0]", room, x=x)
        case("x.nonzero()[1]", torch.tensor(len(found)), x=x)

if __name__ == "__main__":
    save_file(tensors, HERE / "routines.safetensors", metadata={"made by": "tests/golden/routines.py"})
    (HERE / "routines.safetensors").chmod(0o644)
    (HERE / "routines.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print(f"{len(cases)} cases, {(HERE / 'routines.safetensors').stat().st_size:,} bytes")
