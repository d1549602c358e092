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
