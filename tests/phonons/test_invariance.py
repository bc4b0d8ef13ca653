"""Phonons do not depend on how the crystal was given."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.spacegroup import crystal as space_group_crystal

from mlphonon import Phonons, compute_phonons
from mlphonon.crystal.crystal import make_crystal
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from tests.helpers.crystals import (
    VIEWS,
    corundum,
    pyrite,
    quartz,
    rocksalt,
    silicon,
    triclinic,
    turn_of,
    wurtzite,
)
from tests.helpers.springs import NetworkSprings

TOLERANCE = 1e-3
"""THz."""

CASES = {
    "rocksalt": (rocksalt, 4.3, 11.0),
    "silicon": (silicon, 4.2, 10.5),
    "wurtzite": (wurtzite, 3.5, 9.0),
    "corundum": (corundum, 3.0, 8.0),
    # At 9 A the smallest supercells of quartz are two, mirror images of one another.
    "quartz": (quartz, 3.2, 9.0),
    "pyrite": (pyrite, 3.5, 8.0),
    "triclinic": (triclinic, 3.6, 7.0),
}

COMPARED_WHOLE = ("rotated", "sheared", "supercell")
"""Views in which densities of states and thermal properties are compared as well."""

WAVES = np.concatenate([[[0, 0, 0]], np.random.default_rng(11).normal(scale=0.12, size=(12, 3))])
"""Wave vectors in the axes of the crystal as it stands, 1/A without 2 pi."""


def compute(atoms: Atoms, potential: Potential, **settings: object) -> Phonons:
    chosen = {"mesh": 30.0, "projected_mesh": 15.0, "band_points": 11}
    return compute_phonons(atoms, potential, **(chosen | settings))


def spectrum(phonons: Phonons, given: Atoms, view: str) -> np.ndarray:
    """Frequencies at `WAVES`, which turn with the crystal."""
    to_standard = make_crystal(given, phonons.record.settings.symprec).to_standard
    waves = WAVES @ turn_of(view).T @ to_standard.T
    return phonons.frequencies(waves @ phonons.atoms.cell.array.T)


def assert_same(found: Phonons, expected: Phonons) -> None:
    """Everything that is asked of phonons, but for the order of axes and atoms."""
    mesh, reference = found.mesh, expected.mesh
    np.testing.assert_allclose(
        np.sort(np.repeat(mesh[1], mesh[2], axis=0).ravel()),
        np.sort(np.repeat(reference[1], reference[2], axis=0).ravel()),
        atol=TOLERANCE,
    )
    room, reference_room = found.thermal([0, 50, 300]), expected.thermal([0, 50, 300])
    for name in ("free_energy", "entropy", "heat_capacity"):
        np.testing.assert_allclose(
            getattr(room, name), getattr(reference_room, name), rtol=1e-4, atol=1e-4
        )
    highest, reference_highest = (
        max(f.max() for f in p.bands().frequencies) for p in (found, expected)
    )
    assert highest == pytest.approx(reference_highest, abs=TOLERANCE)
    dos, reference_dos = found.dos(), expected.dos()
    np.testing.assert_allclose(dos.frequencies, reference_dos.frequencies, atol=TOLERANCE)
    counted, reference_counted = np.cumsum(dos.total), np.cumsum(reference_dos.total)
    np.testing.assert_allclose(counted, reference_counted, atol=1e-2 * reference_counted[-1])
    shares, reference_shares = (p.dos(projected=True).by_element() for p in (found, expected))
    assert shares.keys() == reference_shares.keys()
    for symbol, share in shares.items():
        np.testing.assert_allclose(
            np.cumsum(share), np.cumsum(reference_shares[symbol]), atol=1e-2 * reference_counted[-1]
        )


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Atoms, Potential, float, Phonons]:
    build, reach, min_length = CASES[request.param]
    atoms = build()
    springs = AsePotential(NetworkSprings(atoms, reach))
    return atoms, springs, min_length, compute(atoms, springs, min_length=min_length)


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_a_crystal_has_the_same_phonons(case, view: str) -> None:
    atoms, springs, min_length, expected = case
    given = VIEWS[view](atoms)
    found = compute(given, springs, min_length=min_length)
    assert found.record.n_atoms_supercell == expected.record.n_atoms_supercell
    assert found.record.n_displacements == expected.record.n_displacements
    np.testing.assert_allclose(
        spectrum(found, given, view), spectrum(expected, atoms, "as it is"), atol=TOLERANCE
    )
    if view in COMPARED_WHOLE:
        assert_same(found, expected)


def test_acoustic_modes_at_gamma(case) -> None:
    """Three modes of zero frequency, and no other that is nearly zero."""
    *_, phonons = case
    modes = np.sort(np.abs(phonons.frequencies([0, 0, 0])))
    assert modes[2] < TOLERANCE
    assert modes[3] > 0.5


def test_frequencies_have_the_symmetry_of_the_crystal(case) -> None:
    """w(S q) = w(q) for every rotation S of the point group, and w(-q) = w(q)."""
    from mlphonon.crystal.crystal import point_group

    *_, phonons = case
    q = np.random.default_rng(4).uniform(-0.5, 0.5, (4, 3))
    expected = phonons.frequencies(q)
    for rotation in point_group(phonons.atoms, 1e-5):
        for sign in (1, -1):
            # Fractional coordinates of wave vectors turn by the inverse transpose.
            turned = sign * q @ np.linalg.inv(rotation)
            np.testing.assert_allclose(phonons.frequencies(turned), expected, atol=TOLERANCE)


def test_frequencies_have_the_period_of_the_reciprocal_lattice(case) -> None:
    *_, phonons = case
    q = np.random.default_rng(5).uniform(-0.5, 0.5, (4, 3))
    moved = q + np.array([[1, 0, 0], [0, -2, 0], [3, 1, -1], [0, 0, 5]])
    np.testing.assert_allclose(phonons.frequencies(moved), phonons.frequencies(q), atol=1e-7)


@pytest.mark.parametrize("view", [view for view in VIEWS if view != "supercell"])
def test_matrix_in_terms_of_the_given_cell(view: str) -> None:
    """2x2x2 of whatever basis of the same lattice was given is the same supercell."""
    atoms = wurtzite()
    springs = AsePotential(NetworkSprings(atoms, 3.5))
    expected = compute(atoms, springs, supercell="2 2 2")
    given = VIEWS[view](atoms)
    found = compute(given, springs, supercell="2 2 2")
    assert found.record.n_atoms_supercell == 32
    np.testing.assert_allclose(
        spectrum(found, given, view), spectrum(expected, atoms, "as it is"), atol=TOLERANCE
    )


@pytest.mark.parametrize("view", ["rotated", "left-handed", "sheared", "axes renamed"])
def test_lattice_more_symmetric_than_the_crystal(view: str) -> None:
    """Three metals in P1 on a cubic lattice, not relaxed: many supercells are equally good."""
    sites = [[0, 0, 0], [0.52, 0.47, 0.03], [0.49, 0.06, 0.55], [0.02, 0.46, 0.51]]
    atoms = Atoms("Cu2AuAg", cell=np.eye(3) * 3.95, scaled_positions=sites, pbc=True)
    assert make_crystal(atoms).spacegroup == "P1 (1)"
    settings = {"relax": False, "min_length": 7.0}
    expected = compute(atoms, AsePotential(EMT()), **settings)
    given = VIEWS[view](atoms)
    found = compute(given, AsePotential(EMT()), **settings)
    np.testing.assert_allclose(
        spectrum(found, given, view), spectrum(expected, atoms, "as it is"), atol=TOLERANCE
    )


def test_metal_with_an_anharmonic_potential() -> None:
    """EMT's Cu3Au, relaxed from a strained and sheared description."""
    atoms = space_group_crystal(
        ["Au", "Cu"], [(0, 0, 0), (0, 0.5, 0.5)], spacegroup=221, cellpar=[3.85] * 3 + [90] * 3
    )
    expected = compute(atoms, AsePotential(EMT()), min_length=7)
    for view in ("rotated", "sheared", "supercell"):
        given = VIEWS[view](atoms)
        found = compute(given, AsePotential(EMT()), min_length=7)
        np.testing.assert_allclose(
            spectrum(found, given, view), spectrum(expected, atoms, "as it is"), atol=TOLERANCE
        )
        assert_same(found, expected)


