"""Goldens of the norms: a layer before it, the norm, mean(sin(·)), three steps of SGD in f64; then inference.

python tests/golden/norms.py writes tests/golden/norms/*.safetensors: `<case>_state` is the state_dict before training, `<case>` has the
batches, the losses, the state after the steps and the result of inference.
"""
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn

FOLDER = pathlib.Path(__file__).parent / "norms"
IMAGE, SEQUENCE, ROWS = (4, 3, 5, 4), (4, 3, 5), (6, 3)

CASES = {
    "batch1d_rows": (ROWS, lambda: nn.BatchNorm1d(8)),
    "batch2d": (IMAGE, lambda: nn.BatchNorm2d(8)),
    "batch2d_plain": (IMAGE, lambda: nn.BatchNorm2d(8, affine=False, momentum=0.3, eps=1e-3)),
    "batch2d_untracked": (IMAGE, lambda: nn.BatchNorm2d(8, track_running_stats=False)),
    "batch2d_offset": (IMAGE, lambda: nn.BatchNorm2d(8)),
    "instance2d": (IMAGE, lambda: nn.InstanceNorm2d(8, affine=True)),
    "group": (IMAGE, lambda: nn.GroupNorm(2, 8)),
    "group_rows": (ROWS, lambda: nn.GroupNorm(4, 8)),
    "layer": (SEQUENCE, lambda: nn.LayerNorm(8)),
    "layer_offset": (SEQUENCE, lambda: nn.LayerNorm(8)),
    "layer_two": (SEQUENCE, lambda: nn.LayerNorm((3, 8), bias=False)),
    "rms": (SEQUENCE, lambda: nn.RMSNorm(8)),
}


class Net(nn.Module):
    def __init__(self, shape, norm):
        super().__init__()
        self.pre = nn.Conv2d(3, 8, 1) if len(shape) == 4 else nn.Linear(shape[-1], 8)
        self.norm = norm

    def forward(self, x):
        return torch.sin(self.norm(self.pre(x)))


FOLDER.mkdir(exist_ok=True)
for number, (name, (shape, norm)) in enumerate(CASES.items()):
    torch.manual_seed(number)
    net = Net(shape, norm())
    with torch.no_grad():
        for p in net.norm.parameters():
            p.copy_(torch.rand(p.shape) + 0.5)
        if name.endswith("_offset"):
            net.pre.bias += 100.0
    # The state as f32, before everything becomes f64.
    save_file({k: v.clone() for k, v in net.state_dict().items()}, FOLDER / f"{name}_state.safetensors")
    net.double()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    batches = [torch.randn(shape) for _ in range(3)]
    out = {f"x.{i}": x for i, x in enumerate(batches)}
    losses = []
    for x in batches:
        optimizer.zero_grad()
        loss = net(x.double()).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    out["losses"] = torch.stack(losses).float()
    out.update({f"after.{k}": v if v.dtype == torch.int64 else v.float() for k, v in net.state_dict().items()})
    net.eval()
    out["result"] = net(batches[0].double()).detach().float().contiguous()
    save_file(out, FOLDER / f"{name}.safetensors")
