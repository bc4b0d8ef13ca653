"""How large an error is large: effects on frequencies, against the frequencies of the crystal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.trust.verdict import Check

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons

LIMIT = 0.02
"""Share of the root mean square frequency that one fault may change frequencies by. The best
potentials are as far from DFT (Nequix-OAM-PFT 0.02, SevenNet-l3i5 0.03, the embedded one 0.06 of it
on average: ``benchmarks/trust.md``); a calculation should not add as much again."""

SEVERE = 0.2
"""The same, beyond which a result says little about the crystal."""

GRUENEISEN = 2.0
"""Relative change of frequencies with that of the volume, negative; 1 to 3 in nearly all solids."""


def rms_frequency(phonons: Phonons) -> float:
    """Root of the mean |square| of all frequencies of the mesh, THz."""
    _, frequencies, weights = phonons.mesh
    return float(np.sqrt(weights @ (frequencies**2).mean(axis=1) / weights.sum()))


def frequency_check(
    phonons: Phonons, name: str, what: str, measured: tuple[float, str], slope: float, advice: str
) -> Check:
    """Return the check of a fault that changes frequencies in proportion.

    Parameters
    ----------
    phonons : Phonons
        Their frequencies set the scale.
    name, what, advice : str
        See `Check`.
    measured : (float, str)
        How large the fault is, and its unit.
    slope : float
        THz for each of these units.
    """
    value, unit = measured
    scale = rms_frequency(phonons)
    return Check(
        name=name,
        what=what,
        measured=value,
        unit=unit,
        limit=LIMIT * scale / slope if slope > 0 else 0.0,
        severe=SEVERE * scale / slope if slope > 0 else 0.0,
        effect_THz=slope * value,
        advice=advice,
    )
