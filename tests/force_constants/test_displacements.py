"""Finite displacements give back the springs that are there."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.spacegroup import crystal as space_group_crystal
from phonopy import Phonopy

from mlphonon.crystal.crystal import make_crystal
from mlphonon.errors import PotentialError
from mlphonon.force_constants import ForceConstants
from mlphonon.force_constants.cells import to_ase
from mlphonon.force_constants.displacements import (
    displaced_structures,
    find_moves,
    forces_at_rest,
    from_displacements,
    make_supercell,
    set_displacements,
)
from mlphonon.force_constants.force_constants import asymmetry, drift
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from mlphonon.settings import PhononSettings
from tests.helpers.crystals import rocksalt, triclinic
from tests.helpers.springs import LatticeSprings, NetworkSprings, cubic_axes, simple_cubic

A = 3.35
ALONG, ACROSS = 3.0, 0.8


def planned(atoms: Atoms, matrix: object, settings: PhononSettings) -> Phonopy:
    phonopy = make_supercell(atoms, np.asarray(matrix), settings.symprec)
    set_displacements(phonopy, find_moves(phonopy).both_ways, settings.displacement)
    return phonopy


def solve(atoms: Atoms, potential: Potential, matrix: object, **settings: object) -> ForceConstants:
    chosen = PhononSettings(**settings)
    phonopy = planned(atoms, matrix, chosen)
    return from_displacements(phonopy, potential)


@pytest.fixture(scope="module")
def cubic() -> ForceConstants:
    springs = AsePotential(LatticeSprings(cubic_axes(A), ALONG, ACROSS))
    return solve(simple_cubic(A), springs, 3 * np.eye(3, dtype=int))


def spring_matrices(cell: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The force constants of atom 0, written down: -K to each neighbour, their sum on site."""
    expected = np.zeros((len(positions), 3, 3))
    for vector in cubic_axes(A):
        off = (positions - positions[0] - vector) @ np.linalg.inv(cell)
        off -= np.rint(off)
        (neighbour,) = np.flatnonzero(np.abs(off).max(axis=1) < 1e-6)
        n = vector / A
        stiffness = ALONG * np.outer(n, n) + ACROSS * (np.eye(3) - np.outer(n, n))
        expected[neighbour] -= stiffness
        expected[0] += stiffness
    return expected


def test_springs_are_recovered(cubic: ForceConstants) -> None:
    supercell = cubic.phonopy.supercell
    expected = spring_matrices(supercell.cell, supercell.positions)
    assert cubic.array.shape == (1, 27, 3, 3)
    np.testing.assert_allclose(cubic.array[0], expected, atol=1e-9)


def test_symmetry_leaves_one_displacement(cubic: ForceConstants) -> None:
    """In a cubic crystal +d and -d are equivalent, and so are the axes."""
    assert cubic.n_displacements == 1
    assert cubic.displacement == 0.01
    assert cubic.method == "displacements"


def test_residuals_of_exact_springs_vanish(cubic: ForceConstants) -> None:
    assert cubic.residuals.undisplaced_force < 1e-12
    assert cubic.residuals.drift < 1e-10
    assert cubic.residuals.asymmetry < 1e-10


@pytest.mark.parametrize("displacement", [0.002, 0.03])
def test_step_is_what_the_settings_say(displacement: float) -> None:
    atoms = simple_cubic(A)
    settings = PhononSettings(displacement=displacement)
    phonopy = planned(atoms, 2 * np.eye(3, dtype=int), settings)
    rest = to_ase(phonopy.supercell)
    (displaced,) = displaced_structures(phonopy)
    moved = np.linalg.norm(displaced.positions - rest.positions, axis=1)
    assert np.sort(moved)[-1] == pytest.approx(displacement, rel=1e-9)
    assert np.count_nonzero(moved > 1e-12) == 1
    springs = AsePotential(LatticeSprings(cubic_axes(A), ALONG, ACROSS))
    found = from_displacements(phonopy, springs)
    np.testing.assert_allclose(found.array[0, 0], (2 * ALONG + 4 * ACROSS) * np.eye(3), atol=1e-9)


class Pulling(LatticeSprings):
    """A constant force on each species besides, which has not the symmetry of the crystal."""

    def calculate(self, atoms=None, properties=None, system_changes=()) -> None:
        super().calculate(atoms, properties, system_changes)
        field = np.outer(np.where(atoms.numbers == 11, 1, -1), [0.3, -0.2, 0.1])
        self.results["forces"] = self.results["forces"] + field


