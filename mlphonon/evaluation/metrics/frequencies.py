"""Differences of frequencies, mode by mode and of their distributions.

Frequencies are in THz, imaginary ones negative. Bands are matched by their order at each q-point;
for matching by eigenvector see `mlphonon.evaluation.matching`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlphonon.evaluation.metrics.spectrum import Spectrum
from mlphonon.units import CM_PER_THZ, KELVIN_PER_THZ

BIN_CENTRES = np.linspace(-300.0, 1000.0, 66)
"""Of the bins of a density of states, 1/cm: 20 apart (Gurunathan et al., Phys. Rev. Mater. 7,
023803 (2023))."""


@dataclass(frozen=True)
class FrequencyErrors:
    """Differences of frequencies, mode by mode.

    Attributes
    ----------
    mae_THz, rmse_THz, bias_THz : float
        Mean absolute, root mean square and mean difference (potential minus DFT) over the mesh.
    slope : float
        Of the potential's frequencies against DFT's, through the origin; below one is soft
        (Deng et al., npj Comput. Mater. 11, 9 (2025)).
    highest_THz, highest_K : float
        Highest frequency, potential minus DFT (as in the MDR benchmark: Loew et al., npj
        Comput. Mater. 11, 178 (2025), there in K).
    highest_ratio : float
        Highest frequency of the potential over DFT's.
    lowest_THz : float
        Lowest frequency, potential minus DFT.
    """

    mae_THz: float
    rmse_THz: float
    bias_THz: float
    slope: float
    highest_THz: float
    highest_K: float
    highest_ratio: float
    lowest_THz: float


def frequency_errors(ours: Spectrum, dft: Spectrum) -> FrequencyErrors:
    """Compare two spectra on the same mesh.

    Raises
    ------
    ValueError
        If they are not on the same mesh.
    """
    if ours.frequencies.shape != dft.frequencies.shape or not np.allclose(
        ours.weights, dft.weights
    ):
        raise ValueError(
            f"spectra of shapes {ours.frequencies.shape} and {dft.frequencies.shape} are not on"
            " the same mesh"
        )
    weight, theirs = dft.mode_weights, dft.frequencies
    difference = ours.frequencies - theirs
    highest = float(ours.frequencies.max() - theirs.max())
    return FrequencyErrors(
        mae_THz=float((weight * np.abs(difference)).sum()),
        rmse_THz=float(np.sqrt((weight * difference**2).sum())),
        bias_THz=float((weight * difference).sum()),
        slope=float((weight * ours.frequencies * theirs).sum() / (weight * theirs**2).sum()),
        highest_THz=highest,
        highest_K=highest * KELVIN_PER_THZ,
        highest_ratio=float(ours.frequencies.max() / theirs.max()),
        lowest_THz=float(ours.frequencies.min() - theirs.min()),
    )


def spectrum_distance(ours: Spectrum, dft: Spectrum) -> float:
    """Earth mover's distance between the distributions of frequencies, THz.

    The area between the two cumulative distributions; unlike the error mode by mode it needs
    no common mesh.
    """
    from scipy.stats import wasserstein_distance

    return float(
        wasserstein_distance(
            ours.frequencies.ravel(),
            dft.frequencies.ravel(),
            ours.mode_weights.ravel(),
            dft.mode_weights.ravel(),
        )
    )


def binned_density(spectrum: Spectrum) -> np.ndarray:
    """Return the density of states on `BIN_CENTRES`, its highest bin scaled to one, shape (66,).

    Modes outside the bins (above 1010 1/cm) are left out, as there.
    """
    half = (BIN_CENTRES[1] - BIN_CENTRES[0]) / 2
    edges = np.append(BIN_CENTRES - half, BIN_CENTRES[-1] + half)
    counts, _ = np.histogram(
        spectrum.frequencies.ravel() * CM_PER_THZ, edges, weights=spectrum.mode_weights.ravel()
    )
    highest = counts.max()
    return counts / highest if highest > 0 else counts


def density_error(ours: Spectrum, dft: Spectrum) -> float:
    """Mean absolute difference of the two `binned_density`, without unit.

    The measure of direct predictions of densities of states (Chen et al., Adv. Sci. 8, 2004214
    (2021); Gurunathan et al.).
    """
    return float(np.abs(binned_density(ours) - binned_density(dft)).mean())
