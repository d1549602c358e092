"""The goldens of whole networks; `make.py` says what is in a file."""
import json
import sys

import torch
from torch.nn import functional as F

import draw
from generative import GanCritic, GanGenerator, Vae
from nets import LeNet, Mlp, Third, batch, draw_parameters
from sequence import Gpt, GptShort, GruClassifier, LstmClassifier
from vision import Diffusion, MobileNetV2Thin, ResNet20Small, ResNet50Thin, UNet, ViT

STEPS = 10
KINK = 1e-5  # smallest distance from a kink
RESULT = 1e-5  # castnet's tolerances, each relative to the norm of a tensor: of forward results,
GRADIENT = 1e-4  # gradients and what a training pass leaves in running statistics,
CHANGE = 1e-3  # and changes by ten steps
TOLERANCES = {"result": RESULT, "loss": RESULT, "grad": GRADIENT, "state": GRADIENT} | dict.fromkeys(["sgd", "adamw", "nesterov", "clipped"], CHANGE)
SHARE = 1e-2  # a parameter without gradient is held against this share of the norm of all
EPS = 1e-8  # AdamW's default
BENDS = {torch.nn.ReLU: [0], torch.nn.ReLU6: [0, 6]}
ZERO = 1e-12  # a gradient below this share of the greatest is 0 but for rounding in f64

# File, net, and the optimizers beside SGD and AdamW.
NETS = [
    ("lenet", LeNet, ["clipped"]),
    ("mlp", Mlp, ["nesterov"]),
    ("third", Third, ["nesterov", "clipped"]),
    ("resnet20", ResNet20Small, []),
    ("resnet50", ResNet50Thin, []),
    ("mobilenet", MobileNetV2Thin, []),
    ("unet", UNet, []),
    ("vit", ViT, []),
    ("diffusion", Diffusion, []),
    ("gpt", Gpt, []),
    ("gpt_short", GptShort, []),
    ("lstm", LstmClassifier, []),
    ("gru", GruClassifier, []),
    ("vae", Vae, []),
    ("gan_critic", GanCritic, []),
    ("gan_generator", GanGenerator, []),
]


def relative(a, b):
    """|a - b| / |b|, Euclidean, in f64; 0 where both are 0."""
    a, b = a.double(), b.double()
    error = (a - b).norm().item()
    return error / b.norm().item() if error else 0.0


def gap(x, kernel_size, stride, padding):
    """The least difference between the two largest values of a pooling window."""
    n, c, *_ = x.shape
    x = F.pad(x, [padding] * 4, value=-1e30)
    top = F.unfold(x, kernel_size, stride=stride).reshape(n, c, kernel_size**2, -1).topk(2, dim=2).values
    gaps = top[:, :, 0] - top[:, :, 1]
    # After a ReLU, zeros tie: whichever is taken, its gradient ends there.
    return gaps[top[:, :, 0] != 0].min().item()


def kink_distance(net, inputs):
    """How close the training pass comes to a kink: the least |ReLU input| or gap between a window's two largest values."""
    least = [float("inf")]
    relu = lambda module, args: least.extend((args[0] - bend).abs().min().item() for bend in BENDS[type(module)])
    watchers = dict.fromkeys(BENDS, relu) | {
        torch.nn.MaxPool2d: lambda pool, args: least.append(gap(args[0], pool.kernel_size, pool.stride, pool.padding)),
    }
    hooks = [m.register_forward_pre_hook(watchers[type(m)]) for m in net.modules() if type(m) in watchers]
    if hooks:
        with torch.no_grad():
            net.loss(*inputs)
        for hook in hooks:
            hook.remove()
    return min(least)


def build(kind, seed, dtype):
    """The net in training mode and its batch, drawn in f32 and then cast, so that every dtype starts from the same values."""
    torch.manual_seed(0)
    net = kind()
    drawn = draw_parameters(net, seed)
    inputs = [v.to(dtype) if v.is_floating_point() else v for v in batch(net, net.BATCH, seed).values()]
    return net.to(dtype), inputs, drawn


def choose_seed(kind, more):
    """The first seed of which the training pass keeps away from kinks and PyTorch's own f32 is near its f64, with both results.

    The second also keeps the ten steps away from kinks, as far as that matters: a ReLU that opens in one and not in the other shows.
    Of a deep net (`CLEAR`) rounding that is not PyTorch's must open the same ones too, so they keep a distance in all ten steps.
    """
    rejected = 0
    for seed in range(1, 4000):
        net, inputs, _ = build(kind, seed, torch.float64)
        distance = kink_distance(net, inputs)
        if distance < KINK:
            continue
        golden, single, whole = {}, {}, 0.0
        clear = float("inf")
        for group in ["values", "sgd", "adamw", *more]:
            seen = [[], []]
            part, part_single = (
                values(kind, seed, d) if group == "values" else changes(kind, seed, d, group, seen[i])
                for i, d in enumerate((torch.float64, torch.float32))
            )
            golden |= part
            single |= part_single
            clear = min([clear, *(clearance(*inputs) for inputs in zip(*seen))])
            zero = without_gradient(golden)
            if epsilon(net) == EPS:
                for key in [k for k in golden if k.partition(".")[2] in zero and k.partition(".")[0] in ("adamw", "clipped")]:
                    del golden[key]
            worst = worst_errors(golden, single, zero)
            if any(error > TOLERANCES[group] / 5 for group, (error, _) in worst.items()) or clear < getattr(net, "CLEAR", 0.0):
                break
        else:
            print(f"    seed {seed}, {distance:.1e} from the nearest kink, in ten steps {clear:.2g} times f32's error; {rejected} rejected before")
            return seed, golden, zero, worst
        rejected += 1
        print(f"    seed {seed}:", ", ".join(f"{e:.1e} at {k}" for e, k in worst.values()), f"clear {clear:.2g}", flush=True)
    sys.exit(f"{kind.__name__}: no seed keeps away from the kinks")