def test_forces_at_rest_are_subtracted() -> None:
    """Else they would be taken for an answer to the one displacement that symmetry leaves.

    Symmetrising happens to repair that, but then the residuals would blame the potential.
    """
    atoms = make_crystal(rocksalt()).atoms
    matrix = [[-2, 2, 2], [2, -2, 2], [2, 2, -2]]
    springs = (cubic_axes(2.845), ALONG, ACROSS)
    plain = solve(atoms, AsePotential(LatticeSprings(*springs)), matrix)
    pulled = solve(atoms, AsePotential(Pulling(*springs)), matrix)
    assert plain.n_displacements == pulled.n_displacements == 2
    assert plain.residuals.undisplaced_force < 1e-9
    assert pulled.residuals.undisplaced_force == pytest.approx(np.linalg.norm([0.3, 0.2, 0.1]))
    assert pulled.residuals.drift < 1e-9
    assert pulled.residuals.asymmetry < 1e-9
    np.testing.assert_allclose(pulled.array, plain.array, atol=1e-9)


@pytest.mark.parametrize("matrix", [2 * np.eye(3, dtype=int), [[1, -1, 0], [1, 2, 0], [0, 1, 2]]])
def test_force_constants_obey_their_laws(matrix: object) -> None:
    """No force on a crystal moved as a whole, and actio = reactio, in P1 and a skewed cell."""
    atoms = triclinic()
    found = solve(atoms, AsePotential(NetworkSprings(atoms, reach=3.6)), matrix)
    assert found.n_displacements == 24
    n_primitive, n_super = len(atoms), len(found.phonopy.supercell)
    assert found.array.shape == (n_primitive, n_super, 3, 3)
    np.testing.assert_allclose(found.array.sum(axis=1), 0, atol=1e-10)
    at = found.phonopy.primitive.p2s_map
    between = found.array[:, at]
    np.testing.assert_allclose(between, between.transpose(1, 0, 3, 2), atol=1e-10)


def test_forces_at_rest_of_a_local_potential_are_those_of_the_supercell(
    embedded: Potential,
) -> None:
    """Off its minimum, in a supercell that is sheared against the primitive cell."""
    atoms = space_group_crystal(
        ["Na", "Cl", "O"],
        [(0, 0, 0), (0.4, 0.5, 0.45), (0.1, 0.3, 0.8)],
        spacegroup=1,
        cellpar=[4.4, 4.9, 5.3, 80, 95, 100],
    )
    matrix = np.array([[2, 1, 0], [0, 1, 0], [0, 1, 2]])
    phonopy = planned(atoms, matrix, PhononSettings())
    expected = embedded.evaluate([to_ase(phonopy.supercell)])[0].forces
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(forces_at_rest(phonopy, embedded), expected, atol=1e-10)


def test_second_derivative_of_the_energy() -> None:
    """One element by differences of energies alone, with another step and no symmetry."""
    atoms = space_group_crystal(
        ["Cu", "Au"],
        [(0, 0, 0), (0.5, 0.5, 0.5)],
        spacegroup=123,
        cellpar=[2.8, 2.8, 3.6, 90, 90, 90],
    )
    found = solve(atoms, AsePotential(EMT()), 3 * np.eye(3, dtype=int), displacement=1e-3)
    rest = to_ase(found.phonopy.supercell)
    h, (i, j) = 0.01, (0, int(found.phonopy.primitive.p2s_map[1]))

    def energy(step_i: float, step_j: float) -> float:
        moved = rest.copy()
        moved.positions[i, 2] += step_i
        moved.positions[j, 2] += step_j
        moved.calc = EMT()
        return moved.get_potential_energy()

    mixed = energy(h, h) - energy(h, -h) - energy(-h, h) + energy(-h, -h)
    assert found.array[0, j, 2, 2] == pytest.approx(mixed / (4 * h * h), rel=5e-3)
    assert abs(found.array[0, j, 2, 2]) > 0.1


def test_drift_and_asymmetry_measure_violations() -> None:
    rng = np.random.default_rng(0)
    lawful = rng.normal(size=(4, 4, 3, 3))
    lawful += lawful.transpose(1, 0, 3, 2)
    for i in range(4):
        lawful[i, i] = 0
        lawful[i, i] = -lawful[i].sum(axis=0)
        lawful[i, i] = (lawful[i, i] + lawful[i, i].T) / 2
    assert asymmetry(lawful) < 1e-12
    lawful[1, 2, 0, 1] += 0.25
    assert asymmetry(lawful) == pytest.approx(0.25)
    broken = np.zeros((2, 2, 3, 3))
    broken[0, 1, 2, 2] = -0.5
    broken[0, 0, 2, 2] = 0.2
    assert drift(broken) == pytest.approx(0.3)


def test_progress_counts_every_supercell(rocksalt_springs: Potential) -> None:
    atoms = simple_cubic(A)
    settings = PhononSettings()
    phonopy = planned(atoms, 2 * np.eye(3, dtype=int), settings)
    springs = AsePotential(LatticeSprings(cubic_axes(A), ALONG, ACROSS))
    seen: list[int] = []
    from_displacements(phonopy, springs, progress=seen.append)
    assert sum(seen) == 2


def test_a_calculator_that_fails_is_named() -> None:
    sodium = simple_cubic(A, "Na")
    with pytest.raises(PotentialError, match="EMT"):
        solve(sodium, AsePotential(EMT()), 2 * np.eye(3, dtype=int))
