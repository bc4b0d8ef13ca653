"""The cause of each imaginary mode: noise, no rest, interpolation, or the crystal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.instabilities.explanation import Cause, ImaginaryMode
from mlphonon.instabilities.frozen_modes import FrozenModes, freeze, nearest_simple
from mlphonon.instabilities.modes import ModeSet, denominator, imaginary_modes, modes_at
from mlphonon.trust.scale import rms_frequency

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.potentials.potential import Potential

NEAR = 0.15
"""Share of the shortest reciprocal vector: waves longer than this are near Gamma."""

ACOUSTIC = 0.5
"""Share of a mode that shifts the crystal as a whole, above which it is acoustic."""

UNSETTLED = ("residual force", "residual stress")
"""Checks that say that the crystal is not at rest."""


@dataclass(frozen=True)
class DiagnosedMode:
    """An imaginary mode with its cause, and what to follow if it is real.

    Attributes
    ----------
    mode : ImaginaryMode
        What is said of it.
    frozen : FrozenModes, optional
        Where it leads.
    """

    mode: ImaginaryMode
    frozen: FrozenModes | None = None


def diagnose(
    phonons: Phonons, potential: Potential, rested: Phonons | None = None
) -> list[DiagnosedMode]:
    """Return the cause of every imaginary mode, lowest first.

    Parameters
    ----------
    phonons : Phonons
        Whose modes.
    potential : Potential
        Is asked along the modes.
    rested : Phonons, optional
        The same crystal brought to rest, where it is not.
    """
    return [_one(phonons, potential, rested, modes) for modes in imaginary_modes(phonons)]


def is_unsettled(phonons: Phonons) -> bool:
    """Tell whether a crystal may not be at rest."""
    checks = [phonons.trust.check(name) for name in UNSETTLED]
    return not phonons.record.relaxation_converged or any(c is not None and c.fired for c in checks)


def noise_floor(phonons: Phonons) -> float:
    """Return the frequency, THz, that errors of the calculation may give to a mode of none.

    An error d of a frequency w is an error 2 w d of its square; at w = 0 all of the square.
    """
    return float(np.sqrt(2 * rms_frequency(phonons) * phonons.trust.numerical_error))


def _one(
    phonons: Phonons, potential: Potential, rested: Phonons | None, modes: ModeSet
) -> DiagnosedMode:
    threshold = phonons.record.settings.imaginary_threshold

    def say(
        cause: Cause, measured: float | None = None, at: np.ndarray | None = None
    ) -> ImaginaryMode:
        return ImaginaryMode(
            label=modes.label,
            q=_three(modes.q),
            frequency_THz=modes.frequency,
            degeneracy=len(modes.eigenvectors),
            commensurate=modes.commensurate,
            cause=cause,
            measured_THz=measured,
            followed_q=None if at is None else _three(at),
        )

    if _is_long_acoustic(phonons, modes) and -modes.frequency <= noise_floor(phonons):
        return DiagnosedMode(say("numerical"))
    if rested is not None and not modes_at(rested, modes.q, -threshold):
        return DiagnosedMode(say("under-relaxation"))
    here = rested or phonons
    followed = _followed(here, modes, threshold)
    if followed is None:
        return DiagnosedMode(say("long wave"))
    frozen = freeze(here.atoms, followed)
    measured = frozen.frequency(potential)
    at = None if np.allclose(followed.q, modes.q) else followed.q
    if measured >= -threshold:
        # A wave that fits into the supercell was not interpolated.
        return DiagnosedMode(
            say("numerical" if followed.commensurate else "truncation", measured, at)
        )
    at_gamma = np.allclose(followed.q, np.rint(followed.q))
    return DiagnosedMode(say("saddle" if at_gamma else "instability", measured, at), frozen)


def _followed(phonons: Phonons, modes: ModeSet, threshold: float) -> ModeSet | None:
    """Return the modes to be frozen: these, or the lowest at the nearest simple wave vector."""
    if denominator(modes.q):
        found = modes_at(phonons, modes.q, -threshold)
        return min(found, key=lambda one: abs(one.frequency - modes.frequency), default=None)
    reach = NEAR * _shortest(phonons)
    for q in nearest_simple(modes.q, phonons.atoms.cell.array):
        if np.linalg.norm((q - modes.q) @ np.linalg.inv(phonons.atoms.cell.array).T) > reach:
            return None
        if found := modes_at(phonons, q, -threshold):
            return found[0]
    return None


def _is_long_acoustic(phonons: Phonons, modes: ModeSet) -> bool:
    q = modes.q - np.rint(modes.q)
    length = np.linalg.norm(q @ np.linalg.inv(phonons.atoms.cell.array).T)
    masses = phonons.phonopy.primitive.masses
    waves = modes.eigenvectors.reshape(len(modes.eigenvectors), len(masses), 3)
    whole = np.einsum("a,naj->nj", np.sqrt(masses / masses.sum()), waves)
    shifts = float((np.abs(whole) ** 2).sum(axis=1).mean())
    return bool(length < NEAR * _shortest(phonons) and shifts > ACOUSTIC)


def _shortest(phonons: Phonons) -> float:
    """Length of the shortest reciprocal vector, 1/A (no factor 2 pi)."""
    return float(np.linalg.norm(np.linalg.inv(phonons.atoms.cell.array).T, axis=1).min())


def _three(q: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in q)
    return x, y, z
