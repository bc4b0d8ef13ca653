"""Errors of heat conductivities that were made up."""

from __future__ import annotations

import numpy as np
import pytest

from mlphonon.evaluation.metrics.conductivity import (
    Conductivity,
    relative_error,
    relative_mode_error,
)


def conductivity(*modes: list[float]) -> Conductivity:
    """Two bands at each of some q-points of a mesh of four."""
    array = np.array(modes)
    return Conductivity(float(array.sum() / 4), array, 4)


DFT = conductivity([8.0, 4.0], [16.0, 12.0])
"""10 W/m/K."""


def test_equal_ones_have_no_error() -> None:
    assert DFT.total == 10.0
    assert relative_error(DFT, DFT) == relative_mode_error(DFT, DFT) == 0.0


def test_a_total_may_be_right_while_the_modes_are_wrong() -> None:
    """By hand: 4 W/m/K too much in one band and too little in the other, 8 / 4 over the mean 10."""
    wrong = conductivity([12.0, 0.0], [16.0, 12.0])
    assert relative_error(wrong, DFT) == 0.0
    assert relative_mode_error(wrong, DFT) == pytest.approx((4 + 4) / 4 / 10)


def test_half_the_conductivity() -> None:
    half = Conductivity(5.0, 0.5 * DFT.modes, 4)
    assert relative_error(half, DFT) == pytest.approx(2 * 5 / 15)
    assert relative_error(DFT, half) == relative_error(half, DFT)
    assert relative_mode_error(half, DFT) == pytest.approx(2 * 5 / 15)
    nothing = Conductivity(0.0, 0 * DFT.modes, 4)
    assert relative_error(nothing, DFT) == relative_mode_error(nothing, DFT) == 2.0


def test_other_meshes_are_refused() -> None:
    with pytest.raises(ValueError, match="same mesh"):
        relative_mode_error(Conductivity(10.0, DFT.modes, 5), DFT)
