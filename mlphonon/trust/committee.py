"""Do several potentials agree, where several were asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlphonon.trust.verdict import Check, Unmeasured

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons

NAME = "committee"

LIMIT, SEVERE = 0.05, 0.20
"""Spread over the root mean square frequency. Of an oscillator at 10 THz and 300 K, x = h nu / kT
= 1.6, d ln C_V / d ln nu = 2 + x - 2 x / (1 - exp(-x)) = -0.41: 5 % of its frequency are 2 % of its
heat capacity, about what a measurement is good for; 20 % are 8 %. Zero-point energies move in
proportion."""


def check_committee(phonons: Phonons) -> Check | Unmeasured:
    """Compare the spread of a committee with the frequencies themselves."""
    committee = phonons.committee
    if committee is None:
        return Unmeasured(name=NAME, why="one potential was given")
    spread, scale = committee.frequency_spread, committee.rms_frequency
    return Check(
        name=NAME,
        what=f"frequencies of {len(committee.members)} potentials differ by (standard deviation)",
        measured=spread,
        unit="THz",
        limit=LIMIT * scale,
        severe=SEVERE * scale,
        effect_THz=spread,
        advice="believe only what all of them say; look where they part"
        " (phonons.committee.bands()), and ask DFT there",
    )
