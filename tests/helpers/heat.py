"""Heat capacities of modes, by hand."""

from __future__ import annotations

import numpy as np
from scipy import constants

KELVIN_PER_THZ = constants.h * 1e12 / constants.k
"""h times 1 THz, K."""


def heat_capacities(frequencies: np.ndarray, temperature: float = 300.0) -> np.ndarray:
    """Of modes (THz) at a temperature (K), in units of k."""
    half = KELVIN_PER_THZ * frequencies / temperature / 2
    return (half / np.sinh(half)) ** 2
