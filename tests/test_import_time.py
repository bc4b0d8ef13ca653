"""What is imported when: help and ``import mlphonon`` are quick because they load little.

Modules are counted, not seconds: a busy machine must not fail a test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mlphonon

HEAVY = {"ase", "e3nn", "mace", "matplotlib", "phonopy", "scipy", "seekpath", "spglib", "torch"}

SHOW = "import json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"

RUN = """
import contextlib, io, sys
from mlphonon.cli.app import main
sys.argv = ["mlphonon", *sys.argv[1:]]
with contextlib.redirect_stdout(io.StringIO()):
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, ended.code
"""


def loaded(program: str, *arguments: str) -> set[str]:
    """Return the packages that are there after `program` has run in a fresh process."""
    root = str(Path(mlphonon.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{SHOW}", *arguments],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout))


def test_import_mlphonon_loads_nothing_else() -> None:
    assert not loaded("import mlphonon") & (HEAVY | {"numpy", "pydantic", "typer", "yaml"})


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("phonons", "--help"),
        ("train", "--help"),
        ("potentials", "list"),
        ("potentials", "info", "embedded"),
    ],
)
def test_light_commands_load_no_heavy_package(arguments: tuple[str, ...]) -> None:
    assert not loaded(RUN, *arguments) & (HEAVY | {"numpy"})


def test_naming_the_functions_loads_no_torch() -> None:
    program = "from mlphonon import PhononSettings, Phonons, compute_phonons, load_potential"
    assert not loaded(program) & {"torch", "mace", "e3nn", "matplotlib", "phonopy"}


def test_every_public_name_is_there() -> None:
    for name in mlphonon.__all__:
        assert getattr(mlphonon, name).__name__ == name
        assert name in dir(mlphonon)
    with pytest.raises(AttributeError, match="no attribute 'phonon'"):
        _ = mlphonon.phonon
