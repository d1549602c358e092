"""Writes the goldens: what PyTorch computes, for castnet to be compared with.

    python -m pip install torch safetensors numpy      # made with torch 2.15.0 for CPU, safetensors 0.8, Python 3.11
    python tests/golden/make.py                        # a few minutes; rewrites the files beside this script
    python tests/golden/make.py operators vit          # only these

<net>.safetensors (networks.py lists the nets) holds what a net makes of a small batch, f64. Its initial parameters, running statistics
and the batch are not in it: draw.py draws them from a seed, and so does castnet; `about`, in the file's metadata, has the seed, a
factor of SGD's learning rate, AdamW's eps (1e-8 if there is none), the arguments [name, type, shape, low, high], and the parameters and statistics [name, shape, low, high] in the order in which they are drawn.

    result.<name>               forward results in inference mode, with the drawn running statistics
    loss.inference, .training   the loss in both modes
    grad.<name>                 the gradient of the loss in training mode
    state.<name>                running statistics after one training pass
    sgd.<name>                  CHANGE of a parameter or statistic (final - initial) by ten steps on the same batch with
                                SGD(lr=0.01, momentum=0.9, weight_decay=5e-4)
    adamw.<name>                the same with AdamW(lr=1e-3, weight_decay=0.01)
    nesterov.<name>             the same with SGD(lr=0.01, momentum=0.9, nesterov=True), for some nets
    clipped.<name>              the same with AdamW(lr=1e-3, weight_decay=0.01) after clip_grad_norm_(0.1) of all gradients, for some nets

Of a tensor of more than 32 elements the file has a sketch: its norm and 16 sums of its elements under random signs (draw.py).

operators.safetensors, elements.safetensors, shapes.safetensors, windows.safetensors and losses.safetensors hold single operators (the
scripts of these names list them), and the json files say what they are:

    <case>.in0, <case>.in1, ... inputs, f32 (targets: u8, masks: bool)
    <case>.out                  the result, f64 (or what PyTorch makes of it: i64, bool)
    <case>.w, <case>.grad0, ... weights of the result's shape, f32, and the gradients of sum(out * w), f64, where there are any

All is computed in f64 from values that f32 holds exactly. The seed of a network is the first for which no ReLU input and no
difference between the two largest values of a pooling window is less than 1e-5 in the training pass, since there rounding in f32
decides which way a gradient goes. Where some gradient is truly 0, such as that of an attention's key bias, what is computed is rounding,
and AdamW makes whole steps of it: those parameters (`without gradient`) are compared with SGD only. As a check of the tolerances with
which castnet is compared, PyTorch's own f32 must stay within a fifth of them. The two deep nets, resnet50 and mobilenet, are
thin (depth and blocks are the published ones), and their norms are drawn so that f32 can follow f64 (`keep_away`, `CLEAR`, `EPS`); resnet20 has the greater `EPS` only.
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file

import elements
import losses
import networks
import operators
import rows
import shapes
import windows
from networks import relative

HERE = pathlib.Path(__file__).resolve().parent
GRADIENT = 1e-5  # castnet's tolerance for operators: relative, of the norm of each tensor


def save(tensors, file, about):
    # One metadata key: safetensors writes several in random order.
    save_file(tensors, HERE / file, metadata={"about": json.dumps(about)})
    (HERE / file).chmod(0o644)
    print(f"    {(HERE / file).stat().st_size:,} bytes")


def operator_goldens(stem, cases):
    tensors, listed = {}, []
    for case in cases:
        results = {dtype: operators.evaluate(case, dtype) for dtype in (torch.float64, torch.float32)}
        for key, value in results[torch.float64].items():
            error = relative(results[torch.float32][key], value)
            assert error <= GRADIENT / 5, f"{case.name}.{key}: PyTorch's own f32 is off by {error:.1e}"
            tensors[f"{case.name}.{key}"] = value.contiguous()
        listed.append(operators.describe(case, results[torch.float64]))
    about = {"made by": "tests/golden/make.py", "torch": torch.__version__}
    print(f"{stem}.safetensors: {len(listed)} cases")
    save(tensors, f"{stem}.safetensors", about)
    lines = ",\n".join(json.dumps(case) for case in listed)
    (HERE / f"{stem}.json").write_text(f"[\n{lines}\n]\n")


def main():
    torch.set_num_threads(1)  # the same sums in the same order everywhere
    torch.use_deterministic_algorithms(True)
    wanted = sys.argv[1:]
    for name, kind, more in networks.NETS:
        if not wanted or name in wanted:
            networks.make(name, kind, more, save)
    for stem, module in (("operators", operators), ("elements", elements), ("shapes", shapes), ("windows", windows), ("losses", losses), ("rows", rows)):
        if not wanted or stem in wanted:
            operator_goldens(stem, module.CASES)


if __name__ == "__main__":
    main()
