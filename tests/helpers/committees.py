"""Committees of springs whose frequencies are known, for several files of tests."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from mlphonon import Phonons, compute_phonons
from mlphonon.potentials.calculator import AsePotential
from tests.helpers.crystals import rocksalt
from tests.helpers.springs import LatticeSprings, cubic_axes

QUICK: dict[str, Any] = {
    "min_length": 11.0,
    "mesh": 40.0,
    "projected_mesh": 15.0,
    "band_points": 11,
    "temperatures": "0:400:100",
}
X = 0.1
FACTORS = np.array([1.0, 1 + X, 1 - X])
# Frequencies go with the root of the stiffness.
MEAN, STD = np.sqrt(FACTORS).mean(), np.sqrt(FACTORS).std(ddof=1)


def springs(factor: float = 1.0, length: float = 2.845, name: str | None = None) -> AsePotential:
    calculator = LatticeSprings(cubic_axes(length), along=3.0 * factor, across=0.5 * factor)
    return AsePotential(calculator, name=name or f"springs {factor:g}")


@cache
def three() -> Phonons:
    """Springs of stiffness 1, 1 + X and 1 - X."""
    return compute_phonons(rocksalt(), [springs(f) for f in FACTORS], **QUICK)
