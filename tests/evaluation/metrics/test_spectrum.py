"""Units, and the thermodynamics of known spectra."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import constants

from mlphonon import Phonons
from mlphonon.evaluation.metrics.spectrum import Spectrum, harmonic_properties
from mlphonon.units import CM_PER_THZ, GAS_CONSTANT, KELVIN_PER_THZ


def test_units_are_those_of_the_si() -> None:
    assert pytest.approx(constants.h / constants.k * 1e12) == KELVIN_PER_THZ
    assert pytest.approx(1e12 / constants.c / 100) == CM_PER_THZ
    assert pytest.approx(constants.R) == GAS_CONSTANT


def test_thermodynamics_of_einstein_oscillators() -> None:
    """One frequency: the formulas of an oscillator, three to an atom."""
    frequency, temperature = 5.0, 300.0
    x = constants.h * frequency * 1e12 / (constants.k * temperature)
    found = harmonic_properties(Spectrum(np.full((4, 6), frequency), np.ones(4)), temperature)
    gas = constants.R
    assert found.heat_capacity == pytest.approx(
        3 * gas * x**2 * np.exp(x) / (np.exp(x) - 1) ** 2, rel=1e-6
    )
    assert found.entropy == pytest.approx(
        3 * gas * (x / (np.exp(x) - 1) - np.log(1 - np.exp(-x))), rel=1e-6
    )
    assert found.free_energy == pytest.approx(
        3e-3 * gas * temperature * (x / 2 + np.log(1 - np.exp(-x))), rel=1e-6
    )


def test_thermodynamics_agree_with_phonopys_own_mesh(quartz_phonons: Phonons) -> None:
    phonopy = quartz_phonons.phonopy
    phonopy.run_mesh([5, 5, 5], is_gamma_center=True)
    spectrum = Spectrum(phonopy.mesh.frequencies, phonopy.mesh.weights)
    thermal = phonopy.run_thermal_properties(t_min=300, t_max=300, t_step=1, cutoff_frequency=1e-3)
    found = harmonic_properties(spectrum, 300.0)
    n_atoms = 9
    assert found.free_energy == pytest.approx(thermal.free_energy[0] / n_atoms, rel=1e-5)
    assert found.entropy == pytest.approx(thermal.entropy[0] / n_atoms, rel=1e-5)
    assert found.heat_capacity == pytest.approx(thermal.heat_capacity[0] / n_atoms, rel=1e-5)
