"""Snapshots of several trajectories -> force constants, mean places and their errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mlphonon.anharmonic.effective.dynamics import TrajectorySnapshots
    from mlphonon.anharmonic.sscha.fitting import Fitter
    from mlphonon.anharmonic.sscha.reference import Reference


WINDOW = 5.0
"""Correlation times over which autocorrelations are summed."""


@dataclass(frozen=True)
class ForceConstantFit:
    """Effective force constants.

    Attributes
    ----------
    force_constants : ndarray, shape (n_supercell, n_supercell, 3, 3)
        eV/A^2.
    centroids : ndarray, shape (n_primitive, 3)
        Mean places of the atoms, from those of the reference, A.
    frequencies : ndarray, shape (n_q, n_bands)
        At the wave vectors that fit into the supercell, THz.
    errors : ndarray, shape (n_q, n_bands)
        Standard errors of these, THz.
    n_effective : float
        As many independent snapshots as there are, by how long energies stay correlated.
    """

    force_constants: np.ndarray
    centroids: np.ndarray
    frequencies: np.ndarray
    errors: np.ndarray
    n_effective: float


def fit(reference: Reference, fitter: Fitter, snapshots: TrajectorySnapshots) -> ForceConstantFit:
    """Fit force constants to all snapshots, and to all but one trajectory for their errors.

    Least squares of forces on displacements from the mean places (Hellman, Abrikosov and Simak,
    Phys. Rev. B 84, 180301 (2011)); mean places keep the space group.

    Parameters
    ----------
    reference : Reference
        What displacements are from.
    fitter : Fitter
        Of the same supercell.
    snapshots : TrajectorySnapshots
        Of several trajectories.
    """
    everything = np.arange(snapshots.moved.shape[1])
    constants, centroids = _fit(reference, fitter, snapshots, everything)
    frequencies = reference.frequencies(constants)
    parts = np.array(
        [
            reference.frequencies(_fit(reference, fitter, snapshots, everything != left_out)[0])
            for left_out in everything
        ]
    )
    n = len(everything)
    errors = np.sqrt((n - 1) / n * ((parts - parts.mean(axis=0)) ** 2).sum(axis=0))
    return ForceConstantFit(
        constants, centroids, frequencies, errors, n_effective(snapshots.energies)
    )


def _fit(
    reference: Reference, fitter: Fitter, snapshots: TrajectorySnapshots, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    shape = (-1, len(reference.masses), 3)
    moved = snapshots.moved[:, kept].reshape(shape)
    forces = snapshots.forces[:, kept].reshape(shape)
    centroids = _allowed(reference, moved.mean(axis=0))
    # Of the mean force, too, what symmetry forbids is chance, and goes with the same of places.
    mean = _allowed(reference, forces.mean(axis=0))[reference.of_primitive]
    away = moved - centroids[reference.of_primitive]
    weights = np.full(len(moved), 1 / len(moved))
    return fitter.second_order(away, forces - mean, weights), centroids


def _allowed(reference: Reference, vectors: np.ndarray) -> np.ndarray:
    """Return what the space group allows of vectors of the supercell: (n_primitive, 3)."""
    free = reference.free_moves
    shares = np.tensordot(free, reference.average(vectors), axes=([1, 2], [0, 1]))
    return np.asarray(np.tensordot(shares, free, axes=1))


def n_effective(energies: np.ndarray) -> float:
    """Return how many independent values a correlated series is worth.

    Parameters
    ----------
    energies : ndarray, shape (n_times, n_series)
        Of several independent series.

    Returns
    -------
    float
        n / (1 + 2 sum of autocorrelations), summed over five correlation times (Sokal).
    """
    n_times, n_series = energies.shape
    away = energies - energies.mean()
    variance = float((away**2).mean())
    if n_times < 2 or variance == 0:
        return float(n_times * n_series)
    total = 0.5
    for lag in range(1, n_times):
        total += float((away[lag:] * away[:-lag]).mean()) / variance
        if lag >= WINDOW * total:
            break
    return float(n_times * n_series / max(2 * total, 1.0))
