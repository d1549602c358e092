"""More cases of operators: losses, attention, statistics, masks. As operators.py."""
import torch
from torch.nn import functional as F

import operators
from operators import Input

CASES = []


def case(*args, **named):
    operators.case(*args, **named, to=CASES)


# Losses of classes.
ROWS, TARGETS, PIXELS = (6, 5), Input((6,), classes=5), Input((3, 4), classes=5)
FACTORS = Input((5,), 0.5, 1.5, grad=False)
case("cross_entropy_sum", "cross_entropy", 'x.cross_entropy(y, reduction = "sum")', [ROWS, TARGETS],
     lambda x, y: F.cross_entropy(x, y, reduction="sum"))
case("cross_entropy_none", "cross_entropy", 'x.cross_entropy(y, reduction = "none")', [(3, 5, 4), PIXELS],
     lambda x, y: F.cross_entropy(x, y, reduction="none"))
for reduction in ("mean", "sum", "none"):
    case(f"cross_entropy_all_{reduction}", "cross_entropy",
         f'x.cross_entropy(y, weight = z, ignore_index = 2, label_smoothing = 0.2, reduction = "{reduction}")',
         [(3, 5, 4), PIXELS, FACTORS],
         lambda x, y, z, r=reduction: F.cross_entropy(x, y, weight=z, ignore_index=2, label_smoothing=0.2, reduction=r))
case("cross_entropy_weight", "cross_entropy", "x.cross_entropy(y, z)", [ROWS, TARGETS, FACTORS], F.cross_entropy)
case("cross_entropy_ignore", "cross_entropy", "x.cross_entropy(y, ignore_index = 4)", [ROWS, Input((6,), classes=5)],
     lambda x, y: F.cross_entropy(x, y, ignore_index=4))
case("cross_entropy_ignore_outside", "cross_entropy", "x.cross_entropy(y, ignore_index = 255)",
     [ROWS, Input((6,), classes=5, numbers=[0, 255, 3, 4, 255, 1])], lambda x, y: F.cross_entropy(x, y, ignore_index=255))
case("cross_entropy_smooth", "cross_entropy", "x.cross_entropy(y, label_smoothing = 0.1)", [ROWS, TARGETS],
     lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1))
for reduction in ("mean", "sum", "none"):
    case(f"cross_entropy_probable_{reduction}", "cross_entropy",
         f'x.cross_entropy(y, z, label_smoothing = 0.2, reduction = "{reduction}")', [(3, 5, 4), Input((3, 5, 4), 0.05, 0.4), FACTORS],
         lambda x, y, z, r=reduction: F.cross_entropy(x, y, z, label_smoothing=0.2, reduction=r))
case("cross_entropy_probable", "cross_entropy", "x.cross_entropy(y)", [ROWS, Input(ROWS, 0.05, 0.4, grad=False)], F.cross_entropy)
case("cross_entropy_probable_row", "cross_entropy", "x.cross_entropy(y)", [(5,), Input((5,), 0.05, 0.4)], F.cross_entropy)
case("nll_loss", "nll_loss", "x.nll_loss(y)", [ROWS, TARGETS], F.nll_loss)
case("nll_loss_all", "nll_loss", "x.nll_loss(y, z, ignore_index = 1)", [(3, 5, 4), PIXELS, FACTORS],
     lambda x, y, z: F.nll_loss(x, y, z, ignore_index=1))
case("nll_loss_sum", "nll_loss", 'x.nll_loss(y, z, reduction = "sum")', [ROWS, TARGETS, FACTORS],
     lambda x, y, z: F.nll_loss(x, y, z, reduction="sum"))

