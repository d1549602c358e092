"""Writes the goldens: what PyTorch computes, for castnet to be compared with.

    python -m pip install torch safetensors numpy      # made with torch 2.15.0 for CPU, safetensors 0.8, Python 3.11
    python tests/golden/make.py                        # ten seconds; rewrites the files beside this script

lenet.safetensors, mlp.safetensors, third.safetensors (the networks stand in nets.py) hold, for a batch of 4:

    param.<name>                initial parameters, PyTorch's default initialisation
    input.image, input.class    the batch: f32 in [0, 1), u8; the third net also has input.parity, f32[4, 1], = class % 2
    scores, loss                the forward pass; the third net also has `parity`, its second head's result
    grad.<name>                 the gradient of the loss
    sgd.<name>                  CHANGE of the parameter (final - initial) by ten steps on the same batch with
                                SGD(lr=0.01, momentum=0.9, weight_decay=5e-4)
    adamw.<name>                the same with AdamW(lr=1e-3, weight_decay=0.01)
    nesterov.<name>             the same with SGD(lr=0.01, momentum=0.9, nesterov=True); the MLP's biases, the whole third net
    clipped.<name>              the same with AdamW(lr=1e-3, weight_decay=0.01) after clip_grad_norm_(0.1) of all gradients;
                                LeNet's biases, the whole third net

operators.safetensors holds single operators (operators.py lists them), and operators.json says what they are:

    <case>.in0, <case>.in1, ... inputs, f32 (targets: u8)
    <case>.out                  the result, f64
    <case>.w, <case>.grad0, ... weights of the result's shape, f32, and the gradients of sum(out * w), f64

All is computed in f64 from values that f32 holds exactly; the networks' results are then rounded to f32 (error 6e-8). The seed of a
network is the first for which no ReLU input and no difference between the two largest values of a pooling window is less
than 1e-5, since there rounding in f32 decides which way a gradient goes. As a check of the tolerances with which castnet is
compared, PyTorch's own f32 must stay within a fifth of them.
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from nets import LeNet, Mlp, Third, batch
import operators

HERE = pathlib.Path(__file__).resolve().parent
BATCH = 4
STEPS = 10
KINK = 1e-5  # smallest distance from a kink
GRADIENT = 1e-5  # castnet's tolerances: relative, of the norm of each tensor
CHANGE = 1e-3


def relative(a, b):
    """|a - b| / |b|, Euclidean, in f64; 0 where both are 0."""
    a, b = a.double(), b.double()
    error = (a - b).norm().item()
    return error / b.norm().item() if error else 0.0


# --- networks ---------------------------------------------------------------------------------------------------------------


def kink_distance(net, image):
    """How close the forward pass comes to a kink: the least |ReLU input| or gap between a window's two largest values."""
    least = [float("inf")]

    def relu(_, args):
        least.append(args[0].abs().min().item())

    def pool(module, args):
        n, c, *_ = args[0].shape
        windows = F.unfold(args[0], module.kernel_size, stride=module.stride).reshape(n, c, module.kernel_size**2, -1)
        top = windows.topk(2, dim=2).values
        least.append((top[:, :, 0] - top[:, :, 1]).min().item())

    watchers = {torch.nn.ReLU: relu, torch.nn.MaxPool2d: pool}
    hooks = [m.register_forward_pre_hook(watchers[type(m)]) for m in net.modules() if type(m) in watchers]
    with torch.no_grad():
        net(image)
    for hook in hooks:
        hook.remove()
    return min(least)


def build(kind, seed, dtype):
    """The net and its batch, drawn in f32 and then cast, so that every dtype starts from the same values."""
    torch.manual_seed(seed)
    net = kind()
    inputs = batch(net, BATCH)
    cast = {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs.items()}
    return net.to(dtype), cast


def choose_seed(kind):
    for seed in range(1000):
        net, inputs = build(kind, seed, torch.float64)
        distance = kink_distance(net, inputs["image"])
        if distance >= KINK:
            return seed, distance
    sys.exit(f"{kind.__name__}: no seed keeps away from the kinks")


def gradients(kind, seed, dtype):
    """Everything but the optimizers' work, by golden key."""
    net, inputs = build(kind, seed, dtype)
    out = {f"param.{k}": p.detach().clone() for k, p in net.named_parameters()}
    out |= {f"input.{k}": v.to(torch.uint8) if k == "class" else v for k, v in inputs.items()}
    scores = net(inputs["image"])
    if kind is Third:
        scores, parity = scores
        out["parity"] = parity.detach()
    out["scores"] = scores.detach()
    loss = net.loss(*inputs.values())
    out["loss"] = loss.detach()
    loss.backward()
    return out | {f"grad.{k}": p.grad for k, p in net.named_parameters()}


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=5e-4)


