"""Twenty steps of every optimizer with every option, in f32 and in f64: optimizers.safetensors.

    python tests/golden/optimizers.py     # torch 2.15.0 for CPU, numpy, safetensors 0.8, Python 3.11

`gradient.<parameter>` are the gradients of all steps, `first.<parameter>` the first values: those of `b` are 0, and so are the first gradients of
`c`. `<case>.<f32 or f64>.<parameter>` is the parameter after each of STEPS. What PyTorch lacks (Lion, LAMB, LARS) is written here, as in its paper.
"""
import json
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file

STEPS = (1, 7, 20)
SHAPES = {"a": (2, 3), "b": (4,), "c": (3,)}

optim = torch.optim
PYTORCH = {
    "sgd": (optim.SGD, dict(lr=0.1)),
    "sgd_decay": (optim.SGD, dict(lr=0.1, weight_decay=0.1)),
    "sgd_momentum": (optim.SGD, dict(lr=0.1, momentum=0.9)),
    "sgd_dampening": (optim.SGD, dict(lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.05)),
    "sgd_nesterov": (optim.SGD, dict(lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.01)),
    "sgd_maximize": (optim.SGD, dict(lr=0.1, momentum=0.9, maximize=True, weight_decay=0.05)),
    "adam": (optim.Adam, dict(lr=0.01)),
    "adam_options": (optim.Adam, dict(lr=0.01, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)),
    "adam_amsgrad": (optim.Adam, dict(lr=0.01, betas=(0.8, 0.9), amsgrad=True)),
    "adam_maximize": (optim.Adam, dict(lr=0.01, amsgrad=True, maximize=True)),
    "adamw": (optim.AdamW, dict(lr=0.01)),
    "adamw_options": (optim.AdamW, dict(lr=0.01, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)),
    "adamw_amsgrad": (optim.AdamW, dict(lr=0.01, betas=(0.8, 0.9), amsgrad=True)),
    "adagrad": (optim.Adagrad, dict(lr=0.1)),
    "adagrad_options": (optim.Adagrad, dict(lr=0.1, lr_decay=0.1, initial_accumulator_value=0.5, eps=1e-3, weight_decay=0.1)),
    "adagrad_maximize": (optim.Adagrad, dict(lr=0.1, maximize=True)),
    "rmsprop": (optim.RMSprop, dict(lr=0.01)),
    "rmsprop_options": (optim.RMSprop, dict(lr=0.01, alpha=0.8, eps=1e-3, weight_decay=0.1)),
    "rmsprop_momentum": (optim.RMSprop, dict(lr=0.01, momentum=0.9)),
    "rmsprop_centered": (optim.RMSprop, dict(lr=0.01, alpha=0.9, eps=1e-3, centered=True)),
    "rmsprop_all": (optim.RMSprop, dict(lr=0.01, alpha=0.9, eps=1e-3, centered=True, momentum=0.8, weight_decay=0.1, maximize=True)),
    "nadam": (optim.NAdam, dict(lr=0.01)),
    "nadam_options": (optim.NAdam, dict(lr=0.01, betas=(0.8, 0.9), eps=1e-3, momentum_decay=0.1, weight_decay=0.1)),
    "nadam_decoupled": (optim.NAdam, dict(lr=0.01, weight_decay=0.1, decoupled_weight_decay=True, maximize=True)),
    "radam": (optim.RAdam, dict(lr=0.01)),
    "radam_options": (optim.RAdam, dict(lr=0.01, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)),
    "radam_decoupled": (optim.RAdam, dict(lr=0.01, weight_decay=0.1, decoupled_weight_decay=True, maximize=True)),
    "adamax": (optim.Adamax, dict(lr=0.01)),
    "adamax_options": (optim.Adamax, dict(lr=0.01, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1, maximize=True)),
    "adadelta": (optim.Adadelta, dict()),
    "adadelta_options": (optim.Adadelta, dict(lr=0.5, rho=0.8, eps=1e-3, weight_decay=0.1, maximize=True)),
}


class Lion:
    """Chen and others, Symbolic Discovery of Optimization Algorithms, 2023: algorithm 2."""

    def __init__(self, lr, betas=(0.9, 0.99), weight_decay=0.0):
        self.lr, self.betas, self.weight_decay, self.m = lr, betas, weight_decay, 0

    def step(self, t, w, g):
        beta1, beta2 = self.betas
        update = np.sign(beta1 * self.m + (1 - beta1) * g)
        self.m = beta2 * self.m + (1 - beta2) * g
        return w - self.lr * (update + self.weight_decay * w)


