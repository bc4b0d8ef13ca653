"""The cumulative figure shows the numbers that it is given."""

from __future__ import annotations

import numpy as np

from mlphonon.report.accuracy import plot_cumulative_errors


def test_half_of_the_crystals_lie_below_the_median() -> None:
    errors = {"good": np.array([0.1, -0.3, 0.2, 0.4]), "bad": np.array([1.0, 2.0])}
    (axes,) = plot_cumulative_errors(errors, "error (THz)").axes
    good, bad = axes.get_lines()
    np.testing.assert_allclose(good.get_xdata(), [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(good.get_ydata(), [25, 50, 75, 100])
    np.testing.assert_allclose(bad.get_ydata(), [50, 100])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["good (4)", "bad (2)"]
    assert axes.get_xscale() == "log"
