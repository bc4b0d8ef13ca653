"""Intervals of means."""

from __future__ import annotations

import numpy as np
import pytest

from mlphonon.evaluation.metrics.bootstrap import bootstrap_interval


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