class LAMB:
    """You and others, Large Batch Optimization for Deep Learning, 2020: algorithm 2, with its bias correction and the identity as φ."""

    def __init__(self, lr, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.0):
        self.lr, self.betas, self.eps, self.weight_decay, self.m, self.v = lr, betas, eps, weight_decay, 0, 0

    def step(self, t, w, g):
        beta1, beta2 = self.betas
        self.m = beta1 * self.m + (1 - beta1) * g
        self.v = beta2 * self.v + (1 - beta2) * g * g
        r = self.m / (1 - beta1**t) / (np.sqrt(self.v / (1 - beta2**t)) + self.eps)
        u = r + self.weight_decay * w
        norms = np.linalg.norm(w), np.linalg.norm(u)
        trust = norms[0] / norms[1] if norms[0] > 0 and norms[1] > 0 else 1
        return w - self.lr * trust * u


class LARS:
    """You, Gitman and Ginsburg, Large Batch Training of Convolutional Networks, 2017: algorithm 1."""

    def __init__(self, lr, momentum=0.9, weight_decay=0.0, trust_coefficient=0.001):
        self.lr, self.momentum, self.weight_decay, self.trust, self.v = lr, momentum, weight_decay, trust_coefficient, 0

    def step(self, t, w, g):
        norms = np.linalg.norm(w), np.linalg.norm(g)
        local = self.trust * norms[0] / (norms[1] + self.weight_decay * norms[0]) if norms[0] > 0 and norms[1] > 0 else 1
        self.v = self.momentum * self.v + self.lr * local * (g + self.weight_decay * w)
        return w - self.v


PAPERS = {
    "lion": (Lion, dict(lr=0.01)),
    "lion_options": (Lion, dict(lr=0.01, betas=(0.8, 0.9), weight_decay=0.1)),
    "lamb": (LAMB, dict(lr=0.01)),
    "lamb_options": (LAMB, dict(lr=0.01, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)),
    "lars": (LARS, dict(lr=0.1)),
    "lars_options": (LARS, dict(lr=0.1, momentum=0.8, weight_decay=0.1, trust_coefficient=0.02)),
}


def by_pytorch(make, options, first, gradients, dtype):
    torch.set_default_dtype(dtype)  # NAdam's products are of it.
    parameters = {name: value.to(dtype).clone().requires_grad_() for name, value in first.items()}
    optimizer = make(parameters.values(), **options)
    for t in range(max(STEPS)):
        for name, parameter in parameters.items():
            parameter.grad = gradients[name][t].to(dtype)
        optimizer.step()
        yield {name: parameter.detach().clone() for name, parameter in parameters.items()}


def by_paper(make, options, first, gradients, dtype):
    parameters = {name: (make(**options), value.double().numpy()) for name, value in first.items()}
    for t in range(max(STEPS)):
        for name, (optimizer, w) in parameters.items():
            parameters[name] = optimizer, optimizer.step(t + 1, w, gradients[name][t].double().numpy())
        yield {name: torch.from_numpy(np.array(w)).to(dtype) for name, (_, w) in parameters.items()}


def main():
    random = torch.Generator().manual_seed(11)
    draw = lambda *shape: torch.randn(shape, generator=random)
    first = {name: draw(*shape) for name, shape in SHAPES.items()}
    gradients = {name: draw(max(STEPS), *shape) for name, shape in SHAPES.items()}
    first["b"].zero_()
    gradients["c"][:5].zero_()
    tensors = {f"first.{name}": value for name, value in first.items()}
    tensors |= {f"gradient.{name}": value for name, value in gradients.items()}
    for cases, run in ((PYTORCH, by_pytorch), (PAPERS, by_paper)):
        for case, (make, options) in cases.items():
            for kind, dtype in (("f32", torch.float32), ("f64", torch.float64)):
                values = list(run(make, options, first, gradients, dtype))
                for name in SHAPES:
                    tensors[f"{case}.{kind}.{name}"] = torch.stack([values[t - 1][name] for t in STEPS])
    about = {"made by": "tests/golden/optimizers.py", "torch": torch.__version__}
    file = pathlib.Path(__file__).resolve().parent / "optimizers.safetensors"
    save_file(tensors, file, metadata={"about": json.dumps(about)})
    file.chmod(0o644)
    print(f"{len(tensors)} tensors, {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
