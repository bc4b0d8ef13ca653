"""How sure a mean over crystals is."""

from __future__ import annotations

import numpy as np


def bootstrap_interval(
    values: np.ndarray, share: float = 0.95, draws: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Interval that the mean of crystals drawn anew falls into, with the share asked for.

    Parameters
    ----------
    values : ndarray, shape (n,)
        One number for each crystal.
    share : float
        Of the drawn means that the interval holds.
    draws : int
        How many times n crystals are drawn with replacement.
    seed : int
        Of the draws: the same numbers give the same interval.

    References
    ----------
    Efron, Ann. Statist. 7, 1 (1979): percentiles of the bootstrap distribution.
    """
    values = np.asarray(values, dtype=float)
    if values.size == 0:
        return float("nan"), float("nan")
    chosen = np.random.default_rng(seed).integers(0, values.size, (draws, values.size))
    means = values[chosen].mean(axis=1)
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
