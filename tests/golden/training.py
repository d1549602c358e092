"""Writes training.json: what PyTorch's schedules, parameter groups, accumulated gradients and averaged models come to, in f64.

    python tests/golden/training.py        # needs torch

schedules   by name, the learning rate and the momentum of each step of SGD(lr = 1, momentum = 0.9)
plateaus    by name, the metrics (null: NaN) and the learning rate after each
runs        by name, all parameters and statistics of `Small` after some updates, and those of its average where there is one
"""
import json
import math
import pathlib

import torch
from torch.optim import swa_utils
from torch.optim import lr_scheduler as by

HERE = pathlib.Path(__file__).resolve().parent
STEPS = 60

# Of an optimizer whose learning rate is 1, the highest of all: castnet's factors are parts of it.
SCHEDULES = {
    "constant": lambda o: by.ConstantLR(o, factor=0.25, total_iters=7),
    "linear": lambda o: by.LinearLR(o, start_factor=0.1, end_factor=0.8, total_iters=9),
    "polynomial": lambda o: by.PolynomialLR(o, total_iters=20),
    "polynomial squared": lambda o: by.PolynomialLR(o, total_iters=30, power=2.0),
    "step": lambda o: by.StepLR(o, step_size=11, gamma=0.3),
    "multi-step": lambda o: by.MultiStepLR(o, milestones=[5, 30, 12, 30], gamma=0.5),
    "exponential": lambda o: by.ExponentialLR(o, gamma=0.93),
    "cosine": lambda o: by.CosineAnnealingLR(o, T_max=59, eta_min=0.1),
    "restarts": lambda o: by.CosineAnnealingWarmRestarts(o, T_0=13, eta_min=0.05),
    "restarts doubled": lambda o: by.CosineAnnealingWarmRestarts(o, T_0=5, T_mult=2),
    "one-cycle": lambda o: by.OneCycleLR(o, max_lr=1.0, total_steps=STEPS),
    "one-cycle linear": lambda o: by.OneCycleLR(
        o, max_lr=1.0, total_steps=STEPS, pct_start=0.21, anneal_strategy="linear", base_momentum=0.7, max_momentum=0.99,
        div_factor=10.0, final_div_factor=100.0),
    "one-cycle in three": lambda o: by.OneCycleLR(o, max_lr=1.0, total_steps=STEPS, three_phase=True, cycle_momentum=False),
    "triangular": lambda o: by.CyclicLR(o, base_lr=0.1, max_lr=1.0, step_size_up=7, step_size_down=4),
    "triangular2": lambda o: by.CyclicLR(
        o, base_lr=0.1, max_lr=1.0, step_size_up=8, mode="triangular2", base_momentum=0.6, max_momentum=0.95),
    "exp_range": lambda o: by.CyclicLR(
        o, base_lr=0.2, max_lr=1.0, step_size_up=6, mode="exp_range", gamma=0.97, cycle_momentum=False),
    "sequential": lambda o: by.SequentialLR(
        o, [by.LinearLR(o, 0.1, 1.0, 10), by.StepLR(o, 4, 0.5), by.ExponentialLR(o, 0.9)], milestones=[10, 30]),
    "chained": lambda o: by.ChainedScheduler([
        by.ConstantLR(o, factor=0.5, total_iters=6), by.ExponentialLR(o, 0.95), by.MultiStepLR(o, [20, 40], 0.3)]),
}

# The metric of step t, best at first, worse later, with a NaN.
METRICS = [1 / (1 + t) if t < 12 else 0.05 + 0.01 * (t % 7) for t in range(STEPS)]
METRICS[20] = float("nan")
PLATEAUS = {
    "plateau": dict(patience=3),
    "plateau with cooldown": dict(factor=0.5, patience=2, threshold=0.02, threshold_mode="abs", cooldown=4),
    "plateau of the largest": dict(mode="max", factor=0.6, patience=4, threshold=0.1, min_lr=0.2),
}


def optimizer():
    return torch.optim.SGD([torch.zeros(1, dtype=torch.float64, requires_grad=True)], lr=1.0, momentum=0.9)


def rates(schedule):
    o = optimizer()
    schedule = schedule(o)
    rates, momenta = [], []
    for step in range(STEPS):
        rates.append(o.param_groups[0]["lr"])
        momenta.append(o.param_groups[0]["momentum"])
        o.step()
        if step < STEPS - 1:
            schedule.step()
    return {"lr": rates, "momentum": momenta}


def plateau(settings):
    o = optimizer()
    schedule, rates = by.ReduceLROnPlateau(o, **settings), []
    for metric in METRICS:
        schedule.step(metric)
        rates.append(o.param_groups[0]["lr"])
    # NaN is no JSON.
    return {"metrics": [None if metric != metric else metric for metric in METRICS], "lr": rates}


