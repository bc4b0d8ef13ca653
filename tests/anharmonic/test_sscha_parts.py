"""The pieces of self-consistent phonons, each against what it should be."""

from __future__ import annotations

import numpy as np
import pytest

from mlphonon import Phonons, compute_phonons
from mlphonon.anharmonic.sscha.displaced_supercell import DisplacedSupercell
from mlphonon.anharmonic.sscha.gaussian import Ensemble, Gaussian
from mlphonon.anharmonic.sscha.hessian import response
from mlphonon.anharmonic.sscha.reference import Reference
from mlphonon.anharmonic.sscha.samples import Population, Samples, effective_number
from mlphonon.anharmonic.sscha.settings import Statistics
from mlphonon.crystal.crystal import make_crystal
from mlphonon.potentials.potential import Potential
from mlphonon.report.temperature import meetings
from mlphonon.reporter import Silent
from tests.helpers.crystals import pyrite, rocksalt, wurtzite
from tests.helpers.springs import NetworkSprings


@pytest.fixture(scope="module")
def reference(rocksalt_phonons: Phonons) -> Reference:
    phonopy = rocksalt_phonons.phonopy
    return Reference.of(rocksalt_phonons.atoms, phonopy.supercell_matrix, 1e-5, 0.0)


@pytest.fixture(scope="module")
def springs(rocksalt_phonons: Phonons) -> np.ndarray:
    from mlphonon.anharmonic.sscha.displaced_supercell import full_force_constants

    phonopy = rocksalt_phonons.phonopy
    return full_force_constants(phonopy, phonopy.force_constants)


def gaussian(
    reference: Reference, springs: np.ndarray, temperature: float, statistics: Statistics
) -> Gaussian:
    centroids = np.zeros((len(reference.atoms), 3))
    return Gaussian.of(reference, Ensemble(temperature, statistics), springs, centroids)


@pytest.mark.parametrize(
    ("temperature", "statistics"), [(0, "quantum"), (300, "quantum"), (300, "classical")]
)
def test_atoms_are_distributed_as_phonopy_says(
    reference: Reference, springs: np.ndarray, temperature: float, statistics: Statistics
) -> None:
    from phonopy.phonon.random_displacements import RandomDisplacements

    density = gaussian(reference, springs, temperature, statistics)
    phonopy = reference.phonopy
    random = RandomDisplacements(
        phonopy.supercell, phonopy.primitive, springs, dist_func=statistics
    )
    random.run_correlation_matrix(temperature)
    n = len(reference.masses)
    modes = density.modes / np.sqrt(np.repeat(reference.masses, 3))[:, None]
    ours = ((modes * density.variances) @ modes.T).reshape(n, 3, n, 3).transpose(0, 2, 1, 3)
    assert ours == pytest.approx(random.uu, abs=1e-6 * np.abs(random.uu).max())
    assert density.is_own
    assert density.force_constants == pytest.approx(springs, abs=1e-8)


def test_harmonic_energies_and_forces_are_those_of_the_springs(
    reference: Reference, springs: np.ndarray
) -> None:
    density = gaussian(reference, springs, 300, "quantum")
    moved = density.draw(4, seed=1)
    assert moved[1] == pytest.approx(-moved[0])
    forces = -np.einsum("ijab,sjb->sia", springs, moved)
    assert density.forces_at(moved) == pytest.approx(forces, abs=1e-9)
    assert density.energy_of(moved) == pytest.approx(-0.5 * (forces * moved).sum(axis=(1, 2)))


def test_free_energy_and_kinetic_energy_are_those_of_oscillators(
    reference: Reference, springs: np.ndarray
) -> None:
    _, number = reference.wave_vectors
    reference.phonopy.force_constants = springs
    frequencies = reference.frequencies(springs)
    assert number.sum() == reference.n_cells == 32
    real = frequencies > 1e-3
    x = 4.135667696e-3 * frequencies[real] / (8.617333262e-5 * 300)
    each = np.zeros_like(frequencies)
    each[real] = 8.617333262e-5 * 300 * np.log(2 * np.sinh(x / 2))
    density = gaussian(reference, springs, 300, "quantum")
    assert density.free_energy() == pytest.approx(float(number @ each.sum(axis=1)), rel=1e-6)
    classical = gaussian(reference, springs, 300, "classical").kinetic()
    expected = 8.617333262e-5 * 300 * (len(reference.masses) - 1) * np.eye(3)
    assert classical == pytest.approx(expected, abs=1e-9)


def test_imaginary_modes_are_given_a_frequency(reference: Reference, springs: np.ndarray) -> None:
    density = gaussian(reference, -0.1 * springs, 300, "quantum")
    assert not density.is_own
    assert (density.squared > 0).all()
    moved = density.draw(20, seed=3)
    assert np.sqrt((moved**2).sum(axis=2).mean()) < 0.25 * reference.nearest


