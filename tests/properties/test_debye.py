"""Debye temperatures of springs, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from scipy import constants

from mlphonon import Phonons, compute_phonons
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from mlphonon.properties import (
    UnstableWavesError,
    debye_temperature,
    debye_temperature_of_sound,
    debye_temperature_of_spectrum,
)
from tests.helpers.crystals import rocksalt
from tests.helpers.fcc import LATTICE_CONSTANT, STIFFNESS, sound_velocity_by_hand
from tests.helpers.heat import KELVIN_PER_THZ
from tests.helpers.springs import TO_THZ, LatticeSprings, cubic_axes, simple_cubic


def test_of_sound(fcc: Phonons) -> None:
    """hbar/k v (6 pi^2 n)^(1/3), four atoms to a cube."""
    number_density = 4 / (LATTICE_CONSTANT * 1e-10) ** 3
    velocity = sound_velocity_by_hand()
    theta = constants.hbar / constants.k * velocity * (6 * np.pi**2 * number_density) ** (1 / 3)
    assert debye_temperature(fcc) == pytest.approx(theta, rel=2e-3)
    by_formula = debye_temperature_of_sound(velocity / 1e3, LATTICE_CONSTANT**3 / 4)
    assert by_formula == pytest.approx(theta, rel=1e-6)


@pytest.mark.parametrize("name", ["fcc", "rocksalt"])
def test_debye_temperature_is_that_of_the_cold_crystal(
    name: str, fcc: Phonons, rocksalt_springs: Potential
) -> None:
    """C_V = 12/5 pi^4 R (T/theta)^3 per mole of atoms, be there one or two in the cell."""
    phonons = fcc
    if name == "rocksalt":
        phonons = compute_phonons(rocksalt(), rocksalt_springs, min_length=11, mesh=300)
    theta = debye_temperature(phonons)
    parts = np.array([75.0, 55.0])
    cold_heat = phonons.thermal(theta / parts).heat_capacity / len(phonons.atoms)
    ratios = cold_heat / (2.4 * np.pi**4 * constants.R / parts**3)
    # Two temperatures eliminate the next term, in T^5.
    cold = ratios @ (parts**2 * [1, -1]) / (parts**2 @ [1, -1])
    assert cold == pytest.approx(1, abs=0.01)


@pytest.fixture(scope="module")
def unstable() -> Phonons:
    """Transverse springs that push: shear waves along an axis are unstable."""
    springs = AsePotential(LatticeSprings(cubic_axes(3.3), 3.0, -0.1))
    return compute_phonons(simple_cubic(3.3), springs, min_length=9, mesh=40)


def test_of_the_spectrum(fcc: Phonons, rocksalt_phonons: Phonons, unstable: Phonons) -> None:
    """<w^2> is spring over mass: 4 K of the fcc lattice, 2 K + 4 K' of the cubic ones."""
    for phonons, mean in (
        (fcc, 4 * STIFFNESS / 63.546),
        (rocksalt_phonons, 8.0 * (1 / 35.453 + 1 / 22.98977) / 2),
        (unstable, (2 * 3.0 - 4 * 0.1) / 63.546),
    ):
        theta = KELVIN_PER_THZ * TO_THZ * np.sqrt(5 / 3 * mean)
        assert debye_temperature_of_spectrum(phonons) == pytest.approx(theta, rel=3e-4)


def test_what_has_no_sound_has_no_debye_temperature_of_it(unstable: Phonons) -> None:
    with pytest.raises(UnstableWavesError, match="such a wave has no velocity"):
        debye_temperature(unstable)


def test_a_crystal_that_nothing_holds_has_none_at_all() -> None:
    atoms: Atoms = simple_cubic(3.3)
    springs = AsePotential(LatticeSprings(cubic_axes(3.3), -1.0, -0.1))
    phonons = compute_phonons(atoms, springs, min_length=6, mesh=20)
    assert debye_temperature_of_spectrum(phonons) is None
