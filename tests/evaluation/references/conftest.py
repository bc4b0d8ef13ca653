"""Rock salt of springs, whose frequencies are known, as phonopy would have computed it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from phonopy import Phonopy

from mlphonon.evaluation.references.reference import ReferenceCrystal
from mlphonon.force_constants.cells import to_ase, to_phonopy
from mlphonon.potentials.potential import Potential
from tests.helpers.crystals import rocksalt
from tests.helpers.springs import rocksalt_frequencies

FACE_CENTRED = [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]

Forces = Callable[[list], list[np.ndarray]]


@pytest.fixture(scope="session")
def forces(rocksalt_springs: Potential) -> Forces:
    """Forces in cells of phonopy, eV/A; zero where there is no cell."""

    def compute(cells: list) -> list[np.ndarray]:
        n = next(len(cell) for cell in cells if cell is not None)
        return [
            np.zeros((n, 3))
            if cell is None
            else rocksalt_springs.evaluate([to_ase(cell)])[0].forces
            for cell in cells
        ]

    return compute


@pytest.fixture(scope="session")
def salt(forces: Forces) -> Phonopy:
    """Displacements and forces, and no force constants yet."""
    phonopy = Phonopy(
        to_phonopy(rocksalt()), 2 * np.eye(3, dtype=int), primitive_matrix=FACE_CENTRED, log_level=0
    )
    phonopy.generate_displacements(distance=0.01)
    phonopy.forces = np.array(forces(phonopy.supercells_with_displacements))
    return phonopy


@pytest.fixture(scope="session")
def salt_constants(salt: Phonopy) -> np.ndarray:
    """Force constants of `salt`, all atoms of the supercell, eV/A^2."""
    phonopy = salt.replicate()
    phonopy.dataset = salt.dataset
    phonopy.produce_force_constants(show_drift=False)
    return np.array(phonopy.force_constants)


@pytest.fixture(scope="session")
def check_salt() -> Callable[[ReferenceCrystal], None]:
    """Compare a reference with the formula for its springs."""

    def check(crystal: ReferenceCrystal) -> None:
        cell = crystal.atoms.cell.array
        primitive = crystal.primitive_matrix.T @ cell
        q = 2 * np.pi * crystal.qpoints @ np.linalg.inv(primitive).T
        masses = crystal.force_constants.primitive.masses
        expected = rocksalt_frequencies(q, 5.69, 3.0, 0.5, (masses.min(), masses.max()))
        n = round(len(crystal.atoms) * np.linalg.det(crystal.primitive_matrix)) // 2
        found = crystal.spectrum.frequencies
        if n == 1:
            np.testing.assert_allclose(found, expected, atol=1e-4)
        else:
            # The bands of the primitive cell are among those of the unit cell.
            gaps = np.abs(found[:, :, None] - expected[:, None, :]).min(axis=1)
            np.testing.assert_allclose(gaps, 0, atol=1e-4)
        np.testing.assert_allclose(cell, 5.69 * np.eye(3), atol=1e-9)
        assert crystal.supercell_matrix.tolist() == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]
        assert np.abs(crystal.qpoints).max(axis=1).min() == 0, "Gamma is in the mesh"

    return check
