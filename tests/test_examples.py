"""The example crystals are what their names say, and the overview is drawn from saved results."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from mlphonon import compute_phonons, read_crystals

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(
    ("name", "spacegroup", "formula", "n_atoms", "bond"),
    [
        ("CaTiO3", "Pm-3m (221)", {"Ca": 1, "Ti": 1, "O": 3}, 5, 1.948),
        ("KCl", "Fm-3m (225)", {"K": 1, "Cl": 1}, 2, 3.146),
        ("NaCl", "Fm-3m (225)", {"Na": 1, "Cl": 1}, 2, 2.820),
        ("Si", "Fd-3m (227)", {"Si": 2}, 2, 2.352),
        ("quartz", "P3_221 (154)", {"Si": 3, "O": 6}, 9, 1.605),
    ],
)
def test_crystals(
    name: str, spacegroup: str, formula: dict[str, int], n_atoms: int, bond: float
) -> None:
    (crystal,) = read_crystals(EXAMPLES / f"{name}.cif")
    assert (crystal.name, crystal.spacegroup, crystal.notes) == (name, spacegroup, ())
    assert len(crystal.atoms) == n_atoms
    assert crystal.atoms.symbols.formula.count() == formula
    cell = crystal.atoms * (2, 2, 2)
    distances = cell.get_all_distances(mic=True)
    assert np.min(distances[distances > 0.1]) == pytest.approx(bond, abs=0.001)


def test_overview(tmp_path: Path) -> None:
    for symbol in ("Cu", "Al"):
        result = compute_phonons(bulk(symbol), EMT(), relax=False, min_length=5, mesh=15)
        result.save(tmp_path / symbol)
    command = [sys.executable, EXAMPLES / "overview.py"]
    root = {"PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run([*command, tmp_path], capture_output=True, text=True, env=root)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "overview.png")
    assert (tmp_path / "overview.png").read_bytes().startswith(b"\x89PNG")

    empty = subprocess.run([*command, EXAMPLES], capture_output=True, text=True, env=root)
    assert empty.returncode == 1
    assert "no results in" in empty.stderr