# Losses element by element.
TABLE, ROW = (4, 7), (7,)
PROBABLE = Input(TABLE, 0.05, 0.95)
for reduction in ("mean", "sum", "none"):
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"):
        case(f"{name}_{reduction}", name, f'x.{name}(y, reduction = "{reduction}")', [TABLE, TABLE],
             lambda x, y, f=getattr(F, name), r=reduction: f(x, y, reduction=r))
    case(f"binary_cross_entropy_{reduction}", "binary_cross_entropy", f'x.binary_cross_entropy(y, z, reduction = "{reduction}")',
         [PROBABLE, Input(TABLE, 0.1, 0.9, grad=False), Input(ROW, 0.5, 1.5, grad=False)],
         lambda x, y, z, r=reduction: F.binary_cross_entropy(x, y, z.expand(4, 7), reduction=r))
    case(f"bce_with_logits_{reduction}", "binary_cross_entropy_with_logits",
         f'x.binary_cross_entropy_with_logits(y, pos_weight = z, reduction = "{reduction}")',
         [TABLE, Input(TABLE, 0.0, 1.0, grad=False), Input(ROW, 0.5, 1.5, grad=False)],
         lambda x, y, z, r=reduction: F.binary_cross_entropy_with_logits(x, y, pos_weight=z, reduction=r))
for log in (False, True):
    for reduction in ("batchmean", "mean", "none"):
        written = "true" if log else "false"
        target = Input(TABLE, -2.0, 0.5) if log else PROBABLE
        case(f"kl_div_{reduction}_{written}", "kl_div", f'x.kl_div(y, reduction = "{reduction}", log_target = {written})', [TABLE, target],
             lambda x, y, r=reduction, log=log: F.kl_div(x, y, reduction=r, log_target=log))
case("kl_div_zero", "kl_div", 'x.kl_div(y, reduction = "sum")', [Input((4,)), Input((4,), values=[0.0, 1.0, 0.25, 1.0], grad=False)],
     lambda x, y: F.kl_div(x, y, reduction="sum"))
case("smooth_l1_loss_beta", "smooth_l1_loss", "x.smooth_l1_loss(y, beta = 0.5)", [TABLE, TABLE], lambda x, y: F.smooth_l1_loss(x, y, beta=0.5))
case("smooth_l1_loss_line", "smooth_l1_loss", "x.smooth_l1_loss(y, beta = 0)", [TABLE, TABLE], lambda x, y: F.smooth_l1_loss(x, y, beta=0))
case("huber_loss_delta", "huber_loss", "x.huber_loss(y, delta = 0.5)", [TABLE, TABLE], lambda x, y: F.huber_loss(x, y, delta=0.5))
case("bce_with_logits_far", "binary_cross_entropy_with_logits", "x.binary_cross_entropy_with_logits(y, z)",
     [Input(TABLE, -90.0, 90.0), Input(TABLE, 0.0, 1.0, grad=False), Input(TABLE, 0.5, 1.5, grad=False)], F.binary_cross_entropy_with_logits)
case("bce_with_logits_tie", "binary_cross_entropy_with_logits", "x.binary_cross_entropy_with_logits(y)",
     [Input((4,), values=[0.0, 1.0, 0.0, -1.0]), Input((4,), values=[0.0, 1.0, 1.0, 0.5], grad=False)],
     F.binary_cross_entropy_with_logits, tie=True)

# Attention: x the query, y the key, z the value, u the mask.
NAME = "scaled_dot_product_attention"
HEADS = [(2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 4)]
case("attention", NAME, f"x.{NAME}(y, z)", HEADS, F.scaled_dot_product_attention)
case("attention_causal", NAME, f"x.{NAME}(y, z, is_causal = true)", HEADS, lambda x, y, z: F.scaled_dot_product_attention(x, y, z, is_causal=True))
case("attention_scale", NAME, f"x.{NAME}(y, z, scale = 0.7)", HEADS, lambda x, y, z: F.scaled_dot_product_attention(x, y, z, scale=0.7))
case("attention_broadcast", NAME, f"x.{NAME}(y, z)", [(2, 1, 5, 8), (3, 7, 8), (3, 7, 4)],
     lambda x, y, z: F.scaled_dot_product_attention(x.expand(2, 3, 5, 8), y.expand(2, 3, 7, 8), z.expand(2, 3, 7, 4)))
case("attention_added", NAME, f"x.{NAME}(y, z, attn_mask = u)", [*HEADS, (5, 7)], F.scaled_dot_product_attention)
case("attention_mask", NAME, f"x.{NAME}(y, z, u)", [*HEADS, Input((2, 1, 1, 7), truths=[1, 1, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0])],
     F.scaled_dot_product_attention)
