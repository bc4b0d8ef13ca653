"""A polar crystal without Born charges: how large is the splitting of LO and TO that is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.crystal.periodic_table import electronegativity, period_and_group
from mlphonon.trust.scale import rms_frequency
from mlphonon.trust.verdict import Check, Unmeasured
from mlphonon.units import THZ_OF_STIFFNESS

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons

LIMIT = 0.05
"""Share of the root mean square frequency above which a missing splitting is said. It concerns the
longitudinal modes near Gamma alone: over the Brillouin zone, frequencies of 60 polar crystals
change by less than 0.05 THz on average, for splittings of up to 15 THz."""

SCREENED, BY_VALENCE, BY_DIFFERENCE = 0.455, 0.372, 0.217
"""Screened charge of an ion, Z*/sqrt(eps), of valence Z, that differs by d from its neighbours in
electronegativity: 0.455 Z^0.372 exp(0.217 d). Fitted to the splittings in DFT of 38 rocksalt and
zincblende crystals (phononDB-103): estimated over true splitting is 1.0 in the middle, 0.6 to 1.8
for nine of ten; it is four times too large for the small ones of GaSb and CuH."""

ANION_GROUPS = range(14, 18)

COULOMB = 14.399645
"""e^2 / (4 pi eps_0), eV A."""


def lo_to_splitting(phonons: Phonons) -> Check | Unmeasured:
    """Check that a polar crystal has its non-analytical term.

    The squares of the frequencies rise by (4 pi/V) sum of e^2/m over the ions, e the screened
    charges, taken together over all polar modes; all of it is given to the highest here.
    """
    record = phonons.record
    if record.born_charges or record.settings.metal:
        why = "Born charges were given" if record.born_charges else "the crystal is a metal"
        return Unmeasured(name="LO-TO splitting", why=f"{why}: nothing is missing")
    top = float(phonons.frequencies([0, 0, 0])[-1])
    square = _missing_square(phonons)
    return Check(
        name="LO-TO splitting",
        what="without Born charges longitudinal modes near Gamma lack up to about",
        measured=float(np.sqrt(max(top, 0.0) ** 2 + square) - max(top, 0.0)),
        unit="THz",
        limit=LIMIT * rms_frequency(phonons),
        effect_THz=None,
        advice="give --born FILE; a metal lacks nothing (--metal)",
    )


def screened_charges(numbers: np.ndarray) -> np.ndarray:
    """Estimate Z*/sqrt(eps) of each atom, shape (n,), in e; zeros where nothing is ionic.

    Anions are elements of groups 14 to 17, and hydrogen, that are more electronegative than the
    middle of the crystal's range; charges are their valences, scaled to neutrality.
    """
    scale = {int(z): electronegativity(int(z)) for z in set(numbers)}
    known = [x for x in scale.values() if x is not None]
    if len(known) < 2:
        return np.zeros(len(numbers))
    middle, width = (max(known) + min(known)) / 2, max(known) - min(known)
    anion = np.array([_is_anion(z, scale[int(z)], middle) for z in numbers])
    valence = np.array([_valence(int(z), a) for z, a in zip(numbers, anion, strict=True)])
    negative, positive = valence[anion].sum(), valence[~anion].sum()
    if negative == 0 or positive == 0:
        return np.zeros(len(numbers))
    # The side that could give or take more does not use all of it.
    ionic = np.where(anion, min(1, positive / negative), min(1, negative / positive)) * valence
    return SCREENED * ionic**BY_VALENCE * np.exp(BY_DIFFERENCE * width) * (ionic > 0)


def _missing_square(phonons: Phonons) -> float:
    """Sum of squared splittings, THz^2."""
    cell = phonons.phonopy.primitive
    charges = screened_charges(cell.numbers)
    square = 4 * np.pi * COULOMB / cell.volume * float((charges**2 / cell.masses).sum())
    return square * THZ_OF_STIFFNESS**2


def _is_anion(number: int, scale: float | None, middle: float) -> bool:
    may_be = number == 1 or period_and_group(number)[1] in ANION_GROUPS
    return bool(may_be and scale is not None and scale > middle)


def _valence(number: int, anion: bool) -> float:
    """Electrons that an atom takes as an anion, or can give: those of its group, at most four."""
    _, group = period_and_group(number)
    if anion:
        return 1.0 if number == 1 else 18.0 - group
    if electronegativity(number) is None:
        return 0.0
    return float(min(3 if group > 18 else group if group <= 12 else group - 10, 4))
