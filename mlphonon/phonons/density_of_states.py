"""Densities of states by phonopy's tetrahedra, each band where it lies.

Phonopy asks for the weights of every band at every frequency, and for their integrals too; most
are zero or not needed. The same function, asked band by band at the frequencies between its lowest
and its highest, gives the same numbers in a tenth of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def total_dos(mesh: Any, frequencies: np.ndarray) -> np.ndarray:
    """Return the density of states.

    Parameters
    ----------
    mesh : phonopy.phonon.mesh.Mesh
        With frequencies, symmetry allowed.
    frequencies : ndarray, shape (n,)
        Ascending, THz.

    Returns
    -------
    ndarray, shape (n,)
        States per THz and primitive cell.
    """
    stars = np.asarray(mesh.weights, dtype=float)
    n_bands = mesh.frequencies.shape[1]
    return _sum_bands(mesh, frequencies, np.repeat(stars[:, None, None], n_bands, axis=1))[:, 0]


def projected_dos(mesh: Any, frequencies: np.ndarray) -> np.ndarray:
    """Return the density of states of each atom.

    Parameters
    ----------
    mesh : phonopy.phonon.mesh.Mesh
        With eigenvectors, of all points (no symmetry).
    frequencies : ndarray, shape (n,)
        Ascending, THz.

    Returns
    -------
    ndarray, shape (n_atoms, n)
        States per THz and primitive cell.
    """
    vectors = np.asarray(mesh.eigenvectors)
    n_points, n_components, n_bands = vectors.shape
    shares = (np.abs(vectors) ** 2).reshape(n_points, n_components // 3, 3, n_bands).sum(axis=2)
    return _sum_bands(mesh, frequencies, shares.transpose(0, 2, 1)).T


def _sum_bands(mesh: Any, frequencies: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Add up the bands, each times its shares.

    Parameters
    ----------
    mesh : phonopy.phonon.mesh.Mesh
        With frequencies.
    frequencies : ndarray, shape (n,)
        Ascending, THz.
    shares : ndarray, shape (n_points, n_bands, n_shares)
        Of each mode of each point of the mesh.

    Returns
    -------
    ndarray, shape (n, n_shares)
    """
    from phonopy.phonon.tetrahedron_method import get_integration_weights

    grid, points = mesh.bz_grid, np.asarray(mesh.ir_grid_points)
    # Of each point of the grid, which of ours it is equal to.
    ours = np.searchsorted(points, np.asarray(mesh.grid_mapping_table)[grid.bzg2grg])
    density = np.zeros((len(frequencies), shares.shape[2]))
    for band in range(shares.shape[1]):
        values = np.ascontiguousarray(mesh.frequencies[:, band : band + 1])
        first = int(np.searchsorted(frequencies, values.min(), side="left"))
        last = int(np.searchsorted(frequencies, values.max(), side="right"))
        if first == last:
            continue
        weights = get_integration_weights(
            frequencies[first:last],
            values,
            grid,
            grid_points=grid.grg2bzg[points],
            bzgp2irgp_map=ours,
        )
        density[first:last] += weights[:, :, 0].T @ shares[:, band]
    return density / np.prod(grid.D_diag)
