"""Nowhere in the package is anything unpickled, but in the places below, for the reasons there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlphonon

PACKAGE = Path(mlphonon.__file__).parent

ALLOWED = {
    "potentials/mace/pickled.py: torch.load": "the one that --allow-pickle allows",
    "screening/calculation.py: pickle.loads": "of bytes that the same process has just pickled",
}

ALWAYS = {
    ("pickle", "load"),
    ("pickle", "loads"),
    ("pickle", "Unpickler"),
    ("marshal", "loads"),
    ("shelve", "open"),
    ("joblib", "load"),
    ("dill", "loads"),
    ("cloudpickle", "loads"),
    ("pandas", "read_pickle"),
    ("jsonpickle", "decode"),
    ("jit", "load"),
}
"""Module and function that unpickle, or run, what they read."""

SAFE_WITH = {("torch", "load"): ("weights_only", True), ("np", "load"): ("allow_pickle", False)}
"""Those that do not if they are told; numpy's default is safe, and is written out all the same."""


def unpickling(source: str) -> Iterator[str]:
    """Yield the calls that unpickle."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            module = node.module.rpartition(".")[2]
            names = {(module, alias.name) for alias in node.names}
            if names & (ALWAYS | SAFE_WITH.keys() | {("numpy", "load")}):
                yield f"from {node.module} import {', '.join(sorted(n for _, n in names))}"
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = ast.unparse(node.func.value).rpartition(".")[2]
        call = (owner, node.func.attr)
        needed = SAFE_WITH.get(call)
        said = {word.arg: ast.unparse(word.value) for word in node.keywords}
        safe = needed is not None and said.get(needed[0]) == str(needed[1])
        if call in ALWAYS or (needed is not None and not safe):
            yield ".".join(call)


def test_nothing_is_unpickled_but_what_is_allowed() -> None:
    found = {
        f"{path.relative_to(PACKAGE).as_posix()}: {call}"
        for path in sorted(PACKAGE.rglob("*.py"))
        # Those run in environments of other programs, on weights that were vouched for.
        if "families" not in path.parts
        for call in unpickling(path.read_text(encoding="utf-8"))
    }
    assert found == ALLOWED.keys()


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "torch.load(file, weights_only=trusted)",
        "torch.load(file, None, pickle)",
        "torch.jit.load(file)",
        "np.load(file)",
        "np.load(file, allow_pickle=True)",
        "pickle.load(file)",
        "pickle.loads(data)",
        "pickle.Unpickler(file).load()",
        "from pickle import loads",
        "from torch import load",
        "from numpy import load",
    ],
)
def test_the_search_finds(source: str) -> None:
    assert list(unpickling(source))


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(file, map_location='cpu', weights_only=True)",
        "np.load(file, allow_pickle=False)",
        "json.load(file)",
        "Phonons.load(folder)",
    ],
)
def test_the_search_passes(source: str) -> None:
    assert not list(unpickling(source))
