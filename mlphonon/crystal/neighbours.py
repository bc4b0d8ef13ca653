"""Pairs of atoms of a periodic crystal within a distance."""

from __future__ import annotations

import itertools

import numpy as np
from ase import Atoms

FEW = 64
"""Atoms of a cell up to which all pairs of all images are looked at; of larger ones ASE sorts
into boxes, which takes it tens of milliseconds however few there are."""

AT_ONCE = 1_000_000
"""Pairs whose distances are in memory together."""


def pairs_within(atoms: Atoms, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find all pairs of atoms, periodic images included, that are nearer than `reach`.

    Parameters
    ----------
    atoms : Atoms
        Periodic in all directions.
    reach : float
        A.

    Returns
    -------
    first, second : ndarray of int, shape (n,)
        Indices of atoms; each pair is met from both ends, and none with itself in one place.
    vectors : ndarray, shape (n, 3)
        From the first to the second, A.
    """
    if len(atoms) > FEW:
        from ase.neighborlist import neighbor_list

        first, second, vectors = neighbor_list("ijD", atoms, reach)
        return first, second, vectors
    cell = atoms.cell.array
    fractional = np.linalg.solve(cell.T, atoms.positions.T).T
    # In the cell and the next, so that images farther than the reach are of no interest.
    apart = fractional[None] - fractional[:, None]
    whole = np.floor(apart)
    heights = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    steps = np.ceil(reach / heights).astype(int)
    images = np.array(list(itertools.product(*(range(-n - 1, n + 1) for n in steps))))
    near = (apart - whole) @ cell
    found = []
    each = max(1, AT_ONCE // len(atoms) ** 2)
    for start in range(0, len(images), each):
        vectors = near[:, :, None] + (images[start : start + each] @ cell)[None, None]
        squares = np.einsum("abcx,abcx->abc", vectors, vectors)
        first, second, image = np.nonzero((squares < reach**2) & (squares > 1e-18))
        found.append((first, second, vectors[first, second, image]))
    first, second, vectors = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, vectors
