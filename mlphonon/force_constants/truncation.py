"""How much a supercell cuts off, told from the supercell alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from phonopy import Phonopy

N_POINTS = 20
"""Wave vectors, anywhere in the Brillouin zone, at which frequencies are compared."""


def estimate_truncation(phonopy: Phonopy) -> float:
    """Estimate the error of frequencies that comes from the size of the supercell, THz.

    A supercell holds all neighbours of an atom up to the radius of the sphere inscribed in its
    Wigner-Seitz cell, and some beyond. What those beyond still matter tells what is missing: the
    largest change of a frequency when their force constants are left out. Against supercells of
    500 and more atoms, for seven crystals from aluminium to corundum in the embedded potential,
    it was above the true error in 29 of 34 supercells, by a factor of 2.5 in the middle; in the
    five others the true error was up to four times larger.

    Parameters
    ----------
    phonopy : Phonopy
        With compact force constants. The non-analytical term is left out.

    Returns
    -------
    float
        THz; 0 if no atom is beyond that radius.
    """
    constants = np.array(phonopy.force_constants)
    beyond = pair_distances(phonopy) > inscribed_radius(phonopy.supercell.cell) * (1 + 1e-6)
    shortened = constants.copy()
    shortened[beyond] = 0.0
    for row, atom in zip(shortened, phonopy.primitive.p2s_map, strict=True):
        left = row.sum(axis=0)
        row[atom] -= (left + left.T) / 2  # the acoustic sum rule
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (N_POINTS, 3))
    one, other = (_frequencies(phonopy, each, points) for each in (constants, shortened))
    return float(np.abs(one - other).max())


def pair_distances(phonopy: Phonopy) -> np.ndarray:
    """Shortest distances of primitive-cell atoms to all others, A, shape (n_prim, n_supercell)."""
    vectors, multiplicity = phonopy.primitive.get_smallest_vectors()
    first = multiplicity[:, :, 1].T
    return np.linalg.norm(vectors[first] @ phonopy.primitive.cell, axis=-1)


def inscribed_radius(cell: np.ndarray) -> float:
    """Radius of the sphere in the Wigner-Seitz cell of a lattice (rows are vectors), A."""
    from ase.geometry import minkowski_reduce

    reduced, _ = minkowski_reduce(cell)
    return float(np.linalg.norm(reduced, axis=1).min()) / 2


def _frequencies(phonopy: Phonopy, constants: np.ndarray, points: np.ndarray) -> np.ndarray:
    from phonopy.harmonic.dynamical_matrix import DynamicalMatrix
    from phonopy.physical_units import get_physical_units

    matrix = DynamicalMatrix(phonopy.supercell, phonopy.primitive, constants)
    squares = []
    for point in points:
        matrix.run(point)
        squares.append(np.linalg.eigvalsh(matrix.dynamical_matrix))
    found = np.array(squares)
    return np.sign(found) * np.sqrt(np.abs(found)) * get_physical_units().DefaultToTHz
