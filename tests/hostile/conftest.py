"""The program as in tests/cli, and the files that strangers are to have touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from phonopy import Phonopy
from phonopy.file_IO import write_FORCE_SETS

from mlphonon import Phonons
from mlphonon.force_constants.cells import to_phonopy
from tests.cli.conftest import call

__all__ = ["call"]


@pytest.fixture(scope="session")
def result(rocksalt_phonons: Phonons, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of a result, to be copied."""
    return rocksalt_phonons.save(tmp_path_factory.mktemp("results") / "salt")


@pytest.fixture(scope="session")
def calculation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as phonopy leaves it, to be copied: 8 atoms of copper, one displaced."""
    folder = tmp_path_factory.mktemp("calculations") / "Cu"
    folder.mkdir()
    cell = to_phonopy(bulk("Cu", cubic=True))
    phonopy = Phonopy(cell, np.diag([2, 1, 1]), "auto", log_level=0)
    phonopy.generate_displacements(distance=0.01)
    forces = []
    for moved in phonopy.supercells_with_displacements:
        atoms = Atoms(moved.symbols, moved.positions, cell=moved.cell, pbc=True, calculator=EMT())
        forces.append(atoms.get_forces())
    phonopy.save(folder / "phonopy_disp.yaml", settings={"force_sets": False})
    phonopy.forces = forces
    write_FORCE_SETS(phonopy.dataset, folder / "FORCE_SETS")
    return folder
