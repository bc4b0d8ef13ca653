"""Third-order force constants: an analytic spring model, and every route against phono3py's own."""

from __future__ import annotations

import numpy as np
import pytest
from phono3py import Phono3py

from mlphonon import Phonons, compute_phonons
from mlphonon.anharmonic.third_order.compute import compute_third_order
from mlphonon.anharmonic.third_order.settings import ThirdOrderSettings
from mlphonon.crystal.crystal import make_crystal
from mlphonon.errors import PotentialError, SettingsError
from mlphonon.force_constants.cells import to_ase
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from tests.helpers.crystals import rocksalt
from tests.helpers.springs import NetworkSprings

STIFFNESS = 8.0
LENGTH = 2.845

CUT = {"displacements": 3.2, "autodiff": 3.2, "regression": 4.2}
"""A; of a pair, or of the longest side of a triplet."""

ROUTES = ["displacements", "autodiff", "regression"]


@pytest.fixture(scope="module")
def springs() -> Potential:
    """Central springs between nearest neighbours."""
    return AsePotential(NetworkSprings(rocksalt(), reach=3.2, stiffness=STIFFNESS))


@pytest.fixture(scope="module")
def spring_phonons(springs: Potential) -> Phonons:
    return compute_phonons(rocksalt(), springs, relax=False, min_length=8, mesh=20)


@pytest.fixture(scope="module")
def phonons(embedded: Potential) -> Phonons:
    return compute_phonons(rocksalt(), embedded, min_length=7, mesh=20)


@pytest.fixture(scope="module")
def by_phono3py(embedded: Potential, phonons: Phonons) -> np.ndarray:
    """What phono3py's own finite differences give, without any of our code in between."""
    phono3py = Phono3py(
        phonons.phonopy.primitive, 2 * np.eye(3, dtype=int), primitive_matrix=np.eye(3), log_level=0
    )
    phono3py.generate_displacements(distance=1e-3)
    moved = embedded.evaluate([to_ase(cell) for cell in phono3py.supercells_with_displacements])
    phono3py.forces = [one.forces for one in moved]
    phono3py.produce_fc3()
    phono3py.symmetrize_fc3()
    return np.array(phono3py.fc3)


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("route", ["displacements", "regression"])
def test_central_springs(springs: Potential, spring_phonons: Phonons, route: str) -> None:
    """A spring at rest has d3E/dr3 = k/r (delta_ab n_c + 2 more - 3 n_a n_b n_c)."""
    settings = ThirdOrderSettings(method=route, displacement=1e-3, min_length=8)
    third = compute_third_order(spring_phonons, springs, settings)
    supercell = third.phono3py.supercell
    distances = to_ase(supercell).get_distances(0, range(len(supercell)), mic=True, vector=True)
    fc3, n_checked = third.array, 0
    for j in range(1, len(supercell)):
        length = np.linalg.norm(distances[j])
        if length > 1.1 * LENGTH:
            assert np.abs(fc3[0, j, j]).max() < 1e-4
            continue
        n, eye = distances[j] / length, np.eye(3)
        outer = np.einsum("ab,c->abc", eye, n)
        outer = outer + outer.transpose(0, 2, 1) + outer.transpose(2, 1, 0)
        expected = STIFFNESS / length * (outer - 3 * np.einsum("a,b,c->abc", n, n, n))
        np.testing.assert_allclose(fc3[0, j, j], -expected, atol=1e-4)
        np.testing.assert_allclose(fc3[0, 0, j], expected, atol=1e-4)
        n_checked += 1
    assert n_checked == 6
    assert third.provenance.held_out < 1e-3


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_is_phono3pys_own(
    embedded: Potential, phonons: Phonons, by_phono3py: np.ndarray, route: str
) -> None:
    crystal = make_crystal(phonons.atoms)
    settings = ThirdOrderSettings(method=route, supercell=(2, 2, 2))
    third = compute_third_order(phonons, embedded, settings, crystal=crystal)
    assert third.provenance.route == route
    tolerance = {"displacements": 3e-4, "autodiff": 1e-3, "regression": 3e-4}[route]
    assert relative(third.array, by_phono3py) < tolerance
    assert third.provenance.held_out < 2e-3
    np.testing.assert_array_equal(third.phono3py.fc2, phonons.phonopy.force_constants)


def test_rows_in_double_precision(
    embedded: Potential, phonons: Phonons, by_phono3py: np.ndarray
) -> None:
    settings = ThirdOrderSettings(method="autodiff", row_dtype="float64", supercell=(2, 2, 2))
    assert relative(compute_third_order(phonons, embedded, settings).array, by_phono3py) < 2e-4


def test_symmetric_and_without_drift(embedded: Potential, phonons: Phonons) -> None:
    """Third order is the same in any order of its atoms, and moving all atoms changes nothing."""
    settings = ThirdOrderSettings(method="autodiff", supercell=(2, 2, 2))
    third = compute_third_order(phonons, embedded, settings)
    fc3, first = third.array, [int(i) for i in third.phono3py.primitive.p2s_map]
    assert np.abs(fc3.sum(axis=2)).max() < 1e-5
    assert np.abs(fc3 - fc3.transpose(0, 2, 1, 3, 5, 4)).max() < 1e-5
    for row, atom in enumerate(first):
        for other_row, other in enumerate(first):
            swapped = fc3[other_row, atom].transpose(0, 2, 1, 3)
            assert np.abs(fc3[row, other] - swapped).max() < 1e-5


@pytest.mark.parametrize("route", ROUTES)
def test_a_cutoff_saves_work_and_is_honest(
    embedded: Potential, phonons: Phonons, route: str
) -> None:
    whole = compute_third_order(phonons, embedded, ThirdOrderSettings(method=route, min_length=7))
    cut = compute_third_order(
        phonons, embedded, ThirdOrderSettings(method=route, min_length=7, cutoff=CUT[route])
    )
    assert cut.provenance.cutoff_A == CUT[route]
    assert cut.provenance.held_out > 5 * whole.provenance.held_out
    if route == "regression":
        assert cut.provenance.n_coefficients < whole.provenance.n_coefficients
    else:
        assert cut.provenance.n_evaluations < whole.provenance.n_evaluations


def test_the_cheapest_is_taken(embedded: Potential, springs: Potential, phonons: Phonons) -> None:
    found = compute_third_order(phonons, embedded, ThirdOrderSettings(min_length=7))
    costs = {
        route: compute_third_order(
            phonons, embedded, ThirdOrderSettings(method=route, min_length=7)
        ).provenance.n_evaluations
        for route in ROUTES
    }
    assert costs["regression"] < costs["autodiff"] < costs["displacements"]
    assert "force calls" in found.provenance.reason


def test_refusals(springs: Potential, spring_phonons: Phonons) -> None:
    with pytest.raises(PotentialError, match="gives no second derivatives"):
        compute_third_order(spring_phonons, springs, ThirdOrderSettings(method="autodiff"))
    with pytest.raises(SettingsError, match="takes less than"):
        compute_third_order(
            spring_phonons, springs, ThirdOrderSettings(method="displacements", displacement=1e-4)
        )
    with pytest.raises(SettingsError, match="at most 3 atoms"):
        compute_third_order(spring_phonons, springs, ThirdOrderSettings(max_atoms=3))
