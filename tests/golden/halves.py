"""What PyTorch makes of element-wise operators in bf16 and f16: halves.safetensors.

    python tests/golden/halves.py     # torch 2.15.0 for CPU, safetensors 0.8, Python 3.11

`<case>.bf16` and `<case>.f16` are the results of a case of operators.py or elements.py, of its inputs rounded to that type, in that type.
"""
import json
import pathlib

import torch
from safetensors.torch import save_file

import elements
import operators

ELEMENT_WISE = """abs add atan ceil clamp cos div elu erf exp expm1 floor gelu hardswish leaky_relu log log1p maximum minimum mish mul neg pow
reciprocal relu relu6 remainder round rsqrt sigmoid sign silu sin softplus sqrt square sub tanh trunc where_""".split()
TYPES = {"bf16": torch.bfloat16, "f16": torch.float16}


def main():
    tensors = {}
    for case in operators.CASES + elements.CASES:
        if case.operator in ELEMENT_WISE:
            for name, dtype in TYPES.items():
                out = operators.evaluate(case, dtype)["out"]
                if out.is_floating_point():
                    tensors[f"{case.name}.{name}"] = out.contiguous()
    file = pathlib.Path(__file__).resolve().parent / "halves.safetensors"
    save_file(tensors, file, metadata={"about": json.dumps({"made by": "tests/golden/halves.py", "torch": torch.__version__})})
    file.chmod(0o644)
    print(f"{len(tensors)} results, {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
