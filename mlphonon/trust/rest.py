"""Is the crystal at rest, and still the one that was given: forces, stress, symmetry, volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlphonon.trust.scale import GRUENEISEN, frequency_check, rms_frequency
from mlphonon.trust.verdict import NO_EVIDENCE, Check, Unmeasured

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons

LARGE_CHANGE, FALLEN_APART = 0.15, 0.30
"""Relative changes of the volume. Potentials and functionals differ by a few per cent; of 335
compounds in the embedded potential 39 changed by more than the second: molecular and layered
crystals that came apart (``benchmarks/screening.md``)."""

ANISOTROPY = 3.0
"""A displacement of an atom stretches a bond by as much relative to its length; three such are a
relative change of the volume."""


def residual_force(phonons: Phonons) -> Check | Unmeasured:
    """Check how far atoms are from where their forces vanish.

    A bond stretched by the share x changes its spring like a volume changed by 3 x, so
    frequencies by 3 x times Grueneisen's parameter.
    """
    evidence, record = phonons.record.evidence, phonons.record
    if evidence is None:
        return Unmeasured(name="residual force", why=NO_EVIDENCE, needed=True)
    slope = ANISOTROPY * GRUENEISEN * rms_frequency(phonons) / _shortest_bond(phonons)
    return frequency_check(
        phonons,
        "residual force",
        f"with forces of {record.residual_force_eV_per_A:.1g} eV/A left, atoms are off rest by",
        (evidence.step_to_rest_A, "A"),
        slope,
        "relax with this potential (no --no-relax) to a smaller fmax",
    )


def residual_stress(phonons: Phonons) -> Check | Unmeasured:
    """Check how far the cell is from where its stress vanishes.

    The stress over the bulk modulus is the change of the volume that is still to come.
    """
    evidence, stress = phonons.record.evidence, phonons.record.residual_stress_GPa
    if evidence is None or stress is None or evidence.bulk_modulus_GPa is None:
        return Unmeasured(name="residual stress", why="the potential gives no stress", needed=True)
    modulus = evidence.bulk_modulus_GPa
    slope = GRUENEISEN * rms_frequency(phonons) / modulus if modulus > 0 else float("inf")
    return frequency_check(
        phonons,
        "residual stress",
        "the cell is under a stress of",
        (stress, "GPa"),
        slope,
        "relax the cell with this potential (no --no-relax) to a smaller fmax",
    )


def symmetry(phonons: Phonons) -> Check | Unmeasured:
    """Check that the relaxation has not led to another space group (a lower one is refused)."""
    evidence, record = phonons.record.evidence, phonons.record
    if evidence is None:
        return Unmeasured(name="symmetry", why=NO_EVIDENCE, needed=True)
    gained = evidence.symmetry_gained
    return Check(
        name="symmetry",
        what=f"{record.spacegroup} became {gained or record.spacegroup}; operations gained",
        measured=evidence.operations_gained,
        unit="",
        limit=0,
        advice="this is another phase than the one given; compute that on purpose, or look"
        " whether the potential is to blame",
    )


def volume(phonons: Phonons) -> Check | Unmeasured:
    """Check that the relaxed crystal has about the volume that was given."""
    record = phonons.record
    if not record.relaxed:
        return Unmeasured(name="volume", why="the crystal was not relaxed")
    return Check(
        name="volume",
        what="the relaxation changed the volume by the share",
        measured=abs(record.volume_change),
        unit="",
        limit=LARGE_CHANGE,
        severe=FALLEN_APART,
        advice="if the cell given was a good one, the potential does not know this crystal: take"
        " another potential",
    )


def _shortest_bond(phonons: Phonons) -> float:
    """Least distance of two atoms, A."""
    from mlphonon.force_constants.truncation import pair_distances

    distances = pair_distances(phonons.phonopy)
    return float(distances[distances > 1e-3].min())