case("attention_nothing", NAME, f"x.{NAME}(y, z, u)", [(3, 4), (2, 4), (2, 4), Input((3, 2), truths=[1, 0, 0, 0, 1, 1])],
     F.scaled_dot_product_attention)

# Statistics.
CUBE = (3, 5, 7)
AXES = {"": ("", None, False), "_last": ("-1", -1, False), "_two": ("[0, 2]", [0, 2], False), "_keepdim": ("1, keepdim = true", 1, True)}
for name in ("var", "std", "logsumexp"):
    f = getattr(torch, name)
    for suffix, (text, dim, keepdim) in AXES.items():
        if dim is not None or name != "logsumexp":
            case(name + suffix, name, f"x.{name}({text})", [CUBE], lambda x, f=f, d=dim, k=keepdim: f(x, dim=d, keepdim=k))
case("var_biased", "var", "x.var(1, unbiased = false)", [CUBE], lambda x: x.var(1, unbiased=False))
case("var_correction", "var", "x.var([0, 1], correction = 3)", [CUBE], lambda x: x.var([0, 1], correction=3))
case("logsumexp_far", "logsumexp", "x.logsumexp(1)", [Input((5, 7), 98.0, 102.0)], lambda x: x.logsumexp(1))

# Products of all ranks.
case("mm", "mm", "x.mm(y)", [(5, 7), (7, 3)], torch.mm)
case("bmm", "bmm", "x.bmm(y)", [(2, 5, 7), (2, 7, 3)], torch.bmm)
case("matmul_dot", "matmul", "x.matmul(y)", [(7,), (7,)], torch.matmul)
case("matmul_vector_matrix", "matmul", "x.matmul(y)", [(7,), (7, 3)], torch.matmul)
case("matmul_vector_batch", "matmul", "x.matmul(y)", [(7,), (2, 7, 3)], torch.matmul)
case("matmul_matrix_vector", "matmul", "x.matmul(y)", [(5, 7), (7,)], torch.matmul)
case("matmul_batch_vector", "matmul", "x.matmul(y)", [(2, 3, 5, 7), (7,)], torch.matmul)
case("matmul_matrix_batch", "matmul", "x.matmul(y)", [(5, 7), (2, 3, 7, 4)], torch.matmul)

# Masks and copies.
for name in ("tril", "triu"):
    for diagonal in (0, 1, -2):
        case(f"{name}_{diagonal}", name, f"x.{name}({diagonal})", [(2, 5, 4)], lambda x, f=getattr(torch, name), d=diagonal: f(x, d))
case("masked_fill", "masked_fill", "x.masked_fill(y, -1.5)", [(3, 4), Input((4,), truths=[1, 0, 0, 1])], lambda x, y: x.masked_fill(y, -1.5))
case("masked_fill_wide", "masked_fill", "x.masked_fill(y, z)", [(4,), Input((3, 4), truths=[1, 0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 1]), ()],
     lambda x, y, z: torch.masked_fill(x, y, z))
case("expand", "expand", "x.expand([2, -1, 4])", [(3, 1)], lambda x: x.expand(2, -1, 4))
case("repeat", "repeat", "x.repeat([2, 1, 3])", [(3, 4)], lambda x: x.repeat(2, 1, 3))
case("expand_one_by_one", "expand", "x.expand(2, -1, 4)", [(3, 1)], lambda x: x.expand(2, -1, 4))
case("repeat_one_by_one", "repeat", "x.repeat(2, 1, 3)", [(3, 4)], lambda x: x.repeat(2, 1, 3))
case("tile", "tile", "x.tile(2)", [(3, 4)], lambda x: x.tile(2))
case("tile_all", "tile", "x.tile([2, 1, 3])", [(3, 4)], lambda x: x.tile(2, 1, 3))
case("repeat_interleave", "repeat_interleave", "x.repeat_interleave(3, dim = 0)", [(3, 4)], lambda x: x.repeat_interleave(3, dim=0))
case("repeat_interleave_all", "repeat_interleave", "x.repeat_interleave(2)", [(3, 4)], lambda x: x.repeat_interleave(2))
