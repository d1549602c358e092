"""Writes routines.json and routines.safetensors: routines in every element type at their edges, for `runtime/tests/routines.rs`.

    python tests/golden/routines.py      # made with torch 2.15.0

NaN, ±0, ±∞, ties, rows of one element, each axis. A case is an expression of `x`, `y` and what PyTorch makes of them; f16 and bf16 are stored as
f32, which holds them. Forward and backward in f64 are rows.py's.
"""
import json
import pathlib

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
    x = x.contiguous()
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
            whole = whole.replace(name + ".", f"{name}.cast({name_of(x.dtype)}).").replace(f"({name})", f"({name}.cast({name_of(x.dtype)}))")
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

if __name__ == "__main__":
    save_file(tensors, HERE / "routines.safetensors", metadata={"made by": "tests/golden/routines.py"})
    (HERE / "routines.safetensors").chmod(0o644)
    (HERE / "routines.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print(f"{len(cases)} cases, {(HERE / 'routines.safetensors').stat().st_size:,} bytes")
