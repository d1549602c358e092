"""More cases of operators: routines over rows, forward and backward. As operators.py; their edges are in routines.py."""
import torch

import operators
from operators import Input

CASES = []


def case(*args, **named):
    operators.case(*args, **named, to=CASES)


TABLE, CUBE = (3, 7), (2, 3, 5)

# Order.
for dim in (0, 1, -1):
    case(f"sort_{dim}", "sort", f"x.sort({dim})[0] * y", [CUBE, CUBE], lambda x, y, dim=dim: x.sort(dim)[0] * y)
case("sort_down", "sort", "x.sort(1, true)[0] * y", [CUBE, CUBE], lambda x, y: x.sort(1, True)[0] * y)
case("sort_both", "sort", "x.sort()[0] * x.sort()[1].cast(f32)", [TABLE], lambda x: x.sort()[0] * x.sort()[1])
case("argsort", "argsort", "y.gather(0, x.argsort(0))", [Input(CUBE, grad=False), CUBE], lambda x, y: y.gather(0, x.argsort(0)))

# Running sums.
for dim in (0, 1, -1):
    case(f"cumsum_{dim}", "cumsum", f"x.cumsum({dim}) * y", [CUBE, CUBE], lambda x, y, dim=dim: x.cumsum(dim) * y)
case("cumsum_one", "cumsum", "x.cumsum(1)", [(5, 1)], lambda x: x.cumsum(1))
for dim in (0, 1, -1):
    case(f"cumprod_{dim}", "cumprod", f"x.cumprod({dim}) * y", [CUBE, CUBE], lambda x, y, dim=dim: x.cumprod(dim) * y)
    case(f"logcumsumexp_{dim}", "logcumsumexp", f"x.logcumsumexp({dim}) * y", [CUBE, CUBE], lambda x, y, dim=dim: x.logcumsumexp(dim) * y)
ZEROS = Input((3, 5), values=[0.5, 0, 2, -1, 3, 0, 1.5, 0, 2, -2, 0.5, 1, 2, 3, 0])
case("cumprod_zeros", "cumprod", "x.cumprod(1) * y", [ZEROS, (3, 5)], lambda x, y: x.cumprod(1) * y)

# Products, extremes with their places, sums at places.
case("prod", "prod", "x.prod()", [TABLE], torch.prod)
for dim in (0, 1, -1):
    case(f"prod_{dim}", "prod", f"x.prod({dim}, keepdim = true) * y", [CUBE, CUBE], lambda x, y, dim=dim: x.prod(dim, keepdim=True) * y)
    for name in ("max", "min"):
        case(f"{name}_{dim}", name, f"x.{name}({dim})[0].sin()", [CUBE], lambda x, name=name, dim=dim: getattr(x, name)(dim)[0].sin())
case("prod_zeros", "prod", "x.prod(1) * y", [ZEROS, (3,)], lambda x, y: x.prod(1) * y)
case("max_all", "max", "x.max() * x.min()", [TABLE], lambda x: x.max() * x.min())
case("max_keep", "max", "x.max(1, true)[0] * x", [TABLE], lambda x: x.max(1, True)[0] * x)
case("topk", "topk", "x.topk(3)[0] * y", [CUBE, (2, 3, 3)], lambda x, y: x.topk(3)[0] * y)
case("topk_least", "topk", "x.topk(2, 1, false)[0] * y", [CUBE, (2, 2, 5)], lambda x, y: x.topk(2, 1, False)[0] * y)
case("scatter_add", "scatter_add", "x.scatter_add(1, y, z).sin()", [TABLE, Input((3, 4), numbers=[1, 1, 1, 6, 0, 0, 0, 0, 3, 2, 3, 2]), (3, 4)],
     lambda x, y, z: x.scatter_add(1, y, z).sin())
case("scatter_add_first", "scatter_add", "x.scatter_add(0, y, z)", [TABLE, Input((5, 7), classes=3), (5, 7)], lambda x, y, z: x.scatter_add(0, y, z))
case("searchsorted", "searchsorted", "x.searchsorted(y)", [Input((5,), values=[-1.5, -0.5, 0.25, 0.75, 1.5], grad=False), Input(TABLE, grad=False)],
     lambda x, y: torch.searchsorted(x, y))
for dim in (0, 1, -1):
    case(f"median_{dim}", "median", f"x.median({dim}, true)[0] * y", [CUBE, CUBE], lambda x, y, dim=dim: x.median(dim, True)[0] * y)
case("nonzero", "nonzero", "x.nonzero()[1]", [Input((2, 3), values=[0, 1, -0.0, 2, 0, 3], grad=False)], lambda x: (x != 0).sum())
