"""Sizes that nothing holds are refused before any work, in one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ase import Atoms
from ase.io import write
from pydantic import ValidationError

from mlphonon.anharmonic.effective.settings import EffectiveSettings
from mlphonon.anharmonic.sscha.settings import SschaSettings
from mlphonon.crystal.crystal import make_crystal, read_crystals
from mlphonon.errors import CrystalError
from tests.cli.conftest import EXAMPLES, Call


@pytest.mark.parametrize(
    "options",
    [
        ("--min-length", "1e308"),
        ("--min-length", "1e5"),
        ("--min-length", "inf"),
        ("--min-length", "nan"),
        ("--mesh", "1e308"),
        ("--mesh", "100000"),
        ("--displacement", "1e-308"),
        ("--displacement", "1e308"),
        ("--supercell", "99999999999999999999 1 1"),
        ("--supercell", "99999 99999 99999"),
        ("--temperatures", "0:1e308:1"),
        ("-o", ""),
        ("-o", "."),
    ],
)
def test_of_phonons(call: Call, options: tuple[str, ...]) -> None:
    line = call("phonons", EXAMPLES / "NaCl.cif", *options, "--quiet").refusal()
    assert len(line) < 500


@pytest.mark.parametrize(
    "cell",
    [
        [1e5, 1e5, 1e5],
        [2e3, 5, 5],
        [60, 60, 60],
        [1e200, 1e200, 1e200],
        [[500, 0, 0], [499, 0.01, 0], [0, 0, 500]],
        [[900, 0, 0], [900, 1e-6, 0], [0, 0, 900]],
    ],
)
def test_of_cells(cell: list, tmp_path: Path) -> None:
    atoms = Atoms("NaCl", cell=cell, pbc=True, scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(CrystalError, match=r"too large, too empty or too flat"):
        make_crystal(atoms)
    write(tmp_path / "a.vasp", atoms)
    with pytest.raises(CrystalError):
        read_crystals(tmp_path / "a.vasp")


def test_molecule_in_a_box_is_a_crystal() -> None:
    water = Atoms("OH2", positions=[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]], cell=[20] * 3)
    water.pbc = True
    assert make_crystal(water).formula == "H2O"


def test_pipes_are_not_waited_for(call: Call, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.cif")
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "no file" in call("phonons", "pipe.cif").refusal()
    assert "there is no pipe.cif" in call("screen", "run", "pipe.cif").refusal()
    salt = EXAMPLES / "NaCl.cif"
    assert "not a file" in call("phonons", salt, "--settings", "pipe.yaml").refusal()


@pytest.mark.parametrize(
    "options", [("--temperature", "1e308"), ("--temperature", "-1"), ("--snapshots", "1e12")]
)
def test_of_phonons_at_temperature(call: Call, options: tuple[str, ...]) -> None:
    done = call("phonons-at-temperature", EXAMPLES / "NaCl.cif", *options, "--quiet")
    assert done.code == 2
    assert "Traceback" not in done.err
    assert not done.new


@pytest.mark.parametrize("mesh", ["1e308", "5000 2 2", "nan"])
def test_of_thermal_conductivity(call: Call, mesh: str) -> None:
    line = call("thermal-conductivity", EXAMPLES / "NaCl.cif", "--mesh", mesh, "--quiet").refusal()
    assert "'mesh'" in line


@pytest.mark.parametrize("settings", [SschaSettings, EffectiveSettings])
def test_of_samples(settings: type) -> None:
    for name in ("snapshots", "min_length"):
        with pytest.raises(ValidationError, match="less than or equal"):
            settings(**{name: 10**12})
