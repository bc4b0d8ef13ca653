"""Are the force constants clean: sum rule, linearity, precision, size of the supercell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.force_constants.truncation import estimate_mean_truncation
from mlphonon.trust.scale import frequency_check, rms_frequency
from mlphonon.trust.verdict import NO_EVIDENCE, Check, Unmeasured

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons


ACOUSTIC = 0.25
"""Frequency of the modes that errors of single force constants harm most, over the root mean square
frequency."""


def sum_rule(phonons: Phonons) -> Check | Unmeasured:
    """Check what was wrong with the raw force constants before they were repaired.

    A spring that is wrong by d changes the square of a frequency by d/m: acoustic modes, at
    a quarter of the root mean square frequency, feel it most.
    """
    raw = phonons.record.raw_force_constants
    return frequency_check(
        phonons,
        "sum rule",
        "before repair, forces that a shifted crystal feels, or asymmetry, were up to",
        (max(raw.drift, raw.asymmetry), "eV/A^2"),
        rms_frequency(phonons) / (2 * ACOUSTIC * _stiffness(phonons)),
        "look for noise in the forces (mlphonon potentials check), or displace farther",
    )


def linearity(phonons: Phonons) -> Check | Unmeasured:
    """Check that forces answered in proportion, or second derivatives as differences do.

    All springs are wrong by about the same share, and frequencies by half of it.
    """
    evidence = phonons.record.evidence
    if evidence is None or evidence.nonlinearity is None:
        return Unmeasured(name="linearity", why=NO_EVIDENCE, needed=True)
    return frequency_check(
        phonons,
        "linearity",
        "forces answer to displacements out of proportion by the share",
        (evidence.nonlinearity, ""),
        rms_frequency(phonons) / 2,
        "displace less (--displacement), in float64",
    )


def precision(phonons: Phonons) -> Check | Unmeasured:
    """Check what rounding of forces did to the force constants (as in `sum_rule`)."""
    evidence = phonons.record.evidence
    if evidence is None or evidence.rounding is None:
        return Unmeasured(name="precision", why=NO_EVIDENCE, needed=True)
    return frequency_check(
        phonons,
        "precision",
        "rounding of forces changes the answer to a displacement by the share",
        (evidence.rounding, ""),
        rms_frequency(phonons) / (2 * ACOUSTIC),
        "use --dtype float64, or displace farther (--displacement)",
    )


def kernels(phonons: Phonons) -> Check | Unmeasured:
    """Check that fast kernels give what the plain ones do (on demand)."""
    evidence = phonons.record.evidence
    if evidence is None or evidence.kernels is None:
        return Unmeasured(name="kernels", why="of potentials with fast kernels, with trust='full'")
    return frequency_check(
        phonons,
        "kernels",
        "fast kernels change the answer to a displacement by the share",
        (evidence.kernels, ""),
        rms_frequency(phonons) / (2 * ACOUSTIC),
        "load the potential with kernels='plain'",
    )


def truncation(phonons: Phonons) -> Check | Unmeasured:
    """Check what the supercell cuts off, on average over all modes.

    Where a larger one was solved, by how much that changed frequencies; elsewhere the estimate of
    `mlphonon.force_constants.truncation`.
    """
    evidence = phonons.record.evidence
    measured = None if evidence is None else evidence.larger_supercell_THz
    what = "another supercell changes frequencies on average by"
    if measured is None:
        what = "force constants beyond the supercell would change frequencies on average by"
        measured = estimate_mean_truncation(phonons.phonopy)
    return frequency_check(
        phonons,
        "truncation",
        what,
        (measured, "THz"),
        1.0,
        "use a larger supercell (--min-length, or --supercell converged)",
    )


def _stiffness(phonons: Phonons) -> float:
    """Mean spring that holds an atom to its place, eV/A^2."""
    primitive = phonons.phonopy.primitive
    own = np.asarray(phonons.phonopy.force_constants)[range(len(primitive)), primitive.p2s_map]
    return float(np.abs(np.trace(own, axis1=1, axis2=2)).mean() / 3)
