"""What a supercell cuts off, guessed from it alone and measured in a larger one."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from mlphonon import PhononSettings
from mlphonon.crystal.crystal import make_crystal
from mlphonon.force_constants.planning import plan_force_constants
from mlphonon.force_constants.supercell_series import largest_change
from mlphonon.force_constants.truncation import (
    estimate_truncation,
    inscribed_radius,
    pair_distances,
)
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from tests.helpers.crystals import rocksalt, silicon
from tests.helpers.springs import NetworkSprings


def solve(atoms: Atoms, repeats: int, potential: Potential) -> object:
    primitive = make_crystal(atoms).atoms
    matrix = repeats * np.eye(3, dtype=int)
    plan = plan_force_constants(primitive, matrix, potential, PhononSettings())
    return plan.compute(potential).phonopy


def springs(reach: float) -> AsePotential:
    return AsePotential(NetworkSprings(rocksalt(), reach))


def test_springs_that_end_within_the_supercell_are_cut_by_nothing() -> None:
    found = solve(rocksalt(), 4, springs(3.5))
    assert estimate_truncation(found) < 1e-6


def test_springs_that_reach_beyond_the_sphere_are_missed() -> None:
    """In 2x2x2 cells of rocksalt the sphere has 4 A; springs of 5 A are wrapped around."""
    reaching, largest = (solve(rocksalt(), n, springs(5.0)) for n in (2, 4))
    assert inscribed_radius(reaching.supercell.cell) < 5.0
    true = largest_change(reaching, largest)
    assert true > 0.1
    assert 0.3 * true < estimate_truncation(reaching) < 10 * true


@pytest.mark.parametrize("make", [rocksalt, silicon])
def test_the_estimate_follows_the_error_of_a_learned_potential(
    make: object, embedded: Potential
) -> None:
    """Over three orders of magnitude, mostly from above."""
    series = [solve(make(), n, embedded) for n in (2, 3, 4, 6)]
    for small in series[:-1]:
        true = largest_change(small, series[-1])
        assert 0.3 * true < estimate_truncation(small) < 15 * true
    assert estimate_truncation(series[-1]) < 0.02


def test_distances_and_radius_are_those_of_a_lattice() -> None:
    found = solve(rocksalt(), 3, springs(3.5))
    distances = np.unique(pair_distances(found).round(6))
    half = rocksalt().cell.cellpar()[0] / 2
    np.testing.assert_allclose(distances[:4] / half, np.sqrt([0, 1, 2, 3]), atol=1e-6)
    skewed = np.array([[1, 0, 0], [0, 2.0, 0], [3, 2, 5]])
    assert inscribed_radius(skewed) == pytest.approx(0.5)
