"""Of phonons at a temperature: has chance done harm, and did the iterations come to an end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlphonon.trust.scale import frequency_check
from mlphonon.trust.verdict import Check, Unmeasured

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons


def sampling(phonons: Phonons) -> Check | Unmeasured:
    """Check the standard error of frequencies that are averages over random displacements."""
    how = phonons.record.renormalisation
    if how is None:
        return Unmeasured(name="sampling", why="harmonic phonons are no averages")
    return frequency_check(
        phonons,
        "sampling",
        "frequencies are averages with a standard error (root mean square) of",
        (how.mean_frequency_error_THz, "THz"),
        1.0,
        "average over more displaced supercells",
    )


def convergence(phonons: Phonons) -> Check | Unmeasured:
    """Check that the last iterations changed nothing beyond the errors."""
    how = phonons.record.renormalisation
    if how is None:
        return Unmeasured(name="convergence", why="harmonic phonons are not iterated")
    return Check(
        name="convergence",
        what="the last change was within the errors (0) or was not (1):",
        measured=0.0 if how.converged else 1.0,
        unit="",
        limit=0.5,
        advice="allow more iterations; where modes stay imaginary, the crystal is not stable at"
        " this temperature",
    )