def test_samples_of_one_distribution_count_for_another(
    reference: Reference, springs: np.ndarray, rocksalt_springs: Potential
) -> None:
    softer, stiffer = (gaussian(reference, c * springs, 300, "quantum") for c in (0.95, 1.06))
    populations = [
        Population.draw(d, rocksalt_springs, 300, seed, lambda _n: None)
        for seed, d in enumerate((softer, stiffer))
    ]
    target = gaussian(reference, springs, 300, "quantum")
    samples = Samples(tuple(populations))
    weights = samples.weights(target)
    assert weights.sum() == pytest.approx(1)
    assert 0.3 * samples.number < effective_number(weights) < samples.number
    weighted = np.einsum("s,sia,sia->", weights, samples.moved, samples.moved)
    exact = ((target.modes**2) / np.repeat(reference.masses, 3)[:, None] @ target.variances).sum()
    plain = np.einsum("sia,sia->", softer.draw(300, 0), softer.draw(300, 0)) / 300
    assert weighted == pytest.approx(exact, rel=0.012)
    # Without weights it would be seen.
    assert abs(plain / exact - 1) > 0.03
    # Of the distribution they were drawn from, all count alike.
    alone = Samples((populations[0],)).weights(softer)
    assert effective_number(alone) == pytest.approx(300)


@pytest.mark.parametrize(
    ("temperature", "statistics"), [(0, "quantum"), (150, "quantum"), (150, "classical")]
)
def test_response_is_the_change_of_spreads_with_springs(
    temperature: float, statistics: Statistics
) -> None:
    ensemble, rng = Ensemble(temperature, statistics), np.random.default_rng(1)
    noise = rng.standard_normal((5, 5))
    dynamical = noise @ noise.T / 50 + 0.05 * np.eye(5)
    change = rng.standard_normal((5, 5))
    change = 1e-6 * (change + change.T)

    def spreads(matrix: np.ndarray) -> np.ndarray:
        squared, modes = np.linalg.eigh(matrix)
        return (modes * ensemble.variance(squared)) @ modes.T

    squared, modes = np.linalg.eigh(dynamical)
    expected = (spreads(dynamical + change) - spreads(dynamical - change)) / 2
    inside = response(ensemble, squared) * (modes.T @ change @ modes)
    assert modes @ inside @ modes.T == pytest.approx(expected, rel=1e-5, abs=1e-12)
    same = response(ensemble, np.array([0.1, 0.1]))
    assert same[0, 1] == pytest.approx(same[0, 0])


def test_what_symmetry_leaves_free_is_found() -> None:
    """In rock salt nothing can move; in wurtzite one sublattice against the other, along c."""
    fixed = Reference.of(compute_standard(rocksalt()), 2 * np.eye(3, dtype=int), 1e-5, 0.0)
    assert len(fixed.free_moves) == 0
    free = Reference.of(compute_standard(wurtzite()), 2 * np.eye(3, dtype=int), 1e-5, 0.0)
    assert len(free.free_moves) == 1
    assert np.abs(free.free_moves[0][:, :2]).max() < 1e-10
    assert free.free_moves[0].sum(axis=0) == pytest.approx(np.zeros(3))


def compute_standard(atoms: object) -> object:
    from mlphonon.crystal.crystal import make_crystal

    return make_crystal(atoms).atoms


def test_force_constants_are_carried_over_to_a_larger_supercell() -> None:
    potential = NetworkSprings(rocksalt(), reach=4.3)
    large = compute_phonons(rocksalt(), potential, min_length=16)
    from mlphonon.potentials.calculator import AsePotential

    engine = AsePotential(potential)
    small = DisplacedSupercell.of(large, engine, 11.0, Silent())
    assert len(small.harmonic) == 64 < len(large.phonopy.supercell)
    reference = Reference.of(large.atoms, small.matrix, 1e-5, 0.0)
    same = small.in_large(reference.phonopy, small.harmonic)
    assert same == pytest.approx(np.asarray(large.phonopy.force_constants), abs=1e-12)
    # Springs that grow alike do so in both, wherever waves fit into the small one and the large.
    grown = small.in_large(reference.phonopy, 1.1 * small.harmonic)
    phonopy = large.phonopy.replicate()
    phonopy.force_constants = grown
    points = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0.5, 0.5]])
    assert phonopy.run_qpoints(points).frequencies == pytest.approx(
        np.sqrt(1.1) * large.frequencies(points), abs=0.03
    )


def test_wave_vectors_that_fit_are_found_on_a_path() -> None:
    matrix = np.array([[-2, 2, 2], [2, -2, 2], [2, 2, -2]])
    found = meetings(np.zeros(3), np.array([0, 0.5, 0.5]), matrix)
    assert found == pytest.approx([0, 0.5, 1])
    assert meetings(np.zeros(3), np.array([0.1, 0.03, 0]), matrix) == pytest.approx([0])


def test_force_constants_follow_atoms_through_the_faces_of_the_cell() -> None:
    """An atom at 0 in one cell may be at 1 in another, or move from one to the other."""
    from mlphonon.force_constants.cells import reordered
    from mlphonon.force_constants.displacements import make_supercell
    from mlphonon.potentials.calculator import AsePotential

    start = make_crystal(pyrite()).atoms
    engine = AsePotential(NetworkSprings(start, reach=2.5))
    found = compute_phonons(start, engine, supercell="2 2 2", relax=False, band_points=3)
    moved = found.atoms.copy()
    moved.positions -= [0.01, 0.02, 0.03]
    moved.wrap()
    other = make_supercell(moved, found.phonopy.supercell_matrix, 1e-5)
    other.force_constants = reordered(
        np.asarray(found.phonopy.force_constants), found.phonopy, other
    )
    points = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.1, 0.2, 0.3]]
    before = found.frequencies(points)
    assert other.run_qpoints(points).frequencies == pytest.approx(before, abs=1e-6)
    other.force_constants = found.phonopy.force_constants
    assert np.abs(other.run_qpoints(points).frequencies - before).max() > 0.2
