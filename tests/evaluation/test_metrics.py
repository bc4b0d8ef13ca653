"""Each metric against a case that was computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import constants

from mlphonon import Phonons
from mlphonon.evaluation.metrics import (
    Confusion,
    Spectrum,
    bootstrap_interval,
    frequency_errors,
    harmonic_properties,
    is_stable,
    spectrum_distance,
)
from mlphonon.units import CM_PER_THZ, GAS_CONSTANT, KELVIN_PER_THZ

DFT = Spectrum(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]), np.array([1.0, 3.0]))
"""Two q-points, the second three times in the mesh."""


def test_units_are_those_of_the_si() -> None:
    assert pytest.approx(constants.h / constants.k * 1e12) == KELVIN_PER_THZ
    assert pytest.approx(1e12 / constants.c / 100) == CM_PER_THZ
    assert pytest.approx(constants.R) == GAS_CONSTANT


def test_a_spectrum_has_no_error_against_itself() -> None:
    errors = frequency_errors(DFT, DFT)
    assert errors.slope == 1.0
    rest = {name: value for name, value in vars(errors).items() if name != "slope"}
    assert rest == dict.fromkeys(rest, 0.0)


def test_errors_are_weighted_by_the_mesh() -> None:
    """By hand: differences 0.1, 0, -0.4 once and 0.3, 0.3, 0.3 three times, of twelve modes."""
    off = np.array([[0.1, 0.0, -0.4], [0.3, 0.3, 0.3]])
    ours = Spectrum(DFT.frequencies + off, DFT.weights)
    errors = frequency_errors(ours, DFT)
    assert errors.mae_THz == pytest.approx((0.1 + 0.0 + 0.4 + 9 * 0.3) / 12)
    assert errors.rmse_THz == pytest.approx(np.sqrt((0.01 + 0.16 + 9 * 0.09) / 12))
    assert errors.bias_THz == pytest.approx((0.1 - 0.4 + 9 * 0.3) / 12)
    product = 1.1 * 1 + 2 * 2 + 2.6 * 3 + 3 * (2.3 * 2 + 4.3 * 4 + 6.3 * 6)
    assert errors.slope == pytest.approx(product / (14 + 3 * 56))
    assert errors.max_THz == pytest.approx(0.3)
    assert errors.max_K == pytest.approx(0.3 * 47.99243)
    assert errors.lowest_THz == pytest.approx(0.1)


def test_softer_force_constants_have_the_slope_of_their_root() -> None:
    soft = Spectrum(0.81**0.5 * DFT.frequencies, DFT.weights)
    assert frequency_errors(soft, DFT).slope == pytest.approx(0.9)


def test_distance_of_spectra_moves_what_is_off_by_how_far() -> None:
    shifted = Spectrum(DFT.frequencies + 0.25, DFT.weights)
    assert spectrum_distance(shifted, DFT) == pytest.approx(0.25)
    # One of four equal modes moved by 2 THz; the mesh need not be the same.
    one = Spectrum(np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones(2))
    other = Spectrum(np.array([[1.0, 2.0, 3.0, 6.0]]), np.ones(1))
    assert spectrum_distance(one, other) == pytest.approx(0.5)
    errors = frequency_errors(shifted, DFT)
    assert errors.wasserstein_per_cm == pytest.approx(0.25 * 33.3564095)


def test_order_at_a_q_point_does_not_matter() -> None:
    mixed = Spectrum(DFT.frequencies[:, ::-1].copy(), DFT.weights)
    assert frequency_errors(mixed, DFT).mae_THz == 0.0


def test_other_meshes_are_refused() -> None:
    with pytest.raises(ValueError, match="same mesh"):
        frequency_errors(Spectrum(DFT.frequencies, np.ones(2)), DFT)
    with pytest.raises(ValueError, match="belong together"):
        Spectrum(DFT.frequencies, np.ones(3))


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
    n_atoms = spectrum.n_atoms
    assert n_atoms == 9
    assert found.free_energy == pytest.approx(thermal.free_energy[0] / n_atoms, rel=1e-5)
    assert found.entropy == pytest.approx(thermal.entropy[0] / n_atoms, rel=1e-5)
    assert found.heat_capacity == pytest.approx(thermal.heat_capacity[0] / n_atoms, rel=1e-5)


def test_stability_by_three_rules() -> None:
    def spectrum(lowest: float, share: float) -> Spectrum:
        frequencies = np.full((1, 100), 3.0)
        frequencies[0, : round(100 * share)] = lowest
        return Spectrum(frequencies, np.ones(1))

    mild, deep, many = spectrum(-0.5, 0.02), spectrum(-2.0, 0.02), spectrum(-0.5, 0.11)
    assert [is_stable(s) for s in (mild, deep, many)] == [False, False, False]
    assert [is_stable(s, "kelvin") for s in (mild, deep, many)] == [True, False, True]
    assert [is_stable(s, "share") for s in (mild, deep, many)] == [True, True, False]
    assert is_stable(spectrum(-0.04, 1.0), "threshold")
    # 50 K are 1.0418 THz.
    assert is_stable(spectrum(-1.04, 0.5), "kelvin")
    assert not is_stable(spectrum(-1.05, 0.5), "kelvin")


def test_confusion_counts_and_scores() -> None:
    ours = [True] * 6 + [True] * 2 + [False] * 3 + [False] * 9
    dft = [True] * 6 + [False] * 2 + [True] * 3 + [False] * 9
    found = Confusion.count(ours, dft)
    assert found == Confusion(6, 2, 3, 9)
    assert found.precision == 6 / 8
    assert found.recall == 6 / 9
    assert found.f1 == pytest.approx(2 / (8 / 6 + 9 / 6))
    assert np.isnan(Confusion.count([False], [False]).precision)


def test_bootstrap_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        low, high = bootstrap_interval(rng.normal(2.0, 1.0, 40), draws=500)
        inside += low < 2.0 < high
    assert 0.88 < inside / 200 < 0.99
    values = rng.normal(size=30)
    assert bootstrap_interval(values) == bootstrap_interval(values)
    low, high = bootstrap_interval(values, draws=20_000)
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 30**0.5, rel=0.05)
    assert np.isnan(bootstrap_interval(np.array([]))).all()
