"""What is measured between the phonons of a potential and those of DFT.

Frequencies are in THz, imaginary ones negative, shape (n_qpoints, n_bands), on one and the same
mesh; `weights` are the multiplicities of its irreducible q-points, shape (n_qpoints,). Bands
are matched by their order at each q-point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mlphonon.units import CM_PER_THZ, GAS_CONSTANT, KELVIN_PER_THZ

StabilityRule = Literal["threshold", "kelvin", "share"]


@dataclass(frozen=True)
class Spectrum:
    """Frequencies on the irreducible part of a mesh.

    Attributes
    ----------
    frequencies : ndarray, shape (n_qpoints, n_bands)
        THz, imaginary ones negative, in ascending order at each q-point.
    weights : ndarray, shape (n_qpoints,)
        Multiplicity of each q-point.
    """

    frequencies: np.ndarray
    weights: np.ndarray

    def __post_init__(self) -> None:
        if self.frequencies.ndim != 2 or self.weights.shape != self.frequencies.shape[:1]:
            raise ValueError(
                f"frequencies of shape {self.frequencies.shape} and weights of shape"
                f" {self.weights.shape} do not belong together"
            )
        object.__setattr__(self, "frequencies", np.sort(self.frequencies, axis=1))

    @property
    def mode_weights(self) -> np.ndarray:
        """Weight of each mode, shape (n_qpoints, n_bands); they sum to one."""
        each = np.broadcast_to(self.weights[:, None], self.frequencies.shape).astype(float)
        return each / each.sum()

    @property
    def n_atoms(self) -> int:
        """Atoms of the primitive cell."""
        return self.frequencies.shape[1] // 3


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
    max_THz, max_K : float
        Highest frequency, potential minus DFT (as in the MDR benchmark: Loew et al., npj
        Comput. Mater. 11, 178 (2025), there in K).
    lowest_THz : float
        Lowest frequency, potential minus DFT.
    wasserstein_THz, wasserstein_per_cm : float
        Earth mover's distance between the distributions of all frequencies.
    """

    mae_THz: float
    rmse_THz: float
    bias_THz: float
    slope: float
    max_THz: float
    max_K: float
    lowest_THz: float
    wasserstein_THz: float
    wasserstein_per_cm: float


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
    distance = spectrum_distance(ours, dft)
    return FrequencyErrors(
        mae_THz=float((weight * np.abs(difference)).sum()),
        rmse_THz=float(np.sqrt((weight * difference**2).sum())),
        bias_THz=float((weight * difference).sum()),
        slope=float((weight * ours.frequencies * theirs).sum() / (weight * theirs**2).sum()),
        max_THz=highest,
        max_K=highest * KELVIN_PER_THZ,
        lowest_THz=float(ours.frequencies.min() - theirs.min()),
        wasserstein_THz=distance,
        wasserstein_per_cm=distance * CM_PER_THZ,
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


@dataclass(frozen=True)
class HarmonicProperties:
    """Harmonic thermodynamics at one temperature, per mole of atoms.

    Attributes
    ----------
    entropy, heat_capacity : float
        S and C_V, J/K/mol.
    free_energy : float
        F with the zero-point energy, kJ/mol.
    """

    entropy: float
    heat_capacity: float
    free_energy: float


def harmonic_properties(spectrum: Spectrum, temperature: float) -> HarmonicProperties:
    """Sum the contributions of harmonic oscillators over the modes with real frequencies.

    phonopy's own sums want a dynamical matrix, which a reference of frequencies has not.
    Modes below 1e-3 THz are left out: an acoustic mode at Gamma has no finite entropy, an
    imaginary one no thermodynamics.

    Parameters
    ----------
    spectrum : Spectrum
        The frequencies.
    temperature : float
        K, above zero.
    """
    kept = spectrum.frequencies > 1e-3
    weights = 3 * spectrum.mode_weights[kept]  # three modes to an atom
    x = spectrum.frequencies[kept] * KELVIN_PER_THZ / temperature
    occupation, log_term = 1 / np.expm1(x), np.log1p(-np.exp(-x))
    return HarmonicProperties(
        entropy=GAS_CONSTANT * float(weights @ (x * occupation - log_term)),
        heat_capacity=GAS_CONSTANT * float(weights @ (x**2 * occupation * (occupation + 1))),
        free_energy=1e-3 * GAS_CONSTANT * temperature * float(weights @ (x / 2 + log_term)),
    )


def is_stable(
    spectrum: Spectrum, rule: StabilityRule = "threshold", *, threshold_THz: float = 0.05
) -> bool:
    """Say whether a crystal is dynamically stable by a stated rule.

    Parameters
    ----------
    spectrum : Spectrum
        Its frequencies.
    rule : {"threshold", "kelvin", "share"}
        No mode below ``-threshold_THz``; no mode below -50 K (about -1.04 THz), as in the MDR
        benchmark; or at most 10 % of all modes below ``-threshold_THz`` (Gurunathan et al.,
        Phys. Rev. Mater. 7, 023803 (2023)).
    threshold_THz : float
        What counts as imaginary.
    """
    if rule == "kelvin":
        return bool(spectrum.frequencies.min() * KELVIN_PER_THZ >= -50.0)
    imaginary = spectrum.frequencies < -threshold_THz
    if rule == "share":
        return bool((spectrum.mode_weights * imaginary).sum() <= 0.10)
    return not imaginary.any()


@dataclass(frozen=True)
class Confusion:
    """Stability as the potential says against stability as DFT says; stable is positive.

    Attributes
    ----------
    stable_stable, stable_unstable, unstable_stable, unstable_unstable : int
        Crystals by what the potential says, then what DFT says.
    """

    stable_stable: int
    stable_unstable: int
    unstable_stable: int
    unstable_unstable: int

    @classmethod
    def count(cls, ours: list[bool], dft: list[bool]) -> Confusion:
        """Count pairs of verdicts, true for stable."""
        pairs = list(zip(ours, dft, strict=True))
        return cls(*(pairs.count(pair) for pair in PAIRS))

    @property
    def precision(self) -> float:
        """Of those called stable, the share that is; NaN if none is called so."""
        return _ratio(self.stable_stable, self.stable_stable + self.stable_unstable)

    @property
    def recall(self) -> float:
        """Of those that are stable, the share called so; NaN if none is."""
        return _ratio(self.stable_stable, self.stable_stable + self.unstable_stable)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        wrong = self.stable_unstable + self.unstable_stable
        return _ratio(2 * self.stable_stable, 2 * self.stable_stable + wrong)


PAIRS = ((True, True), (True, False), (False, True), (False, False))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


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
