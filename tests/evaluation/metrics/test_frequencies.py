"""Differences of frequencies against cases computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mlphonon.evaluation.metrics.frequencies import (
    BIN_CENTRES,
    binned_density,
    density_error,
    frequency_errors,
    spectrum_distance,
)
from mlphonon.evaluation.metrics.spectrum import Spectrum
from mlphonon.units import CM_PER_THZ

DFT = Spectrum(np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]), np.array([1.0, 3.0]))
"""Two q-points, the second three times in the mesh."""


def test_a_spectrum_has_no_error_against_itself() -> None:
    errors = frequency_errors(DFT, DFT)
    assert errors.slope == errors.highest_ratio == 1.0
    rest = {k: v for k, v in vars(errors).items() if k not in ("slope", "highest_ratio")}
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
    assert errors.highest_THz == pytest.approx(0.3)
    assert errors.highest_K == pytest.approx(0.3 * 47.99243)
    assert errors.highest_ratio == pytest.approx(6.3 / 6)
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


def test_order_at_a_q_point_does_not_matter() -> None:
    mixed = Spectrum(DFT.frequencies[:, ::-1].copy(), DFT.weights)
    assert frequency_errors(mixed, DFT).mae_THz == 0.0


def test_other_meshes_are_refused() -> None:
    with pytest.raises(ValueError, match="same mesh"):
        frequency_errors(Spectrum(DFT.frequencies, np.ones(2)), DFT)
    with pytest.raises(ValueError, match="belong together"):
        Spectrum(DFT.frequencies, np.ones(3))


def test_density_is_counted_on_bins_of_20_per_cm() -> None:
    """Modes at 101 and 139 1/cm are in the bins at 100 and 140, those above 1010 in none."""
    assert (BIN_CENTRES[0], BIN_CENTRES[1], BIN_CENTRES[-1]) == (-300.0, -280.0, 1000.0)
    modes = np.array([[101.0, 139.0, 1011.0]]) / CM_PER_THZ
    found = binned_density(Spectrum(modes, np.ones(1)))
    at = {float(BIN_CENTRES[i]): float(found[i]) for i in np.flatnonzero(found)}
    assert at == {100.0: 1.0, 140.0: 1.0}
    double = Spectrum(np.array([[101.0, 139.0, 139.0]]) / CM_PER_THZ, np.ones(1))
    # The highest bin is one in each: 0.5 against 1 in one of 66 bins.
    assert density_error(double, Spectrum(modes, np.ones(1))) == pytest.approx(0.5 / 66)


def test_a_density_of_states_is_compared_with_a_mesh() -> None:
    """Half of the modes at 2 THz, half at 4, whichever way that is said."""
    density = Spectrum.of_density(np.array([2.0, 3.0, 4.0]), np.array([7.0, 0.0, 7.0]))
    mesh = Spectrum(np.array([[2.0, 2.0, 2.0], [4.0, 4.0, 4.0]]), np.ones(2))
    assert density.is_density
    assert not mesh.is_density
    assert spectrum_distance(mesh, density) < 1e-12
    assert density_error(mesh, density) < 1e-12
    moved = Spectrum.of_density(np.array([2.0, 3.0, 4.0]), np.array([7.0, 7.0, 0.0]))
    assert spectrum_distance(mesh, moved) == pytest.approx(0.5)
