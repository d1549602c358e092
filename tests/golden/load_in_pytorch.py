"""Loads a LeNet that castnet has saved into PyTorch, strictly, and prints its scores for a fixed image.

    python tests/golden/load_in_pytorch.py lenet.safetensors      # needs torch, safetensors, numpy

Prints ten scores, one a line, of the 28 x 28 image whose pixel in row i and column j is (28 i + j) / 784, computed in f64.
Exit status 1, with the reasons on standard error, if the file's keys, shapes or types are not exactly those of the
`state_dict` of `nets.LeNet`.
"""
import sys

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from nets import LeNet


def mistakes(found, expected):
    for key in sorted(found.keys() | expected.keys()):
        if key not in found:
            yield f"{key}: missing"
        elif key not in expected:
            yield f"{key}: not a parameter of LeNet"
        elif found[key].shape != expected[key].shape:
            yield f"{key}: shape {list(found[key].shape)}, expected {list(expected[key].shape)}"
        elif found[key].dtype != expected[key].dtype:
            yield f"{key}: {found[key].dtype}, expected {expected[key].dtype}"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: load_in_pytorch.py FILE")
    net = LeNet()
    try:
        state = load_file(sys.argv[1])
    except (OSError, SafetensorError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
    reasons = list(mistakes(state, net.state_dict()))
    if reasons:
        sys.exit("\n".join(reasons))
    net.load_state_dict(state, strict=True)
    ramp = torch.arange(784, dtype=torch.float32).reshape(1, 1, 28, 28) / 784
    with torch.no_grad():
        for score in net.double()(ramp.double())[0].tolist():
            print(f"{score:.9g}")


if __name__ == "__main__":
    main()
