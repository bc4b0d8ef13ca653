"""Thermal properties in the limits where they are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import constants

from mlphonon import Phonons, compute_phonons
from mlphonon.potentials.calculator import AsePotential
from tests.helpers.crystals import rocksalt
from tests.helpers.springs import (
    TO_THZ,
    LatticeSprings,
    cubic_axes,
    simple_cubic,
)

R = constants.R
TERAHERTZ = constants.h * 1e12 / constants.k
"""h times 1 THz, K."""

A = 3.35


def test_einstein_crystal(rocksalt_springs: AsePotential) -> None:
    """At Gamma alone, rocksalt has one frequency, three times; acoustic modes do not count."""
    phonons = compute_phonons(rocksalt(), rocksalt_springs, min_length=11, mesh=0.1)
    frequency = phonons.frequencies([0, 0, 0])[-1]
    temperatures = np.array([20.0, 100.0, 300.0, 2000.0])
    found = phonons.thermal(temperatures)
    x = TERAHERTZ * frequency / temperatures
    boson = 1 / np.expm1(x)
    energy = 3 * R * TERAHERTZ * frequency / 1000
    np.testing.assert_allclose(found.temperatures, temperatures)
    np.testing.assert_allclose(found.heat_capacity, 3 * R * x**2 * np.exp(x) * boson**2, rtol=4e-5)
    np.testing.assert_allclose(
        found.entropy, 3 * R * (x * boson - np.log1p(-np.exp(-x))), rtol=4e-5
    )
    free = energy / 2 + 3 * R * temperatures * np.log1p(-np.exp(-x)) / 1000
    np.testing.assert_allclose(found.free_energy, free, rtol=1e-5)
    assert found.zero_point_energy == pytest.approx(energy / 2, rel=1e-5)
    assert found.n_atoms == 2


def test_at_absolute_zero(rocksalt_phonons: Phonons) -> None:
    found = rocksalt_phonons.thermal([0.0])
    assert found.entropy[0] == 0
    assert found.heat_capacity[0] == 0
    assert found.free_energy[0] == pytest.approx(found.zero_point_energy)
    dos = rocksalt_phonons.dos()
    half = np.trapezoid(dos.total * dos.frequencies, dos.frequencies) / 2
    assert found.zero_point_energy == pytest.approx(half * TERAHERTZ * R / 1000, rel=3e-3)


def test_dulong_and_petit(rocksalt_phonons: Phonons) -> None:
    """C_V = 3 N R (1 - <x^2>/12 + ...); the mean square frequency is a sum of springs."""
    onsite = 8.0 / rocksalt_phonons.phonopy.primitive.masses
    mean_square = (TERAHERTZ * TO_THZ) ** 2 * onsite.mean()
    temperature = 4000.0
    expected = 6 * R * (1 - mean_square / temperature**2 / 12)
    found = rocksalt_phonons.thermal([temperature, 1e5]).heat_capacity
    # The three modes at Gamma that are left out are 3 of 6 per mesh point.
    missing = 3 / (6 * np.prod(rocksalt_phonons.phonopy.mesh_numbers))
    assert found[0] == pytest.approx(expected * (1 - missing), rel=2e-5)
    assert found[1] == pytest.approx(6 * R * (1 - missing), rel=1e-6)


def test_debye_law() -> None:
    """C_V = 12/5 pi^4 R (T/Theta)^3; with K = K' sound is equally fast in all directions."""
    stiffness = 2.0
    springs = LatticeSprings(cubic_axes(A), stiffness, stiffness)
    phonons = compute_phonons(simple_cubic(A), AsePotential(springs), min_length=10, mesh=120 * A)
    mass = float(phonons.phonopy.primitive.masses[0])
    cutoff = (6 * np.pi**2) ** (1 / 3) / A
    theta = TERAHERTZ * TO_THZ * A * np.sqrt(stiffness / mass) * cutoff
    temperatures = theta / np.array([50.0, 40.0])
    found = phonons.thermal(temperatures)
    law = 2.4 * np.pi**4 * R * (temperatures / theta) ** 3
    # The next term of the dispersion is of relative size T^2; two temperatures eliminate it.
    for c_v in (found.heat_capacity, 3 * found.entropy):
        ratio = c_v / law
        np.testing.assert_allclose(ratio, 1, atol=0.04)
    cold = (found.heat_capacity / law) @ [50**2, -(40**2)] / (50**2 - 40**2)
    assert cold == pytest.approx(1, abs=0.01)


def test_entropy_is_minus_the_slope_of_the_free_energy(quartz_phonons: Phonons) -> None:
    found = quartz_phonons.thermal([299.0, 300.0, 301.0])
    slope = (found.free_energy[2] - found.free_energy[0]) / 2 * 1000
    assert found.entropy[1] == pytest.approx(-slope, rel=1e-5)
    growth = (found.entropy[2] - found.entropy[0]) / 2
    assert found.heat_capacity[1] == pytest.approx(300 * growth, rel=1e-4)
    assert found.n_atoms == 9


def test_default_grid_is_that_of_the_settings(quartz_phonons: Phonons) -> None:
    expected = quartz_phonons.record.settings.temperatures.values
    np.testing.assert_allclose(quartz_phonons.thermal().temperatures, expected)
    assert expected[0] == 0
    assert expected[-1] == 1000


REFUSED = [[-1.0], [300.0, 200.0], [[300.0]], [float("nan")], "warm"]


@pytest.mark.parametrize("temperatures", REFUSED)
def test_impossible_temperatures_are_refused(quartz_phonons: Phonons, temperatures: object) -> None:
    with pytest.raises(ValueError, match="temperatures"):
        quartz_phonons.thermal(temperatures)
