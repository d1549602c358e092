"""PyTorch's side of `examples/gpt.rs`: the same net, text, windows and recipe; prints the validation loss, for comparison.

    python benches/gpt_pytorch.py [--steps 600] [--batch 32] [--seed 1] [--threads 2]      # needs torch
    cargo run --release --example gpt -- --epochs 1 --steps 600

Both draw their initial weights and the order of their windows from generators of their own: compare over a few seeds.
"""
import argparse
import gzip
import math
import pathlib
import sys
import time

import torch

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "golden"))
from sequence import CharGpt  # noqa: E402

WINDOW, WARMUP, RATE = 128, 100, 1e-3


def windows(tokens):
    count = (len(tokens) - 1) // WINDOW
    return [tokens[at : at + count * WINDOW].view(count, WINDOW) for at in (0, 1)]


def factor(step, steps):
    """Rises for WARMUP steps, then falls to a tenth along half a cosine."""
    if step < WARMUP:
        return (step + 1) / WARMUP
    return 0.1 + 0.9 * (1 + math.cos(math.pi * (step - WARMUP) / (steps - WARMUP))) / 2


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)

    text = gzip.decompress((ROOT / "examples/data/bible-kjv.txt.gz").read_bytes()).decode()
    characters = sorted(set(text))
    number = {c: i for i, c in enumerate(characters)}
    tokens = torch.tensor([number[c] for c in text])
    train = math.floor(len(tokens) * 0.9)
    fit, validation = windows(tokens[:train]), windows(tokens[train:])

    CharGpt.VOCAB, CharGpt.CONTEXT = len(characters), WINDOW
    net = CharGpt()
    for embedding in (net.wte, net.wpe):
        torch.nn.init.normal_(embedding.weight, 0, 0.02)
    adam = torch.optim.AdamW(net.parameters(), RATE, weight_decay=0.1)
    step, start = 0, time.perf_counter()
    while step < args.steps:
        for chosen in torch.randperm(len(fit[0])).split(args.batch):
            if step == args.steps:
                break
            adam.param_groups[0]["lr"] = RATE * factor(step, args.steps)
            adam.zero_grad()
            loss = net.loss(fit[0][chosen], fit[1][chosen])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            adam.step()
            step += 1
            if step % 100 == 0:
                print(f"step {step}  loss {loss.item():.4f}  {step / (time.perf_counter() - start):.2f} steps/s", flush=True)
    with torch.no_grad():
        parts = [(net.loss(a, b).item(), len(a)) for a, b in zip(*(v.split(32) for v in validation))]
    print(f"validation loss {sum(loss * n for loss, n in parts) / sum(n for _, n in parts):.4f}")


if __name__ == "__main__":
    main()
