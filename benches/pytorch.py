"""PyTorch's side of the benches: training steps of the three networks of tests/golden/nets.py, eager, on CPU; and what autograd keeps.

    python benches/pytorch.py [--threads 2] [--fused]      # needs torch
    python benches/pytorch.py --mode saved > tests/golden/saved.json

`--mode bench` (the default) is driven over standard input and output, so that a caller can run it and castnet by turns. It builds
and warms up each network for a second and prints `ready`. Then for each line `<net> <steps>` (mlp, lenet or third) it
runs that many steps and prints the seconds a step took on average; an unknown line is answered with `error: ...`. It ends with
its input.

A step is zero_grad, forward, loss, backward and update on one of 8 batches of 64, taken by turns; the optimizer is
SGD(lr=0.01, momentum=0.9), `--fused` chooses its fused version. The loss is not read. The networks are the classes that
the goldens are made with, all in f32.

`--mode saved` prints what autograd keeps for the backward pass of one loss, as tests/golden/saved.json has it: for every golden net (at
its full width) and several sizes, the bytes of the distinct storages that pass through `torch.autograd.graph.saved_tensors_hooks`:

    all                     everything
    no_parameters           without parameters (weights are there before the step and after it)
    no_inputs               without the batch: images, classes, tokens
    activations             without either: what the step has to keep beyond what exists anyway

It is measured with 2 and with 4 examples; what grows, grows with the examples, so that other numbers follow.
"""
import argparse
import json
import pathlib
import sys
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "golden"))
from generative import GanCritic, GanGenerator, Vae  # noqa: E402
from nets import LeNet, Mlp, Third, batch  # noqa: E402
from sequence import CharGpt, GruClassifier, LstmClassifier  # noqa: E402
from vision import Diffusion, MobileNetV2, ResNet20, ResNet50, UNet, ViT  # noqa: E402

NETS = {"mlp": Mlp, "lenet": LeNet, "third": Third}
SAVED = NETS | {
    "resnet20": ResNet20,
    "resnet50": ResNet50,
    "mobilenet": MobileNetV2,
    "unet": UNet,
    "vit": ViT,
    "diffusion": Diffusion,
    "gpt": CharGpt,
    "lstm": LstmClassifier,
    "gru": GruClassifier,
    "vae": Vae,
    "gan_critic": GanCritic,
    "gan_generator": GanGenerator,
}
LENGTHS = (16, 17, 128)
BATCH = 64


class Training:
    """A network with its optimizer and batches."""

    def __init__(self, kind, fused):
        self.net = kind()
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.01, momentum=0.9, fused=fused)
        self.batches = [list(batch(self.net, BATCH, seed).values()) for seed in range(8)]
        self.next = 0

    def step(self):
        inputs = self.batches[self.next]
        self.next = (self.next + 1) % len(self.batches)
        self.optimizer.zero_grad(set_to_none=True)
        self.net.loss(*inputs).backward()
        self.optimizer.step()

    def time(self, steps):
        """Mean seconds a step."""
        start = time.perf_counter()
        for _ in range(steps):
            self.step()
        return (time.perf_counter() - start) / steps

    def warm_up(self, seconds=1.0):
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self.step()


def bench(fused):
    trainings = {name: Training(kind, fused) for name, kind in NETS.items()}
    for training in trainings.values():
        training.warm_up()
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            name, steps = line.split()
            training, steps = trainings[name], int(steps)
            if steps < 1:
                raise ValueError
        except (ValueError, KeyError):
            print(f"error: expected one of {', '.join(NETS)} and a number of steps, not {line.strip()!r}", flush=True)
            continue
        print(f"{training.time(steps):.9f}", flush=True)


def saved(kind, n):
    """What autograd keeps of one loss of n examples."""
    net = kind()
    inputs = list(batch(net, n).values())
    parameters = {p.untyped_storage().data_ptr() for p in net.parameters()}
    given = {x.untyped_storage().data_ptr() for x in inputs}
    seen = {}  # by address; holding the tensors keeps an address from being used twice

    def pack(tensor):
        seen.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = net.loss(*inputs)
    loss.backward()  # nothing above was freed or folded away: the graph is whole

    def bytes_without(*left_out):
        return sum(t.untyped_storage().nbytes() for address, t in seen.items() if not any(address in s for s in left_out))

    return {
        "all": bytes_without(),
        "no_parameters": bytes_without(parameters),
        "no_inputs": bytes_without(given),
        "activations": bytes_without(parameters, given),
    }


def saved_everywhere():
    """A line for each net, number of examples and length."""
    for name, kind in SAVED.items():
        for t in LENGTHS if hasattr(kind, "T") else [None]:
            sized = type(kind.__name__, (kind,), {"T": t}) if t else kind
            two, four = saved(sized, 2), saved(sized, 4)
            for n in (1, 32, 64, 256):
                sizes = {"net": name, "N": n} | ({"B": n, "T": t} if t else {})
                yield sizes | {key: two[key] + (four[key] - two[key]) // 2 * (n - 2) for key in two}


def main():
    parser = argparse.ArgumentParser(description="PyTorch's side of the benches")
    parser.add_argument("--mode", choices=("bench", "saved"), default="bench")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fused", action="store_true", help="the fused optimizer")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    if arguments.mode == "saved":
        lines = ",\n".join(json.dumps(line) for line in saved_everywhere())
        print(f"[\n{lines}\n]")
    else:
        bench(arguments.fused)


if __name__ == "__main__":
    main()