@pytest.mark.parametrize("view", ["rotated", "left-handed", "sheared"])
def test_triclinic_crystal_with_the_embedded_potential(embedded: Potential, view: str) -> None:
    """Not relaxed, so that a potential in training need not have a minimum near it."""
    settings = {"relax": False, "min_length": 7.0}
    atoms = triclinic()
    given = VIEWS[view](atoms)
    found, expected = (compute(a, embedded, **settings) for a in (given, atoms))
    np.testing.assert_allclose(
        spectrum(found, given, view), spectrum(expected, atoms, "as it is"), atol=TOLERANCE
    )
    modes = np.sort(np.abs(found.frequencies([0, 0, 0])))
    assert modes[2] < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("build", [quartz, wurtzite, corundum])
def test_embedded_potential_on_every_view(embedded: Potential, build, view: str) -> None:
    """At the potential's own minimum, or where the optimiser ends when there is none near."""
    settings = {"min_length": 8.0, "relax_steps": 60, "allow_unconverged": True}
    atoms = build()
    given = VIEWS[view](atoms)
    found, expected = (compute(a, embedded, **settings) for a in (given, atoms))
    np.testing.assert_allclose(
        spectrum(found, given, view), spectrum(expected, atoms, "as it is"), atol=TOLERANCE
    )
