"""Verdicts on stability, and how they are counted."""

from __future__ import annotations

import numpy as np
import pytest

from mlphonon.evaluation.metrics.spectrum import Spectrum
from mlphonon.evaluation.metrics.stability import Confusion, is_stable


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
    # Near its limit on either side: -0.8 and -1.2 of the threshold, 9 and 11 % of the modes.
    assert [is_stable(spectrum(lowest, 0.01)) for lowest in (-0.04, -0.06)] == [True, False]
    assert [is_stable(spectrum(-0.06, n), "share") for n in (0.09, 0.11)] == [True, False]
    assert is_stable(spectrum(-0.09, 0.5), threshold_THz=0.1)
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
