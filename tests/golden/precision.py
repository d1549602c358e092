"""What PyTorch makes of networks in mixed precision, bf16 by the table of its autocast for CUDA, on a CPU: precision.safetensors.

    python tests/golden/precision.py     # torch 2.15.0 for CPU, safetensors 0.8, Python 3.11

A mode of `torch.overrides` converts the operands of each function as autocast does on CUDA, whose lists are those of the documentation of
`torch.amp` ("CUDA Ops that can autocast"). Parameters stay f32. `<net>.scores`, `<net>.loss` and `<net>.grad.<parameter>` are what comes out,
`<net>.f32.…` the same without the mode; sketches as in `draw.py`.
"""
import copy
import json
import pathlib

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

import draw
from nets import LeNet, batch
from sequence import Gpt
from vision import ResNet20Small

NETS = [("lenet", LeNet), ("resnet20", ResNet20Small), ("gpt", Gpt)]
FOLDER = pathlib.Path(__file__).resolve().parent
HALF = """__matmul__ addbmm addmm addmv addr baddbmm bmm chain_matmul conv1d conv2d conv3d conv_transpose1d conv_transpose2d
conv_transpose3d linear matmul mm mv scaled_dot_product_attention""".split()
SINGLE = """__pow__ __rdiv__ __rpow__ __rtruediv__ acos asin binary_cross_entropy_with_logits cosh cosine_similarity cross_entropy cumprod
cumsum dist erfinv exp expm1 group_norm kl_div l1_loss layer_norm log log10 log_softmax log1p log2 mse_loss nll_loss norm normalize pow prod
reciprocal rsqrt sinh smooth_l1_loss softmax softplus sum tan""".split()


def attention(q, k, v, is_causal=False):
    """With f32 between its products, and the normalised weights rounded as what else is multiplied: kernels differ in where they round these."""
    scores = q.float() @ k.float().mT / q.shape[-1] ** 0.5
    if is_causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), float("-inf"))
    return (scores.softmax(-1).bfloat16().float() @ v.float()).bfloat16()


class Autocast(TorchFunctionMode):
    """Functions of the lists get their operands converted; what they call in turn is theirs."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name, kwargs = function.__name__, kwargs or {}
        wanted = torch.bfloat16 if name in HALF else torch.float32 if name in SINGLE else None
        if wanted:
            is_float = lambda x: isinstance(x, torch.Tensor) and x.dtype in (torch.float32, torch.bfloat16)
            args, kwargs = tree_map(lambda x: x.to(wanted) if is_float(x) else x, (args, kwargs))
        return (attention if name == "scaled_dot_product_attention" else function)(*args, **kwargs)


def record(tensors, prefix, net, inputs):
    scores = net.eval()(*inputs[:1])
    loss = net.train().loss(*inputs)
    loss.backward()
    tensors[f"{prefix}.scores"] = draw.sketch(scores)
    tensors[f"{prefix}.loss"] = draw.sketch(loss)
    for name, parameter in net.named_parameters():
        tensors[f"{prefix}.grad.{name}"] = draw.sketch(parameter.grad)


def main():
    tensors = {}
    for name, make in NETS:
        # Of the net's own golden.
        with safe_open(FOLDER / f"{name}.safetensors", "pt") as golden:
            about = json.loads(golden.metadata()["about"])
        net, seed = make(), about["seed"]
        drawn = [(key, draw.uniform(1000 * seed + 500 + i, *bounds)) for i, (key, *bounds) in enumerate(about["parameters"])]
        net.load_state_dict(dict(drawn), strict=False)
        inputs = list(batch(net, net.BATCH, seed).values())
        record(tensors, f"{name}.f32", copy.deepcopy(net), inputs)
        with Autocast():
            record(tensors, name, net, inputs)
        distance = lambda key: (tensors[f"{name}.{key}"] - tensors[f"{name}.f32.{key}"]).norm() / tensors[f"{name}.f32.{key}"].norm()
        print(f"{name}: bf16 is {distance('scores'):.1e} away from f32, the loss {distance('loss'):.1e}")
    file = FOLDER / "precision.safetensors"
    about = {"made by": "tests/golden/precision.py", "torch": torch.__version__}
    save_file(tensors, file, metadata={"about": json.dumps(about)})
    file.chmod(0o644)
    print(f"{len(tensors)} sketches, {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
