"""Whether results stay inside the errors that they state.

The statement is a split conformal bound (Papadopoulos et al., ECML 2002): of n trusted results on
crystals that are kept for it, the ceil(0.95 (n + 1))-th smallest error, or the largest. On other
crystals it should hold for 95 in 100 trusted results.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mlphonon.evaluation.record import Comparison, CrystalScore
from mlphonon.trust.calibration import Calibration
from mlphonon.trust.verdict import CONFIDENCE, NOT_CALIBRATED, Verdict

THERMAL = ("heat_capacity", "entropy", "free_energy")


ENOUGH = 19
"""Trusted results that a bound at 95 % takes: of fewer, the largest error promises less."""


@dataclass(frozen=True)
class CalibrationPoint:
    """A result beside DFT: what it says of itself, and its errors.

    Attributes
    ----------
    key, formula : str
        Of the crystal.
    verdict : Verdict
        What it says of itself, apart from what the reference lacks too.
    headline : str
        The same, with reasons.
    errors : dict
        Absolute errors by name; ``frequency`` is relative to the root mean square frequency.
    """

    key: str
    formula: str
    verdict: Verdict
    headline: str
    errors: dict[str, float]

    @property
    def is_trusted(self) -> bool:
        """Whether it calls itself trusted."""
        return self.verdict == "trusted"


def calibration_points(scores: Iterable[CrystalScore]) -> list[CalibrationPoint]:
    """Return the relaxed results that have numbers."""
    return [
        _judge(score, score.relaxed)
        for score in scores
        if score.relaxed is not None and score.relaxed.trust is not None
    ]


def _judge(score: CrystalScore, one: Comparison) -> CalibrationPoint:
    assert one.trust is not None
    trust = one.trust.without(*NOT_CALIBRATED)
    errors = {name: abs(one.errors[name]) for name in THERMAL if name in one.errors}
    if "mae_THz" in one.errors and one.rms_THz:
        errors["frequency"] = one.errors["mae_THz"] / one.rms_THz
    return CalibrationPoint(score.key, score.formula, trust.verdict, trust.headline, errors)


def is_for_calibration(formula: str) -> bool:
    """Tell on which side of the split a formula stands: always the same, all its crystals alike."""
    return hashlib.sha256(formula.encode()).digest()[0] % 2 == 0


def bound(errors: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """Return what another error of the same kind is below, at a confidence; NaN of none."""
    if len(errors) == 0:
        return math.nan
    place = min(math.ceil(confidence * (len(errors) + 1)), len(errors))
    return float(np.sort(errors)[place - 1])


def calibrate(
    results: Sequence[CalibrationPoint], source: str, sha256: str | None
) -> Calibration | None:
    """Return the statement that trusted results make of their error; None if they are too few.

    Parameters
    ----------
    results : sequence of CalibrationPoint
        Those kept for it, with frequencies of DFT.
    source : str
        What they are.
    sha256 : str, optional
        Of the potential's weights.
    """
    trusted = [one.errors for one in results if one.is_trusted]
    if len(trusted) < ENOUGH:
        return None
    names = ("frequency", *THERMAL)
    bounds = {name: bound([errors[name] for errors in trusted]) for name in names}
    return Calibration(**bounds, crystals=len(trusted), source=source, sha256=sha256)


@dataclass(frozen=True)
class Reliability:
    """How a statement held.

    Attributes
    ----------
    results, trusted : int
        All results, and those that call themselves trusted.
    inside : int
        Trusted ones whose error is below what was stated.
    others_inside : int
        Of the others, for comparison.
    """

    results: int
    trusted: int
    inside: int
    others_inside: int


def reliability(
    results: Sequence[CalibrationPoint], calibration: Calibration, name: str
) -> Reliability:
    """Hold one of the errors that are stated against results that had no part in it.

    Parameters
    ----------
    results : sequence of CalibrationPoint
        Others than those of the calibration.
    calibration : Calibration
        What is stated.
    name : str
        Of the error: ``"frequency"``, ``"heat_capacity"``, ``"entropy"`` or ``"free_energy"``.
    """
    limit = getattr(calibration, name)
    known = [one for one in results if name in one.errors]
    inside = {one.key for one in known if one.errors[name] <= limit}
    trusted = {one.key for one in known if one.is_trusted}
    return Reliability(
        results=len(known),
        trusted=len(trusted),
        inside=len(inside & trusted),
        others_inside=len(inside - trusted),
    )


def curve(stated: Sequence[float], found: Sequence[float], levels: Sequence[float]) -> np.ndarray:
    """Return the share of errors found below the bound of those stated, at each confidence."""
    limits = np.array([bound(stated, level) for level in levels])
    return (np.asarray(found)[None, :] <= limits[:, None]).mean(axis=1)
