"""More cases of operators: other shapes of the same elements, elements by their place, joining and splitting, order and borders. As
operators.py."""
import torch
from torch.nn import functional as F

import operators
from operators import Input

CASES = []


def case(*args, **named):
    operators.case(*args, **named, to=CASES)


TABLE, CUBE = (3, 7), (2, 3, 5)

# Shape.
case("reshape", "reshape", "x.reshape([6, 5])", [CUBE], lambda x: x.reshape(6, 5))
case("reshape_rest", "reshape", "x.reshape([5, -1])", [CUBE], lambda x: x.reshape(5, -1))
case("flatten", "flatten", "x.flatten()", [CUBE], torch.flatten)
case("flatten_rest", "flatten", "x.flatten(1)", [CUBE], lambda x: x.flatten(1))
case("flatten_first", "flatten", "x.flatten(0, 1)", [CUBE], lambda x: x.flatten(0, 1))
case("permute", "permute", "x.permute([2, 0, 1])", [CUBE], lambda x: x.permute(2, 0, 1))
case("permute_reshaped", "permute", "x.permute([2, 0, 1]).reshape([10, 3])", [CUBE], lambda x: x.permute(2, 0, 1).reshape(10, 3))
case("permute_one_by_one", "permute", "x.permute(2, 0, 1)", [CUBE], lambda x: x.permute(2, 0, 1))
case("reshape_one_by_one", "reshape", "x.reshape(10, -1)", [CUBE], lambda x: x.reshape(10, -1))
case("view", "view", "x.view(5, 6)", [CUBE], lambda x: x.reshape(5, 6))
case("view_list", "view", "x.view([-1])", [CUBE], lambda x: x.reshape(-1))
case("transpose", "transpose", "x.transpose(0, -1)", [CUBE], lambda x: x.transpose(0, -1))
case("t", "t", "x.t()", [TABLE], torch.t)
case("unsqueeze", "unsqueeze", "x.unsqueeze(1) * y", [TABLE, (3, 4, 1)], lambda x, y: x.unsqueeze(1) * y)
case("unsqueeze_last", "unsqueeze", "x.unsqueeze(-1)", [TABLE], lambda x: x.unsqueeze(-1))
case("squeeze", "squeeze", "x.squeeze()", [(1, 3, 1, 7)], torch.squeeze)
case("squeeze_one", "squeeze", "x.squeeze(2)", [(1, 3, 1, 7)], lambda x: x.squeeze(2))

# Elements by their place.
case("select", "select", "x.select(1, 2)", [CUBE], lambda x: x.select(1, 2))
case("select_last", "select", "x.select(-1, -1)", [CUBE], lambda x: x.select(-1, -1))
case("narrow", "narrow", "x.narrow(2, 1, 3)", [CUBE], lambda x: x.narrow(2, 1, 3))
case("gather", "gather", "x.gather(1, y)", [TABLE, Input((3, 4), classes=7)], lambda x, y: x.gather(1, y))
case("gather_first", "gather", "x.gather(0, y)", [TABLE, Input((5, 7), classes=3)], lambda x, y: x.gather(0, y))
case("gather_again", "gather", "x.gather(1, y)", [TABLE, Input((3, 4), numbers=[1, 1, 1, 6, 0, 0, 0, 0, 3, 2, 3, 2])], lambda x, y: x.gather(1, y))
case("index_select", "index_select", "x.index_select(1, y)", [CUBE, Input((4,), numbers=[2, 0, 2, 1])], lambda x, y: x.index_select(1, y))
case("index_list", "index_select", "y[x]", [Input((4,), numbers=[2, 0, 2, 1]), (3, 2, 4)], lambda x, y: y[x])
case("index_matrix", "index_select", "y[x]", [Input((2, 3), numbers=[2, 0, 2, 1, 1, 1]), (3, 2, 4)], lambda x, y: y[x])
case("index_scalar", "index_select", "y[x]", [Input((), numbers=[1]), (3, 2, 4)], lambda x, y: y[x])
case("embedding", "embedding", "y.embedding(x)", [(6, 4), Input((3, 5), classes=6)], lambda x, y: F.embedding(y, x))
case("embedding_scalar", "embedding", "y.embedding(x)", [(6, 4), Input((), numbers=[3])], lambda x, y: F.embedding(y, x))
case("embedding_padding", "embedding", "y.embedding(x, padding_idx = 2)", [(6, 4), Input((5,), numbers=[2, 1, 2, 5, 1])],
     lambda x, y: F.embedding(y, x, padding_idx=2))
