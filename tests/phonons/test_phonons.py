"""Phonons of spring models against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.data import atomic_masses, atomic_numbers
from scipy import constants

from mlphonon import Phonons, compute_phonons
from mlphonon.potentials.calculator import AsePotential
from tests.helpers.crystals import rocksalt
from tests.helpers.springs import (
    TO_THZ,
    LatticeSprings,
    cubic_axes,
    fcc_neighbours,
    rocksalt_frequencies,
    simple_cubic,
    simple_cubic_frequencies,
)

A = 3.35
ALONG, ACROSS = 3.0, 0.8


def cubic_phonons(along: float = ALONG, across: float = ACROSS, **settings: object) -> Phonons:
    springs = LatticeSprings(cubic_axes(A), along, across)
    chosen = {"min_length": 10.0, "mesh": 60.0, "projected_mesh": 30.0, "band_points": 21}
    return compute_phonons(simple_cubic(A), AsePotential(springs), **(chosen | settings))


@pytest.fixture(scope="module")
def cubic() -> Phonons:
    return cubic_phonons()


@pytest.fixture(scope="module")
def q_points() -> np.ndarray:
    """Anywhere, also outside the first Brillouin zone."""
    return np.random.default_rng(3).uniform(-1, 1, (40, 3))


def mass_of(phonons: Phonons) -> float:
    return float(phonons.phonopy.primitive.masses[0])


def waves(phonons: Phonons, q: np.ndarray) -> np.ndarray:
    """Wave vectors in space, 1/A with 2 pi."""
    return 2 * np.pi * q @ np.linalg.inv(phonons.atoms.cell.array).T


def test_masses_are_those_of_the_elements(rocksalt_phonons: Phonons) -> None:
    primitive = rocksalt_phonons.phonopy.primitive
    expected = [atomic_masses[atomic_numbers[s]] for s in primitive.symbols]
    np.testing.assert_allclose(primitive.masses, expected, rtol=2e-4)


def test_simple_cubic_at_any_q(cubic: Phonons, q_points: np.ndarray) -> None:
    expected = simple_cubic_frequencies(waves(cubic, q_points), A, ALONG, ACROSS, mass_of(cubic))
    np.testing.assert_allclose(cubic.frequencies(q_points), np.sort(expected), rtol=1e-6)


def test_monatomic_chain_along_an_axis(cubic: Phonons) -> None:
    """w = 2 sqrt(K/m) |sin(q a / 2)|, longitudinal once and transverse twice."""
    q = np.linspace(0, 1, 21)
    found = cubic.frequencies(np.outer(q, [1, 0, 0]))
    chain = 2 * TO_THZ * np.abs(np.sin(np.pi * q))[:, None] / np.sqrt(mass_of(cubic))
    expected = chain * np.sqrt([ACROSS, ACROSS, ALONG])
    np.testing.assert_allclose(found[1:-1], expected[1:-1], rtol=1e-6)
    np.testing.assert_allclose(found[[0, -1]], 0, atol=1e-5)


def test_rocksalt_at_any_q(rocksalt_phonons: Phonons, q_points: np.ndarray) -> None:
    masses = rocksalt_phonons.phonopy.primitive.masses
    k = waves(rocksalt_phonons, q_points)
    expected = rocksalt_frequencies(k, 5.69, 3.0, 0.5, (masses[0], masses[1]))
    np.testing.assert_allclose(rocksalt_phonons.frequencies(q_points), expected, rtol=1e-6)


def test_rocksalt_at_gamma(rocksalt_phonons: Phonons) -> None:
    """Three acoustic modes at zero, three optical at the reduced mass."""
    found = rocksalt_phonons.frequencies([0, 0, 0])
    m, big_m = rocksalt_phonons.phonopy.primitive.masses
    np.testing.assert_allclose(found[:3], 0, atol=1e-4)
    optical = TO_THZ * np.sqrt((2 * 3.0 + 4 * 0.5) * (1 / m + 1 / big_m))
    np.testing.assert_allclose(found[3:], optical, rtol=1e-6)


@pytest.mark.parametrize(
    ("direction", "spacing", "squares"),
    # m w^2 / (K sin^2): for [111] the layers are a/sqrt(3) apart, 4 K and K sin^2(q d / 2).
    [((1, 0, 0), 0.5, (4, 4, 8)), ((1, 1, 1), 1 / np.sqrt(3), (2, 2, 8))],
)
def test_fcc_along_symmetry_directions(
    direction: tuple[int, int, int], spacing: float, squares: tuple[float, float, float]
) -> None:
    a, stiffness = 4.05, 2.2
    springs = LatticeSprings(fcc_neighbours(a), stiffness, 0.0)
    phonons = compute_phonons(bulk("Al", a=a), AsePotential(springs), min_length=8, mesh=10)
    unit = np.array(direction) / np.linalg.norm(direction)
    k = np.linspace(0.05, 0.95, 10) * np.pi / (spacing * a)
    q = np.outer(k / (2 * np.pi), unit) @ phonons.atoms.cell.array.T
    waves_squared = np.sin(k * spacing * a / 2)[:, None] ** 2 * np.array(squares) * stiffness
    expected = TO_THZ * np.sqrt(waves_squared / mass_of(phonons))
    np.testing.assert_allclose(phonons.frequencies(q), expected, rtol=1e-6)


def test_shapes_follow_the_q_points(cubic: Phonons) -> None:
    assert cubic.frequencies([0.1, 0.2, 0.3]).shape == (3,)
    assert cubic.frequencies([[0.1, 0.2, 0.3]]).shape == (1, 3)
    assert cubic.group_velocities([0.1, 0.2, 0.3]).shape == (3, 3)
    assert cubic.group_velocities([[0.1, 0.2, 0.3]] * 2).shape == (2, 3, 3)
    one = cubic.group_velocities([0.1, 0.2, 0.3])
    np.testing.assert_array_equal(cubic.group_velocities([[0.1, 0.2, 0.3]])[0], one)


def test_group_velocity_is_the_derivative(cubic: Phonons) -> None:
    """2 pi dnu_x/dk_b = (2 pi T)^2 K_xb a sin(k_b a) / (m 2 pi nu_x), T the unit of frequency."""
    q = np.array([[0.11, 0.23, 0.37], [0.42, -0.05, 0.19]])
    k, mass = waves(cubic, q), mass_of(cubic)
    frequency = simple_cubic_frequencies(k, A, ALONG, ACROSS, mass)
    stiffness = (ALONG - ACROSS) * np.eye(3) + ACROSS
    slopes = 2 * np.pi * TO_THZ**2 * stiffness * A * np.sin(k * A)[:, None, :] / mass
    expected = slopes / frequency[:, :, None]
    order = np.argsort(frequency, axis=1)
    found = cubic.group_velocities(q)
    np.testing.assert_allclose(found, np.take_along_axis(expected, order[:, :, None], 1), atol=1e-3)


def test_sound_velocity_in_metres_per_second(cubic: Phonons) -> None:
    """Long waves along x: v = a sqrt(K/m); 1 THz A is 100 m/s."""
    speeds = np.linalg.norm(cubic.group_velocities([0.002, 0, 0]), axis=1) * 100
    mass = mass_of(cubic) * constants.atomic_mass
    stiffness = np.array([ACROSS, ACROSS, ALONG]) * constants.e / 1e-20
    np.testing.assert_allclose(speeds, A * 1e-10 * np.sqrt(stiffness / mass), rtol=1e-4)


def test_bands_follow_the_path(rocksalt_phonons: Phonons) -> None:
    bands = rocksalt_phonons.bands()
    reciprocal = np.linalg.inv(rocksalt_phonons.atoms.cell.array).T
    corners = {
        label: np.array(q) for chain in rocksalt_phonons.band_path.chains for label, q in chain
    }
    end = 0.0
    for q, distance, frequencies, (first, last) in zip(
        bands.segments, bands.distances, bands.frequencies, bands.labels, strict=True
    ):
        np.testing.assert_allclose(q[[0, -1]], [corners[first], corners[last]], atol=1e-12)
        assert distance[0] == pytest.approx(end, abs=1e-12)
        length = np.linalg.norm((q[-1] - q[0]) @ reciprocal)
        assert distance[-1] - distance[0] == pytest.approx(length)
        end = distance[-1]
        inner = np.abs(q - np.rint(q)).max(axis=1) > 1e-9
        expected = rocksalt_phonons.frequencies(q)
        np.testing.assert_allclose(frequencies[inner], expected[inner], atol=1e-7)
    assert bands.labels[0] == ("GAMMA", "X")


def test_density_integrates_to_all_modes(rocksalt_phonons: Phonons) -> None:
    """Its zeroth moment counts modes, its second is the trace of the dynamical matrix."""
    dos = rocksalt_phonons.dos()
    assert np.trapezoid(dos.total, dos.frequencies) == pytest.approx(6, rel=3e-3)
    squares = np.trapezoid(dos.total * dos.frequencies**2, dos.frequencies)
    onsite = (2 * 3.0 + 4 * 0.5) / rocksalt_phonons.phonopy.primitive.masses
    assert squares == pytest.approx(3 * TO_THZ**2 * onsite.sum(), rel=3e-3)


def test_projected_density(rocksalt_phonons: Phonons) -> None:
    """Each atom owns three modes; its second moment is its own spring over its own mass."""
    dos = rocksalt_phonons.dos(projected=True)
    assert dos.projected is not None
    np.testing.assert_allclose(np.trapezoid(dos.projected, dos.frequencies), 3, rtol=1e-2)
    masses = rocksalt_phonons.phonopy.primitive.masses
    squares = np.trapezoid(dos.projected * dos.frequencies**2, dos.frequencies)
    np.testing.assert_allclose(squares, 3 * TO_THZ**2 * 8.0 / masses, rtol=1e-2)
    np.testing.assert_allclose(sum(dos.by_element().values()), dos.total, atol=1e-12)
    assert dict(zip(dos.symbols, dos.projected[:, 50], strict=True)) == {
        symbol: share[50] for symbol, share in dos.by_element().items()
    }
    whole = rocksalt_phonons.dos()
    np.testing.assert_array_equal(dos.frequencies, whole.frequencies)
    cumulated = [np.cumsum(d.total) * np.diff(d.frequencies)[0] for d in (dos, whole)]
    np.testing.assert_allclose(cumulated[0], cumulated[1], atol=0.1)


def test_density_without_projections_says_so(rocksalt_phonons: Phonons) -> None:
    assert rocksalt_phonons.dos().projected is None
    with pytest.raises(ValueError, match="without projections"):
        rocksalt_phonons.dos().by_element()


def test_results_cannot_be_changed(cubic: Phonons) -> None:
    arrays = (cubic.dos().total, cubic.bands().frequencies[0], cubic.thermal().entropy)
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


@pytest.mark.parametrize(("across", "stable_by_share"), [(-0.1, True), (-0.4, False)])
def test_unstable_crystal_is_called_so(across: float, stable_by_share: bool) -> None:
    """Transverse springs that push: the softest mode, sqrt(8 K'/m), lies at the zone's edge."""
    phonons = cubic_phonons(across=across, mesh=40, projected_mesh=10)
    stability = phonons.stability
    lowest = -TO_THZ * np.sqrt(-8 * across / mass_of(phonons))
    assert stability.lowest_frequency_THz == pytest.approx(lowest, rel=1e-5)
    assert stability.lowest_label == "M"
    assert not stability.stable_by_threshold
    n = 40 / A
    grid = np.stack(np.meshgrid(*[np.arange(round(n)) / round(n)] * 3), -1).reshape(-1, 3)
    share = (phonons.frequencies(grid) < -0.05).mean()
    assert stability.imaginary_share == pytest.approx(share)
    # A twelfth of the modes, and more than a fifth: on either side of the limit of a tenth.
    assert bool(share < 0.1) is stable_by_share
    assert stability.stable_by_share is stable_by_share
    assert "at M" in stability.describe()


@pytest.mark.parametrize(("lowest", "stable"), [(-1.2, False), (-0.8, True)])
def test_threshold_is_where_it_is_said_to_be(lowest: float, stable: bool) -> None:
    """Softest modes of -1.2 and -0.8 times 0.05 THz, few enough for the rule of shares."""
    mass = 63.546
    across = -mass / 8 * (lowest * 0.05 / TO_THZ) ** 2
    stability = cubic_phonons(across=across, mesh=40, projected_mesh=10).stability
    assert stability.lowest_frequency_THz == pytest.approx(lowest * 0.05, rel=1e-2)
    assert stability.stable_by_threshold is stable
    assert (stability.imaginary_share > 0) is not stable


def test_stable_crystal_is_called_so(rocksalt_phonons: Phonons) -> None:
    stability = rocksalt_phonons.stability
    assert stability.stable_by_threshold
    assert stability.stable_by_share
    assert stability.imaginary_share == 0
    assert stability.lowest_label == "GAMMA"


def test_element_without_a_stable_isotope_has_a_mass() -> None:
    """Phonopy knows no mass of polonium."""
    springs = LatticeSprings(cubic_axes(A), ALONG, ALONG)
    heavy = compute_phonons(simple_cubic(A, "Po"), AsePotential(springs), min_length=7, mesh=10)
    top = TO_THZ * np.sqrt(12 * ALONG / 208.98)
    assert heavy.frequencies([0.5, 0.5, 0.5])[0] == pytest.approx(top, rel=1e-4)


def test_repr_names_crystal_and_potential() -> None:
    springs = LatticeSprings(cubic_axes(2.845), 3.0, 0.5)
    phonons = compute_phonons(rocksalt(), AsePotential(springs, "twine"), min_length=5, mesh=10)
    assert "NaCl, Fm-3m (225)" in repr(phonons)
    assert "twine" in repr(phonons)
