"""How wrong a potential's phonons are on crystals whose force constants are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.force_constants.autodiff import from_second_derivatives
from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.potentials.potential import DifferentiablePotential
    from mlphonon.training.data.frame import Curvature

MESH_LENGTH = 30.0
"""A; frequencies are compared on the mesh that phonopy makes of it."""


def spectrum_distances(
    potential: DifferentiablePotential, curvatures: Sequence[Curvature]
) -> np.ndarray:
    """Wasserstein distance of each crystal's spectrum to the known one.

    At the structure at which the force constants are known, so errors of the lattice constants are
    not in it.

    Parameters
    ----------
    potential : DifferentiablePotential
        To be judged.
    curvatures : sequence of Curvature
        What is known.

    Returns
    -------
    ndarray, shape (n_crystals,)
        THz.
    """
    from scipy.stats import wasserstein_distance

    distances = []
    for curvature in curvatures:
        phonopy = curvature.phonopy()
        expected, weights = _spectrum(phonopy)
        phonopy.generate_displacements(is_plusminus=False)
        from_second_derivatives(phonopy, potential, potential.info.dtype)
        found, _ = _spectrum(phonopy)
        distances.append(wasserstein_distance(found, expected, weights, weights))
    return np.array(distances)


def _spectrum(phonopy: Phonopy) -> tuple[np.ndarray, np.ndarray]:
    """Return all frequencies of a mesh, THz, and their weights."""
    with one_blas_thread():
        mesh = phonopy.run_mesh(MESH_LENGTH, is_gamma_center=True)
    return mesh.frequencies.ravel(), np.repeat(mesh.weights, mesh.frequencies.shape[1])
