"""Writes signatures.json: the arguments of PyTorch's layers and functions in PyTorch's order, for `graph/tests/argument_lists.rs`.

    python tests/golden/signatures.py      # made with torch 2.15.0

The names of layers and operators are those of docs/operators.md. Layers are asked by `inspect.signature`; so are functions, where they are
written in Python, else the first lines of their documentation say it. `*` stands before what is given by name only. What PyTorch does not have
is left out.
"""
import inspect
import json
import pathlib
import re
import typing

import torch
from torch.nn import functional as F

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "operators.md"
RENAMED = {"where_": "where"}


def of_callable(f, skip=0):
    names = []
    for parameter in list(inspect.signature(f).parameters.values())[skip:]:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in names:
            names.append("*")
        names.append(parameter.name)
    return names


def of_layer(name):
    kind = getattr(torch.nn, name, None)
    if kind is None:
        return None
    overloads = typing.get_overloads(kind.__init__)
    return of_callable(overloads[0] if overloads else kind.__init__, skip=1)


def of_text(text):
    """`conv2d(input, weight, bias=None)`: names, without defaults."""
    names = []
    for part in re.split(r",(?![^(\[]*[)\]])", text):
        name = part.split("=")[0].strip()
        if name == "*":
            names.append("*")
        elif name:
            names.append(name.lstrip("*").split(":")[0])
    return [name for name in names if name == "*" or name.isidentifier()]


def of_doc(f, name):
    """The longest of the forms that the documentation shows."""
    doc = f.__doc__ or ""
    found = re.findall(rf"^\s*(?:\.\. (?:function|method):: )?{re.escape(name)}\((.*?)\)(?: ->|\s*$)", doc, re.M | re.S)
    forms = [of_text(" ".join(form.split())) for form in found]
    return max(forms, key=len) if forms else None


def of_function(name):
    name = RENAMED.get(name, name)
    for module in (F, torch, torch.Tensor):
        f = getattr(module, "_" + name, None) if module is F else None
        f = f if inspect.isfunction(f) else getattr(module, name, None)
        if f is None:
            continue
        names = of_callable(f) if inspect.isfunction(f) else of_doc(f, name)
        if names and names != ["args", "kwargs"]:
            return ["input", *names] if module is torch.Tensor and names[0] != "self" else names
    return None


def main():
    page = PAGE.read_text()
    functions, layers = page.split("\n## Layers\n")
    listed = lambda text: re.findall(r"^\| `(\w+)\(", text, re.M)
    signatures = {
        "layers": {name: of_layer(name) for name in listed(layers)},
        "functions": {name: of_function(name) for name in listed(functions)},
    }
    signatures = {kind: {name: names for name, names in all.items() if names} for kind, all in signatures.items()}
    (HERE / "signatures.json").write_text(json.dumps(signatures, indent=1).replace("\n   ", " ").replace("\n  ]", " ]") + "\n")


if __name__ == "__main__":
    main()
