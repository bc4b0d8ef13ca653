"""Which modes are imaginary: at the special points, at those that fit the supercell, the lowest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons

ALIKE = 1e-3
"""THz; modes of one wave vector closer than this are taken for degenerate."""

SAME_POINT = 1e-4
"""Of reciprocal vectors."""

FINEST = 4
"""Largest denominator of a special point: a wave of four cells is the longest that is followed."""

LOWER = 1.02
"""By this factor the lowest of all modes must be lower than those of the other points to be listed
beside them."""


@dataclass(frozen=True)
class ModeSet:
    """Degenerate imaginary modes.

    Attributes
    ----------
    label : str
        Of the wave vector.
    q : ndarray, shape (3,)
        In reciprocal vectors of the primitive cell.
    frequency : float
        THz, negative.
    eigenvectors : ndarray, shape (n, 3 n_atoms)
        phonopy's, with the phases of atomic positions.
    commensurate : bool
        Whether the wave fits into the supercell.
    """

    label: str
    q: np.ndarray
    frequency: float
    eigenvectors: np.ndarray
    commensurate: bool


def imaginary_modes(phonons: Phonons) -> list[ModeSet]:
    """Return the imaginary modes, lowest first.

    Looked at are Gamma, the special points of the band path whose waves are at most `FINEST`
    cells long, the points that fit into the supercell, and the lowest of mesh and path.
    Points that symmetry makes equal count once.
    """
    threshold = phonons.record.settings.imaginary_threshold
    points = _points(phonons)
    found: list[ModeSet] = []
    for q in points:
        found += modes_at(phonons, q, -threshold)
    lowest = np.array(phonons.stability.lowest_q)
    deepest = min((one.frequency for one in found), default=0.0)
    if phonons.stability.lowest_frequency_THz < min(LOWER * deepest, -threshold):
        found += modes_at(phonons, lowest, -threshold)
    return sorted(found, key=lambda one: one.frequency)


def modes_at(phonons: Phonons, q: np.ndarray, below: float) -> list[ModeSet]:
    """Return sets of degenerate modes at a wave vector below a frequency, THz."""
    with one_blas_thread():
        result = phonons.phonopy.run_qpoints([q], with_eigenvectors=True)
    frequencies, vectors = np.asarray(result.frequencies)[0], np.asarray(result.eigenvectors)[0].T
    sets: list[ModeSet] = []
    start = 0
    for end in range(1, len(frequencies) + 1):
        if end < len(frequencies) and frequencies[end] - frequencies[end - 1] < ALIKE:
            continue
        mean = float(frequencies[start:end].mean())
        if mean < below:
            label = point_name(phonons, q)
            fits = _fits(phonons, q)
            sets.append(ModeSet(label, np.array(q, float), mean, vectors[start:end], fits))
        start = end
    return sets


def point_name(phonons: Phonons, q: np.ndarray) -> str:
    """Return the name of a special point, or its coordinates."""
    named = phonons.band_path.name_of(q)
    if np.allclose(q, np.rint(q), atol=SAME_POINT):
        named = "GAMMA"
    return named or f"({', '.join(f'{x:.3g}' for x in q)})"


def _fits(phonons: Phonons, q: np.ndarray) -> bool:
    waves = np.asarray(phonons.phonopy.supercell_matrix).T @ q
    return bool(np.allclose(waves, np.rint(waves), atol=SAME_POINT))


def _points(phonons: Phonons) -> list[np.ndarray]:
    """Return inequivalent wave vectors to look at; those with names first."""
    from phonopy.harmonic.dynmat_to_fc import get_commensurate_points

    path = phonons.band_path.corners()
    special = [np.asarray(q) for chain in path for q in chain]
    fine = [q for q in special if denominator(q)]
    fitting = get_commensurate_points(np.asarray(phonons.phonopy.supercell_matrix))
    short = [q for q in fitting if denominator(q)]
    kept: list[np.ndarray] = []
    for q in [np.zeros(3), *fine, *(q - np.rint(q - 1e-9) for q in short)]:
        if not any(_equivalent(phonons, q, other) for other in kept):
            kept.append(q)
    return kept


def denominator(q: np.ndarray) -> int | None:
    """Return after how many cells, at most `FINEST`, a wave repeats along every axis, or None."""
    cells = range(1, FINEST + 1)
    return next((n for n in cells if np.allclose(n * q, np.rint(n * q), atol=SAME_POINT)), None)


def _equivalent(phonons: Phonons, q: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether a symmetry operation, or time reversal, takes one wave vector to the other."""
    rotations = np.asarray(phonons.phonopy.primitive_symmetry.pointgroup_operations)
    rotations = rotations.transpose(0, 2, 1)  # q moves with the inverse transpose: the same set
    images = np.concatenate([rotations @ q, -(rotations @ q)])
    apart = images - other
    return bool((np.abs(apart - np.rint(apart)) < SAME_POINT).all(axis=1).any())
