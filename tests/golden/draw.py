"""Numbers that Python and Rust draw alike (`tests/nets/draw.rs`), so that no golden holds what can be drawn again.

SplitMix64 (Steele, Lea and Flood 2014) is a function of seed and place, so a whole array is drawn at once.
"""
import math

import numpy as np
import torch

GAMMA = np.uint64(0x9E3779B97F4A7C15)
SIGNS = 16  # projections of a tensor; each number drawn gives 64 signs, of which these are used
SIGN_SEED = 0x5EED
FULL = 32  # a tensor of so many elements is stored as it is


def numbers(seed, n):
    """The first n outputs of SplitMix64(seed)."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + GAMMA * np.arange(1, n + 1, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniform(seed, shape, low, high):
    """f32 in [low, high), worked out in f64 from 24 bits each."""
    u = (numbers(seed, math.prod(shape)) >> np.uint64(40)).astype(np.float64) / 2.0**24
    return torch.from_numpy((low + (high - low) * u).astype(np.float32)).reshape(shape)


def integers(seed, shape, low, high):
    """i64 in [low, high)."""
    u = (numbers(seed, math.prod(shape)) >> np.uint64(40)).astype(np.float64) / 2.0**24
    return torch.from_numpy(np.floor(low + (high - low) * u).astype(np.int64)).reshape(shape)


def sketch(tensor):
    """What a golden holds of a tensor, f64: all of it if it is small, else its norm and the sums of its elements under random signs.

    The mean square of the sums' differences is the squared norm of the difference, but for the luck of 16 draws (Johnson and Lindenstrauss).
    """
    x = tensor.detach().double().reshape(-1).numpy()
    if x.size <= FULL:
        return torch.from_numpy(x.copy())
    bits = numbers(SIGN_SEED, x.size)
    # Bit k set: plus.
    sums = [2.0 * x[(bits >> np.uint64(k)) & np.uint64(1) == 1].sum() - x.sum() for k in range(SIGNS)]
    return torch.tensor([np.linalg.norm(x), *sums], dtype=torch.float64)
