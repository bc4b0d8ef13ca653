"""What import-linter cannot see of the house: names in strings, and files of other environments."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlphonon
from tests.helpers.skips import unknown_skips

PACKAGE = Path(mlphonon.__file__).parent
FAMILIES = sorted((PACKAGE / "potentials" / "named" / "families").glob("*.py"))
NAME = re.compile(r"mlphonon(\.\w+)+:\w+")
"""``module:function``: how what lies below names what lies above, such as its figures."""


def names_in_strings() -> Iterator[tuple[str, str]]:
    """Yield each such string of the package, and where it stands."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and NAME.fullmatch(str(node.value)):
                yield str(path.relative_to(PACKAGE)), node.value


@pytest.mark.parametrize(
    ("place", "name"), [pytest.param(*found, id=":".join(found)) for found in names_in_strings()]
)
def test_names_that_are_resolved_when_asked_for_are_there(place: str, name: str) -> None:
    module, function = name.split(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_public_names_live_where_they_are_said_to() -> None:
    assert sorted(mlphonon.__all__) == sorted(mlphonon._HOMES)
    for name, home in mlphonon._HOMES.items():
        assert getattr(importlib.import_module(home), name) is getattr(mlphonon, name)


@pytest.mark.parametrize("path", FAMILIES, ids=lambda path: path.stem)
def test_adapters_run_where_mlphonon_is_not(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).split(".")[0])
    assert imported
    assert "mlphonon" not in imported


def test_skips_are_known_by_their_whole_reason() -> None:
    known = ["root writes anywhere", "no phonopy-examples in /data"]
    unknown = ["root writes anywhere today", "could not import 'parsl'"]
    assert unknown_skips([*known, *unknown]) == unknown
