"""Networks of sequences: GPT, and recurrent classifiers of sequences of unequal lengths."""
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

from nets import Input, classes
from vision import Encoder


class Gpt(nn.Module):
    """GPT-2 with tied weights, without dropout."""

    LAYERS, D, HEADS, VOCAB, CONTEXT = 2, 32, 4, 65, 64
    BATCH, T = 2, 16

    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(self.VOCAB, self.D)
        self.wpe = nn.Embedding(self.CONTEXT, self.D)
        self.layers = nn.Sequential(*[Encoder(self.D, self.HEADS, is_causal=True) for _ in range(self.LAYERS)])
        self.ln_f = nn.LayerNorm(self.D)

    def inputs(self, n):
        return [Input(name, "u32", (n, self.T), 0, self.VOCAB) for name in ("tokens", "next")]

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
        return self.ln_f(self.layers(x)) @ self.wte.weight.T

    def results(self, tokens, *_):
        return {"scores": self(tokens)}

    def loss(self, tokens, after):
        return F.cross_entropy(self(tokens).flatten(0, 1), after.flatten())


class GptShort(Gpt):
    """The same net on shorter sequences."""

    BATCH, T = 3, 5


class CharGpt(Gpt):
    """That of `examples/gpt.rs`."""

    LAYERS, D, HEADS, VOCAB, CONTEXT = 4, 256, 4, 256, 1024


class Recurrent(nn.Module):
    """Classifies a sequence by the last state; steps beyond its length do not count."""

    BATCH, T, VOCAB = 4, 7, 20

    def inputs(self, n):
        return [
            Input("tokens", "u32", (n, self.T), 0, self.VOCAB),
            Input("lengths", "i64", (n,), 1, self.T + 1),
            classes(n, count=5),
        ]

    def packed(self, tokens, lengths):
        return pack_padded_sequence(self.embed(tokens), lengths, batch_first=True, enforce_sorted=False)

    def results(self, tokens, lengths, *_):
        return {"scores": self(tokens, lengths)}

    def loss(self, tokens, lengths, kind):
        return F.cross_entropy(self(tokens, lengths), kind)


class LstmClassifier(Recurrent):
    """Two layers of LSTM."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(self.VOCAB, 12)
        self.lstm = nn.LSTM(12, 16, num_layers=2, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, tokens, lengths):
        _, (h, _) = self.lstm(self.packed(tokens, lengths))
        return self.head(h[-1])


class GruClassifier(Recurrent):
    """A GRU that reads both ways."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(self.VOCAB, 12)
        self.gru = nn.GRU(12, 16, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 5)

    def forward(self, tokens, lengths):
        _, h = self.gru(self.packed(tokens, lengths))
        return self.head(torch.cat([h[0], h[1]], 1))