def worst_errors(golden, single, zero):
    """How far f32 is off, by group: (error, key)."""
    worst, whole = {}, {}
    for key, value in golden.items():
        whole.setdefault(key.partition(".")[0], []).append(value.norm())
    for key, value in golden.items():
        group, _, parameter = key.partition(".")
        error = relative(single[key], value)
        if parameter in zero:
            error = ((single[key].double() - value).norm() / max(value.norm(), SHARE * torch.stack(whole[group]).norm())).item()
        worst[group] = max(worst.get(group, (0.0, "")), (error, key))
    return worst


def trained(net):
    """The parameters that the loss updates."""
    part = net.trained() if hasattr(net, "trained") else ""
    return {k: p for k, p in net.named_parameters() if k.startswith(part)}


def statistics(net):
    return {k: b for k, b in net.named_buffers() if b.is_floating_point()}


def values(kind, seed, dtype):
    """Everything but the optimizers' work, by golden key."""
    net, inputs, _ = build(kind, seed, dtype)
    net.eval()
    with torch.no_grad():
        out = {f"result.{k}": v for k, v in net.results(*inputs).items()}
    with torch.set_grad_enabled(kind is GanCritic):  # whose loss has a gradient inside
        out["loss.inference"] = net.loss(*inputs).detach()
    net.train()
    net.zero_grad()
    loss = net.loss(*inputs)
    out["loss.training"] = loss.detach()
    loss.backward()
    out |= {f"grad.{k}": p.grad for k, p in trained(net).items()}
    return out | {f"state.{k}": b.clone() for k, b in statistics(net).items()}


OPTIMIZERS = {
    "sgd": lambda p, rate, _: torch.optim.SGD(p, lr=0.01 * rate, momentum=0.9, weight_decay=5e-4),
    "adamw": lambda p, _, eps: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.01, eps=eps),
    "nesterov": lambda p, rate, _: torch.optim.SGD(p, lr=0.01 * rate, momentum=0.9, nesterov=True),
    "clipped": lambda p, _, eps: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.01, eps=eps),
}


def rate(net):
    """A factor of SGD's learning rate: with small gradients f32 loses the steps of the usual one."""
    return getattr(net, "RATE", 1.0)


def epsilon(net):
    """AdamW's: where norms make gradients 0 but for rounding (of a bias before another norm), a greater one, or steps of that rounding
    would move the running statistics behind."""
    return getattr(net, "EPS", EPS)


def clearance(exact, single):
    """The least distance of one ReLU's inputs from its kinks, by the greatest error of f32 among them."""
    bends, exact = exact[0], exact[1]
    distance = min((exact - bend).abs().min().item() for bend in bends)
    return distance / (single[1].double() - exact).abs().max().item()


def changes(kind, seed, dtype, key, seen=None):
    """What STEPS steps on the one batch add to each parameter and statistic, by golden key; `seen` gets the ReLUs' kinks and inputs."""
    net, inputs, _ = build(kind, seed, dtype)
    if seen is not None and hasattr(net, "CLEAR"):
        for module in net.modules():
            if type(module) in BENDS:
                module.register_forward_pre_hook(lambda module, args: seen.append((BENDS[type(module)], args[0].detach().clone())))
    tensors = trained(net) | statistics(net)
    initial = {k: p.detach().clone() for k, p in tensors.items()}
    optimizer = OPTIMIZERS[key](trained(net).values(), rate(net), epsilon(net))
    for _ in range(STEPS):
        optimizer.zero_grad()
        net.loss(*inputs).backward()
        if key == "clipped":
            torch.nn.utils.clip_grad_norm_(trained(net).values(), 0.1)
        optimizer.step()
    return {f"{key}.{k}": p.detach().double() - initial[k].double() for k, p in tensors.items()}


def without_gradient(golden):
    """Parameters of which some gradient is 0 but for rounding: AdamW would make steps of the rounding."""
    gradients = {k.removeprefix("grad."): v.abs() for k, v in golden.items() if k.startswith("grad.")}
    least = ZERO * max(g.max().item() for g in gradients.values())
    return [k for k, g in gradients.items() if ((g > 0) & (g < least)).any()]


def make(name, kind, more, save):
    """Writes one network's goldens."""
    print(name)
    seed, golden, zero, worst = choose_seed(kind, more)
    print(f"    without gradient, in part: {', '.join(zero) or 'none'}")
    for group, (error, key) in worst.items():
        print(f"    {group:9} PyTorch's f32 is within {error:.1e} (tolerance {TOLERANCES[group]:.0e}), worst {key}")
    if "clipped" in more:
        # Clipping must be visible, although AdamW does not notice a constant factor.
        visible = min(relative(golden["clipped." + k[6:]], golden[k]) for k in golden if k.startswith("adamw."))
        assert visible > 2 * CHANGE, f"{name}: clipping changes some parameter by only {visible:.1e}"

    net, _, drawn = build(kind, seed, torch.float64)
    about = {
        "made by": "tests/golden/make.py",
        "torch": torch.__version__,
        "seed": seed,
        "steps": STEPS,
        "rate": rate(net),
        "eps": epsilon(net),
        "inputs": [[x.name, x.dtype, list(x.shape), x.low, x.high] for x in net.inputs(net.BATCH)],
        "parameters": drawn,
        "without gradient": zero,
    }
    save({key: draw.sketch(value) for key, value in golden.items()}, f"{name}.safetensors", about)
