"""Is the mesh of wave vectors dense enough for the density of states and what is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.system.threads import one_blas_thread
from mlphonon.trust.scale import frequency_check, rms_frequency
from mlphonon.trust.verdict import Check, Unmeasured

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons

COARSE = 4
"""A mesh with no more points than this along an axis is held against one of twice its length; a
denser one against one of half its length, which costs an eighth."""

ORDER = 3.0
"""The error falls at least with the square of the length: of two meshes, one twice as long as the
other, the denser is wrong by a third of their difference."""

SLOWEST = 0.05
"""THz; modes below have no part in the mean logarithm, as the acoustic ones at Gamma."""


def mesh(phonons: Phonons) -> Check | Unmeasured:
    """Check what the length of the mesh does to the distribution of frequencies and to entropy.

    The first is the distance of two distributions (earth mover's, THz). The classical entropy is
    the mean logarithm of frequencies; what changes that, relative, changes them all alike.
    """
    from scipy.stats import wasserstein_distance

    length = phonons.record.settings.mesh
    _, ours, our_weights = phonons.mesh
    coarse = round(float(our_weights.sum()) ** (1 / 3)) <= COARSE
    theirs, their_weights = _mesh(phonons, 2 * length if coarse else length / 2)
    apart = wasserstein_distance(
        ours.ravel(), theirs.ravel(), *map(_each, (our_weights, their_weights), (ours, theirs))
    )
    logarithms = abs(_mean_logarithm(ours, our_weights) - _mean_logarithm(theirs, their_weights))
    difference = max(float(apart), rms_frequency(phonons) * logarithms)
    # The difference from a denser mesh is nearly all our own error.
    error = difference * (1 + 1 / ORDER) if coarse else difference / ORDER
    return frequency_check(
        phonons,
        "mesh",
        f"a mesh of {length:g} A shifts the distribution of frequencies by",
        (error, "THz"),
        1.0,
        "use a longer --mesh",
    )


def _mesh(phonons: Phonons, length: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies, (n, n_bands), and weights, (n,), of another mesh; phonopy keeps its own."""
    from phonopy.phonon.mesh import Mesh

    phonopy = phonons.phonopy
    with one_blas_thread():
        found = Mesh(
            phonopy.dynamical_matrix, length, primitive_symmetry=phonopy.primitive_symmetry
        )
        found.run()
    return np.asarray(found.frequencies), np.asarray(found.weights)


def _each(weights: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Weight of every mode, in one row."""
    return np.repeat(weights, frequencies.shape[1]).astype(float)


def _mean_logarithm(frequencies: np.ndarray, weights: np.ndarray) -> float:
    """Mean logarithm of the frequencies in THz, over the modes above `SLOWEST`."""
    real = frequencies > SLOWEST
    each = np.where(real, weights[:, None], 0)
    return float((each * np.log(np.where(real, frequencies, 1.0))).sum() / max(each.sum(), 1))
