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
from mlphonon.trust.sampling import convergence, sampling
from mlphonon.trust.scale import rms_frequency
from mlphonon.trust.training import check_training
from mlphonon.trust.verdict import Check, ExpectedError, Trust, Unmeasured

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons

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

AT_TEMPERATURE: tuple[Callable[[Phonons], Check | Unmeasured], ...] = (
    volume,
    sampling,
    convergence,
    truncation,
    mesh,
    lo_to_splitting,
    imaginary_modes,
)
"""The same for phonons of a temperature; the rest was checked of the harmonic ones."""


def judge(phonons: Phonons) -> Trust:
    """Make every check that a result allows (see `Phonons.trust`).

    How far a potential is from DFT was measured on harmonic phonons, and is said of these alone.
    """
    if phonons.record.renormalisation is not None:
        return _trust([check(phonons) for check in AT_TEMPERATURE], None)
    found = [check(phonons) for check in CHECKS]
    calibration = find_calibration(phonons.record.potential)
    expected = None if calibration is None else calibration.expect(rms_frequency(phonons))
    return _trust(found, expected)


def _trust(found: list[Check | Unmeasured], expected: ExpectedError | None) -> Trust:
    return Trust(
        expected_error=expected,
        checks=tuple(one for one in found if isinstance(one, Check)),
        unmeasured=tuple(one for one in found if isinstance(one, Unmeasured)),
    )