def nesterov(parameters):
    return torch.optim.SGD(parameters, lr=0.01, momentum=0.9, nesterov=True)


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.01)


def changes(kind, seed, dtype, key, optimizer, clip=None):
    """What STEPS steps on the one batch add to each parameter, by golden key."""
    net, inputs = build(kind, seed, dtype)
    initial = {k: p.detach().clone() for k, p in net.named_parameters()}
    optimizer = optimizer(net.parameters())
    for _ in range(STEPS):
        optimizer.zero_grad()
        net.loss(*inputs.values()).backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
    return {f"{key}.{k}": p.detach().double() - initial[k].double() for k, p in net.named_parameters()}


def network(kind, file, nesterov_of, clipped_of):
    """Writes one network's goldens; `nesterov_of` and `clipped_of` say for which parameters those are kept."""
    seed, distance = choose_seed(kind)

    def everything(dtype):
        out = gradients(kind, seed, dtype)
        out |= changes(kind, seed, dtype, "sgd", sgd)
        out |= changes(kind, seed, dtype, "adamw", adamw)
        out |= changes(kind, seed, dtype, "nesterov", nesterov)
        return out | changes(kind, seed, dtype, "clipped", adamw, clip=0.1)

    golden, single = everything(torch.float64), everything(torch.float32)
    print(f"{file}: seed {seed}, {distance:.1e} from the nearest kink, loss {golden['loss'].item():.6f}")
    worst = {}
    for key, value in golden.items():
        group = key.split(".")[0]
        error = relative(single[key], value)
        worst[group] = max(worst.get(group, (0.0, "")), (error, key))
    for group, (error, key) in worst.items():
        tolerance = {"param": 0, "input": 0, "scores": GRADIENT, "parity": GRADIENT, "loss": GRADIENT, "grad": GRADIENT}.get(group, CHANGE)
        print(f"    {group:9} PyTorch's f32 is within {error:.1e} (tolerance {tolerance:.0e}), worst {key}")
        assert error <= tolerance / 5, f"{file}: {key}: PyTorch's own f32 is off by {error:.1e}"
    # Clipping must be visible, although AdamW does not notice a constant factor.
    visible = min(relative(golden["clipped." + k[6:]], golden[k]) for k in golden if k.startswith("adamw."))
    assert visible > 2 * CHANGE, f"{file}: clipping changes some parameter by only {visible:.1e}"

    kept = {
        key: (value if value.dtype == torch.uint8 else value.float()).contiguous()
        for key, value in golden.items()
        if not (key.startswith("nesterov.") and not nesterov_of(key)) and not (key.startswith("clipped.") and not clipped_of(key))
    }
    about = {"made by": "tests/golden/make.py", "torch": torch.__version__, "seed": seed, "batch": BATCH, "steps": STEPS}
    save(kept, file, about)


def save(tensors, file, about):
    # One metadata key: safetensors writes several in random order.
    save_file(tensors, HERE / file, metadata={"about": json.dumps(about)})
    (HERE / file).chmod(0o644)
    print(f"    {(HERE / file).stat().st_size:,} bytes")


# --- operators --------------------------------------------------------------------------------------------------------------


def operator_goldens():
    tensors, listed = {}, []
    for case in operators.CASES:
        results = {dtype: operators.evaluate(case, dtype) for dtype in (torch.float64, torch.float32)}
        for key, value in results[torch.float64].items():
            error = relative(results[torch.float32][key], value)
            assert error <= GRADIENT / 5, f"{case.name}.{key}: PyTorch's own f32 is off by {error:.1e}"
            tensors[f"{case.name}.{key}"] = value.contiguous()
        listed.append(operators.describe(case, results[torch.float64]))
    about = {"made by": "tests/golden/make.py", "torch": torch.__version__}
    print(f"operators.safetensors: {len(listed)} cases")
    save(tensors, "operators.safetensors", about)
    lines = ",\n".join(json.dumps(case) for case in listed)
    (HERE / "operators.json").write_text(f"[\n{lines}\n]\n")


def main():
    torch.set_num_threads(1)  # the same sums in the same order everywhere
    torch.use_deterministic_algorithms(True)

    def bias(key):
        return key.endswith(".bias")

    def all_of(_):
        return True

    def none_of(_):
        return False

    network(LeNet, "lenet.safetensors", nesterov_of=none_of, clipped_of=bias)
    network(Mlp, "mlp.safetensors", nesterov_of=bias, clipped_of=none_of)
    network(Third, "third.safetensors", nesterov_of=all_of, clipped_of=all_of)
    operator_goldens()


if __name__ == "__main__":
    main()