class Small(torch.nn.Module):
    """Element i of parameter p begins as 0.3 sin(0.7 i + p)."""

    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(4, 8)
        self.bn = torch.nn.BatchNorm1d(8)
        self.out = torch.nn.Linear(8, 3)
        with torch.no_grad():
            for number, p in enumerate(self.parameters()):
                p.copy_(torch.tensor([0.3 * math.sin(0.7 * i + number) for i in range(p.numel())]).reshape(p.shape))

    def loss(self, number, rows=6):
        """Of batch `number`: x[i] = sin(0.37 i + number), class[i] = (i + number) % 3."""
        x = torch.tensor([math.sin(0.37 * i + number) for i in range(rows * 4)]).reshape(rows, 4)
        target = torch.tensor([(i + number) % 3 for i in range(rows)])
        return torch.nn.functional.cross_entropy(self.out(torch.tanh(self.bn(self.hidden(x)))), target)


def values(model):
    return {key: value.double().flatten().tolist() for key, value in model.state_dict().items()}


def train(make, schedule=None, updates=20, batches=1, clip=None, most=None, mean=True, average=None):
    """`batches` of them make an update."""
    net = Small()
    optimizer = make(net)
    scheduler = schedule(optimizer) if schedule else None
    averaged = average(net) if average else None
    for update in range(updates):
        for batch in range(batches):
            loss = net.loss(update * batches + batch)
            (loss / batches if mean else loss).backward()
        if most:
            torch.nn.utils.clip_grad_value_(net.parameters(), most)
        if clip:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad()
        if scheduler:
            scheduler.step()
        if averaged:
            averaged.update_parameters(net)
    return {"net": values(net)} | ({"average": values(averaged.module)} if averaged else {})


def groups(net, settings):
    """A group a parameter: `settings` says what each one has."""
    return [{"params": [p], **settings(name)} for name, p in net.named_parameters()]


def decay(name):
    """*.bias without decay; then out.*, a lesser rate and the usual decay."""
    return {"lr": 0.003} if name.startswith("out.") else {"weight_decay": 0.0} if name.endswith(".bias") else {}


def decay_by_factors(name):
    """bn.* at a tenth of the rate; *.weight with twice the decay."""
    return {"weight_decay": 0.2} if name.endswith(".weight") else {"lr": 0.005} if name.startswith("bn.") else {}


def ema(**settings):
    return lambda net: swa_utils.AveragedModel(net, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.8), **settings)


SGD = lambda net: torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
ADAMW = lambda net: torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.1)
RUNS = {
    "one-cycle": lambda: train(SGD, lambda o: by.OneCycleLR(o, max_lr=0.05, total_steps=20)),
    "one-cycle of adamw": lambda: train(ADAMW, lambda o: by.OneCycleLR(o, max_lr=0.01, total_steps=20)),
    "groups": lambda: train(
        lambda net: torch.optim.AdamW(groups(net, decay), lr=0.01, weight_decay=0.1), lambda o: by.StepLR(o, 5, 0.5)),
    "groups by factors": lambda: train(
        lambda net: torch.optim.SGD(groups(net, decay_by_factors), lr=0.05, momentum=0.9, weight_decay=0.1)),
    "mean of 4": lambda: train(ADAMW, lambda o: by.StepLR(o, 2, 0.5), updates=6, batches=4),
    "sum of 3, clipped": lambda: train(SGD, updates=6, batches=3, clip=0.5, mean=False),
    "mean of 4, clipped": lambda: train(SGD, updates=6, batches=4, clip=0.2),
    "clipped by value": lambda: train(ADAMW, updates=10, most=1 / 64),
    "mean of 4, clipped by value, then clipped": lambda: train(SGD, updates=6, batches=4, most=1 / 32, clip=1 / 8),
    "average": lambda: train(SGD, updates=10, average=ema()),
    "average with statistics": lambda: train(SGD, updates=10, average=ema(use_buffers=True)),
}


def main():
    torch.set_default_dtype(torch.float64)
    golden = {
        "schedules": {name: rates(schedule) for name, schedule in SCHEDULES.items()},
        "runs": {name: run() for name, run in RUNS.items()},
        "plateaus": {name: plateau(settings) for name, settings in PLATEAUS.items()},
    }
    # A line each.
    parts = [f"{json.dumps(part)}: {{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in of.items()) + "\n}"
             for part, of in golden.items()]
    (HERE / "training.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")


if __name__ == "__main__":
    main()