case("one_hot", "one_hot", "x.one_hot(5)", [Input((3, 4), classes=5)], lambda x: F.one_hot(x, 5))
case("one_hot_used", "one_hot", "(x.one_hot(5).cast(f32) * y).sum(-1)", [Input((3, 4), classes=5), (4, 5)],
     lambda x, y: (F.one_hot(x, 5).to(y.dtype) * y).sum(-1))

# Joining and splitting.
case("cat", "cat", "cat([x, y, x])", [(2, 5), (3, 5)], lambda x, y: torch.cat([x, y, x]))
case("cat_last", "cat", "cat([x, y, z], dim = -1)", [(2, 3, 5), (2, 3, 1), (2, 3, 4)], lambda x, y, z: torch.cat([x, y, z], -1))
case("cat_channels", "cat", "cat([x, y], 1)", [(2, 3, 4, 5), (2, 2, 4, 5)], lambda x, y: torch.cat([x, y], 1))
case("stack", "stack", "stack([x, y])", [TABLE, TABLE], lambda x, y: torch.stack([x, y]))
case("stack_last", "stack", "stack([x, y, x], -1)", [TABLE, TABLE], lambda x, y: torch.stack([x, y, x], -1))
case("stack_middle", "stack", "stack([x, y], dim = 1)", [TABLE, TABLE], lambda x, y: torch.stack([x, y], 1))
for i in range(3):
    case(f"split_{i}", "split", f"x.split(3, dim = 1)[{i}]", [TABLE], lambda x, i=i: x.split(3, 1)[i])
    case(f"split_sections_{i}", "split", f"x.split([2, 4, 1], -1)[{i}]", [TABLE], lambda x, i=i: x.split([2, 4, 1], -1)[i])
    case(f"chunk_{i}", "chunk", f"x.chunk(3, dim = 1)[{i}]", [TABLE], lambda x, i=i: x.chunk(3, 1)[i])
case("split_used", "split", "x.split(4)[0] * x.split(4)[1]", [(8, 3)], lambda x: x.split(4)[0] * x.split(4)[1])
case("chunk_even", "chunk", "x.chunk(2)[1]", [(6, 3)], lambda x: x.chunk(2)[1])
case("unbind", "unbind", "x.unbind()[1]", [CUBE], lambda x: x.unbind()[1])
case("unbind_last", "unbind", "x.unbind(-1)[4] - x.unbind(-1)[0]", [CUBE], lambda x: x.unbind(-1)[4] - x.unbind(-1)[0])

# Order and borders.
case("flip", "flip", "x.flip([1])", [CUBE], lambda x: x.flip([1]))
case("flip_one_by_one", "flip", "x.flip(0, -1)", [CUBE], lambda x: x.flip(0, -1))
case("flip_two", "flip", "x.flip([0, -1])", [CUBE], lambda x: x.flip([0, -1]))
case("roll", "roll", "x.roll(2, 1)", [TABLE], lambda x: x.roll(2, 1))
case("roll_back", "roll", "x.roll(-3, dims = -1)", [TABLE], lambda x: x.roll(-3, -1))
case("roll_two", "roll", "x.roll([1, 4], [0, 2])", [CUBE], lambda x: x.roll([1, 4], [0, 2]))
case("roll_all", "roll", "x.roll(4)", [TABLE], lambda x: x.roll(4))
case("pad", "pad", "x.pad([1, 2])", [TABLE], lambda x: F.pad(x, [1, 2]))
case("pad_two", "pad", "x.pad([0, 1, 2, 0], value = -1.5)", [CUBE], lambda x: F.pad(x, [0, 1, 2, 0], value=-1.5))
case("pad_cut", "pad", "x.pad([-1, -2, 0, 1])", [CUBE], lambda x: F.pad(x, [-1, -2, 0, 1]))
for mode in ("reflect", "replicate", "circular"):
    case(f"pad_{mode}", "pad", f'x.pad([2, 1], mode = "{mode}")', [CUBE], lambda x, m=mode: F.pad(x, [2, 1], mode=m))
    case(f"pad_{mode}_image", "pad", f'x.pad([1, 2, 2, 1], mode = "{mode}")', [(1, 2, 4, 5)], lambda x, m=mode: F.pad(x, [1, 2, 2, 1], mode=m))
