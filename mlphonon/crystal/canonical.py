"""One setting for one crystal: the same axes and order of atoms, however it was given.

Where the point group of a crystal is lower than its lattice's (quartz, wurtzite, pyrite),
the conventions leave several standardised settings, turned against one another. Which of
them spglib returns depends on how the crystal was given. Physics does not mind, but the
supercell chosen among equals and the directions of finite displacements would follow, and
with them the frequencies.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from mlphonon.crystal.neighbours import pairs_within

_PROBES = np.array(
    [
        (0.55, 0.17, 1.38),
        (-1.47, 0.94, 1.21),
        (0.31, -2.46, 0.83),
        (1.89, 2.27, 0.42),
        (-3.52, -0.58, -0.51),
        (2.83, -2.41, -1.47),
        (0.72, 3.43, -3.12),
        (-1.13, -0.86, -5.51),
    ]
)
"""Points about an atom where its surroundings are felt, A: at random, so that no symmetry of
a lattice maps them onto themselves."""

_WIDTH = 0.5
_REACH = 8.0


def canonical_setting(
    atoms: Atoms, rotations: np.ndarray, symprec: float
) -> tuple[Atoms, np.ndarray]:
    """Turn a standardised primitive cell into a setting that does not depend on its history.

    Parameters
    ----------
    atoms : Atoms
        Standardised primitive cell.
    rotations : ndarray of int, shape (n, 3, 3)
        Its point group, in fractional coordinates.
    symprec : float
        Tolerance of the symmetry search, A.

    Returns
    -------
    atoms : Atoms
        The crystal turned by a symmetry of its lattice that keeps the setting's symmetry
        operations, on the same cell vectors; atoms sorted by atomic number and surroundings.
    turn : ndarray, shape (3, 3)
        The rotation in Cartesian axes (x' = turn x).
    """
    i, j, bonds = pairs_within(atoms, _REACH)
    cell = atoms.cell.array.T
    best: tuple[float, np.ndarray, np.ndarray, np.ndarray] | None = None
    for rotation in _equivalent_settings(atoms.cell.array, rotations, symprec):
        turn = cell @ rotation @ np.linalg.inv(cell)
        turned_bonds, felt = bonds @ turn.T, np.zeros(len(bonds))
        for probe in _PROBES:
            off = turned_bonds - probe
            felt += np.exp(-np.einsum("bx,bx->b", off, off) / (2 * _WIDTH**2))
        # Squared below, since a sum over pairs alone cannot tell a crystal from its inverse.
        surroundings = np.bincount(i, atoms.numbers[j] * felt, minlength=len(atoms))
        score = float(atoms.numbers @ surroundings**2)
        if best is None or score > best[0] * (1 + 1e-9):
            best = (score, rotation, turn, surroundings)
    assert best is not None  # the identity is always among them
    _, rotation, turn, surroundings = best
    order = np.lexsort((surroundings, atoms.numbers))
    turned = Atoms(
        numbers=atoms.numbers[order],
        cell=atoms.cell,
        scaled_positions=(atoms.get_scaled_positions() @ rotation.T)[order],
        pbc=True,
    )
    return turned, turn


def _equivalent_settings(
    lattice: np.ndarray, rotations: np.ndarray, symprec: float
) -> list[np.ndarray]:
    """Proper rotations of the lattice that map the point group onto itself, shape (3, 3) each."""
    import spglib

    holohedry = spglib.get_symmetry((lattice, [[0, 0, 0]], [1]), symprec=symprec)
    group = {rotation.tobytes() for rotation in rotations.astype(int)}
    found = [np.eye(3, dtype=int)]
    for rotation in holohedry["rotations"].astype(int) if holohedry else ():
        inverse = np.rint(np.linalg.inv(rotation)).astype(int)
        if np.linalg.det(rotation) > 0 and group == {
            (rotation @ member @ inverse).tobytes() for member in rotations.astype(int)
        }:
            found.append(rotation)
    return found
