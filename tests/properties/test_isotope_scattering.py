"""Scattering by isotopes, against Tamura's limit and densities of states."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from phonopy.structure.atomic_data import get_atomic_data

from mlphonon import Phonons, compute_phonons
from mlphonon.potentials.calculator import AsePotential
from mlphonon.properties import isotope_rates, mean_isotope_rate, rms_group_velocity
from mlphonon.properties.isotope_scattering import isotope_grid
from tests.helpers.fcc import LATTICE_CONSTANT, sound_velocity_by_hand
from tests.helpers.heat import heat_capacities
from tests.helpers.springs import LatticeSprings, NetworkSprings, cubic_axes, simple_cubic


def mass_variance(symbol: str) -> float:
    _, masses, shares = np.array(get_atomic_data().isotope_data[symbol]).T
    return float(shares @ masses**2 / (shares @ masses) ** 2 - 1)


def test_isotopes_scatter_long_waves_as_the_fourth_power(fcc: Phonons) -> None:
    """Tamura's limit, 1/tau = V g w^4 / (4 pi v^3), v Debye's mean velocity.

    In a cubic crystal of one atom |e* . e'|^2 is 1/3 in the mean over all modes of one frequency,
    so 1/tau = pi/6 V g w^2 D(w), and D = 3 w^2 / (2 pi^2 v^3) for long waves. Modes of three
    wave vectors differ by a few per cent, as tetrahedra do.
    """
    grid = isotope_grid(fcc, np.array([40, 40, 40]))
    wanted = [[2, 1, 0], [1, 1, 0], [2, 1, 1]]
    points = np.array([np.flatnonzero((grid.addresses == q).all(axis=1))[0] for q in wanted])
    frequencies, rates = isotope_rates(fcc, grid, points)
    omega = 2 * np.pi * frequencies * 1e12
    volume = (LATTICE_CONSTANT * 1e-10) ** 3 / 4
    limit = volume * mass_variance("Cu") * omega**4 / (4 * np.pi * sound_velocity_by_hand() ** 3)
    ratios = rates * 1e12 / limit
    np.testing.assert_allclose(ratios, 1, atol=0.12)
    assert ratios.mean() == pytest.approx(1, abs=0.05)


def rate_by_density(phonons: Phonons) -> float:
    """Mean rate of a cubic crystal whose atoms sit on cubic sites, 1/ps.

    There the sum over e' gives a third of the atom's density of states: 1/tau = pi/6 w^2
    sum_k g_k |e_k|^2 D_k(w), and the sum over modes of one frequency turns |e_k|^2 into D_k.
    """
    dos = phonons.dos(projected=True)
    f, heat = dos.frequencies[1:], heat_capacities(dos.frequencies[1:])
    variances = np.array([mass_variance(symbol) for symbol in dos.symbols])
    # w^2 D(w) dw/df is 2 pi f^2 D(f), D per THz.
    strength = np.pi / 6 * 2 * np.pi * f**2 * (variances @ dos.projected[:, 1:] ** 2)
    return float(np.trapezoid(heat * strength, f) / np.trapezoid(heat * dos.total[1:], f))


@pytest.fixture(scope="module")
def of_two_species() -> Phonons:
    """Both of which are mixtures of isotopes."""
    atoms = bulk("MgSe", "rocksalt", a=5.46)
    springs = AsePotential(NetworkSprings(atoms, reach=4.2))
    return compute_phonons(atoms, springs, min_length=9, mesh=40, projected_mesh=60)


def test_mean_isotope_rate_follows_from_densities_of_states(
    metal: Phonons, of_two_species: Phonons
) -> None:
    for phonons in (metal, of_two_species):
        assert mean_isotope_rate(phonons) == pytest.approx(rate_by_density(phonons), rel=0.05)


def test_fast_modes_are_scattered_most_and_count_when_it_is_hot(metal: Phonons) -> None:
    assert mean_isotope_rate(metal, temperature=1000.0) > mean_isotope_rate(metal, 100.0) > 0


@pytest.mark.parametrize(("symbol", "expected"), [("Al", 0.0), ("Po", None), ("Tc", None)])
def test_elements_without_a_mixture_of_isotopes(symbol: str, expected: float | None) -> None:
    springs = AsePotential(LatticeSprings(cubic_axes(3.3), 3.0, 1.0))
    phonons = compute_phonons(simple_cubic(3.3, symbol), springs, min_length=6, mesh=20)
    assert mean_isotope_rate(phonons) == expected
    assert rms_group_velocity(phonons) > 0


def test_a_crystal_that_nothing_holds_has_no_mean() -> None:
    springs = AsePotential(LatticeSprings(cubic_axes(3.3), -1.0, -0.1))
    phonons = compute_phonons(simple_cubic(3.3), springs, min_length=6, mesh=20)
    assert mean_isotope_rate(phonons) is None
    assert rms_group_velocity(phonons) is None
