"""Whether a crystal is stable by a stated rule, and how often a potential says so rightly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mlphonon.evaluation.metrics.spectrum import Spectrum
from mlphonon.units import KELVIN_PER_THZ

StabilityRule = Literal["threshold", "kelvin", "share"]

RULES: dict[StabilityRule, str] = {
    "threshold": "no mode below -0.05 THz",
    "kelvin": "no mode below -50 K",
    "share": "at most 10 % of the density of states below -0.05 THz",
}
"""What a crystal that is called stable has, by each rule."""


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
