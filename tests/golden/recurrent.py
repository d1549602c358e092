"""Goldens of LSTM, GRU and RNN in f64: results and all gradients of sum(sin(results)) times weights.

python tests/golden/recurrent.py writes tests/golden/recurrent/*.safetensors: `<case>_state` is the state_dict, `<case>` has the input, first
states and lengths, the results, and the gradients of the parameters (`grad.<name>`), the input and the first states.
"""
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

FOLDER = pathlib.Path(__file__).parent / "recurrent"
T, B, INPUTS, HIDDEN = 5, 3, 4, 6
LENGTHS = [3, 5, 1]

# The layer, whether there are first states, whether there are lengths.
CASES = {
    "lstm": (lambda **k: nn.LSTM(INPUTS, HIDDEN, num_layers=2, **k), True, False),
    "lstm_lengths": (lambda **k: nn.LSTM(INPUTS, HIDDEN, num_layers=2, bidirectional=True, **k), True, True),
    "gru": (lambda **k: nn.GRU(INPUTS, HIDDEN, num_layers=2, bias=False, **k), True, False),
    "gru_lengths": (lambda **k: nn.GRU(INPUTS, HIDDEN, bidirectional=True, **k), False, True),
    "rnn_tanh": (lambda **k: nn.RNN(INPUTS, HIDDEN, bidirectional=True, **k), False, False),
    "rnn_relu": (lambda **k: nn.RNN(INPUTS, HIDDEN, num_layers=2, nonlinearity="relu", **k), True, True),
}

FOLDER.mkdir(exist_ok=True)
for number, (name, (layer, has_first, has_lengths)) in enumerate(CASES.items()):
    for batch_first in (False, True):
        torch.manual_seed(number)
        net = layer(batch_first=batch_first)
        # The state as f32, before everything becomes f64.
        state = {f"layer.{k}": v.clone() for k, v in net.state_dict().items()}
        net.double()
        x = torch.randn((B, T, INPUTS) if batch_first else (T, B, INPUTS))
        first = [torch.randn(net.num_layers * (1 + net.bidirectional), B, HIDDEN) for _ in range(1 + name.startswith("lstm"))]
        out = {"x": x} | ({"h0": first[0]} if has_first else {}) | ({"c0": first[1]} if has_first and len(first) > 1 else {})
        leaves = {k: v.double().requires_grad_() for k, v in out.items()}
        hx = tuple(leaves[k] for k in ("h0", "c0") if k in leaves)
        hx = None if not hx else hx if len(hx) > 1 else hx[0]
        given = leaves["x"]
        if has_lengths:
            lengths = torch.tensor(LENGTHS)
            out["lengths"] = lengths
            given = pack_padded_sequence(given, lengths, batch_first=batch_first, enforce_sorted=False)
        output, last = net(given, hx)
        if has_lengths:
            output, _ = pad_packed_sequence(output, batch_first=batch_first, total_length=T)
        results = [output, *(last if isinstance(last, tuple) else [last])]
        # Each result has a weight of its own, so that none can stand for another.
        loss = sum((i + 1) * torch.sin(r).sum() for i, r in enumerate(results))
        loss.backward()
        out["loss"] = loss
        out |= dict(zip(("output", "h_n", "c_n"), results))
        out |= {f"grad.layer.{k}": p.grad for k, p in net.named_parameters()}
        out |= {f"grad.{k}": v.grad for k, v in leaves.items()}
        out = {k: v.detach().to(torch.int64 if k == "lengths" else torch.float32).contiguous() for k, v in out.items()}
        save_file(out, FOLDER / f"{name}{'_batch_first' if batch_first else ''}.safetensors")
    save_file(state, FOLDER / f"{name}_state.safetensors")
