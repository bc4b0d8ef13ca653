"""Densities of states that others computed, as spectra."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlphonon.evaluation.metrics.spectrum import Spectrum


def spectrum_of_density(frequencies: Any, density: Any) -> Spectrum:
    """Make a spectrum of a density of states on evenly spaced frequencies.

    Values below zero, which interpolation leaves behind, count as zero.

    Parameters
    ----------
    frequencies : array_like, shape (n,)
        THz, imaginary ones negative.
    density : array_like, shape (n,)
        Of any unit.

    Raises
    ------
    ValueError
        If they do not belong together, the spacing varies, or nothing is left.
    """
    at, values = np.asarray(frequencies, dtype=float), np.asarray(density, dtype=float)
    if at.ndim != 1 or at.shape != values.shape or len(at) < 2:
        raise ValueError(f"a density of shape {values.shape} on frequencies of shape {at.shape}")
    steps = np.diff(at)
    # Files round frequencies, and spacings with them.
    if not np.allclose(steps, steps.mean(), rtol=1e-2, atol=0):
        raise ValueError("the frequencies of the density of states are not evenly spaced")
    values = np.clip(values, 0, None)
    if not (np.isfinite(values).all() and values.sum() > 0):
        raise ValueError("the density of states is zero everywhere, or not a number")
    return Spectrum.of_density(at, values)
