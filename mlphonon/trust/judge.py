"""All checks of a result, and the verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mlphonon.trust.calibration import find_calibration
from mlphonon.trust.committee import check_committee
from mlphonon.trust.constants import kernels, linearity, precision, sum_rule, truncation
from mlphonon.trust.imaginary import imaginary_modes
from mlphonon.trust.mesh import mesh
from mlphonon.trust.polarity import lo_to_splitting
from mlphonon.trust.rest import residual_force, residual_stress, symmetry, volume
from mlphonon.trust.scale import rms_frequency
from mlphonon.trust.training import check_training
from mlphonon.trust.verdict import Check, Trust, Unmeasured

if TYPE_CHECKING:
    from mlphonon.phonons import Phonons

CHECKS: tuple[Callable[[Phonons], Check | Unmeasured], ...] = (
    check_training,
    volume,
    symmetry,
    residual_force,
    residual_stress,
    sum_rule,
    linearity,
    precision,
    kernels,
    truncation,
    mesh,
    lo_to_splitting,
    imaginary_modes,
    check_committee,
)
"""Each from a result to what it found; in the order in which a calculation goes."""


def judge(phonons: Phonons) -> Trust:
    """Make every check that a result allows (see `Phonons.trust`)."""
    found = [check(phonons) for check in CHECKS]
    calibration = find_calibration(phonons.record.potential)
    expected = None if calibration is None else calibration.expect(rms_frequency(phonons))
    return Trust(
        expected_error=expected,
        checks=tuple(one for one in found if isinstance(one, Check)),
        unmeasured=tuple(one for one in found if isinstance(one, Unmeasured)),
    )
