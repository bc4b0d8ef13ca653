"""References that were made of springs, with phonopy alone, in whatever cell they are given."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import make_supercell
from phonopy import Phonopy

from mlphonon.evaluation.metrics.spectrum import Spectrum
from mlphonon.evaluation.protocol import Protocol
from mlphonon.evaluation.references.reference import ReferenceCrystal
from mlphonon.force_constants.cells import to_ase, to_phonopy
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from tests.helpers.crystals import quartz
from tests.helpers.springs import NetworkSprings

STEP = 1e-3
"""A; small, since directions of displacement differ between cells and these springs are not
quite linear."""

PROTOCOL = Protocol(structures=("dft",), displacement=STEP)

OBLIQUE = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 2]])
"""Rows of a sheared, doubled cell."""


def make_reference(
    atoms: Atoms, potential: Potential, matrix: np.ndarray, primitive: np.ndarray, key: str
) -> ReferenceCrystal:
    """Compute a reference with phonopy in the cell as it is given."""
    phonopy = Phonopy(to_phonopy(atoms), matrix, primitive_matrix=primitive, log_level=0)
    phonopy.generate_displacements(distance=STEP)
    found = potential.evaluate([to_ase(c) for c in phonopy.supercells_with_displacements])
    phonopy.forces = np.array([one.forces for one in found])
    phonopy.produce_force_constants(show_drift=False)
    phonopy.symmetrize_force_constants(level=3, show_drift=False)
    phonopy.run_mesh([4, 3, 5], is_gamma_center=True)
    return ReferenceCrystal(
        key=key,
        atoms=atoms,
        supercell_matrix=np.array(matrix),
        primitive_matrix=np.array(primitive),
        qpoints=np.array(phonopy.mesh.qpoints),
        spectrum=Spectrum(phonopy.mesh.frequencies, phonopy.mesh.weights),
        force_constants=phonopy,
    )


@pytest.fixture(scope="session")
def springs() -> Potential:
    return AsePotential(NetworkSprings(quartz(), reach=3.2), name="springs")


@pytest.fixture(scope="session")
def reference(springs: Potential) -> ReferenceCrystal:
    """Quartz in a sheared, rotated, doubled cell, so that no axis is where ours is."""
    atoms = make_supercell(quartz(), OBLIQUE)
    atoms.rotate(37, (1, 2, 3), rotate_cell=True)
    atoms.positions += (0.3, -0.2, 0.1)
    primitive = np.linalg.inv(OBLIQUE.T)
    return make_reference(atoms, springs, np.diag([2, 2, 1]), primitive, "quartz_sheared")
