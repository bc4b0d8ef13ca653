"""Are there modes that harmonic thermodynamics leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlphonon.trust.verdict import Check, Unmeasured

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons


def imaginary_modes(phonons: Phonons) -> Check | Unmeasured:
    """Check for modes below minus the threshold of the settings."""
    stability = phonons.stability
    where = stability.lowest_label or f"q = ({', '.join(f'{x:.3g}' for x in stability.lowest_q)})"
    return Check(
        name="imaginary modes",
        what=f"lowest mode, at {where}, imaginary by",
        measured=max(0.0, -stability.lowest_frequency_THz),
        unit="THz",
        limit=stability.threshold_THz,
        advice="see what they are and where they lead (mlphonon phonons --explain)",
    )
