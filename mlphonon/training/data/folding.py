"""Second derivatives of a crystal, folded exactly into small supercells.

Force constants of a supercell say what every displacement does that repeats with it. A smaller
supercell whose lattice contains that of the larger one repeats more often; its second derivatives
are sums over images of those of the larger. So a calculation of a hundred atoms teaches at the
price of thirty, and over the small supercells that there are every wave vector of it occurs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy


@dataclass(frozen=True)
class PeriodicConstants:
    """Force constants of a primitive cell's atoms with all atoms of a supercell.

    Attributes
    ----------
    numbers : ndarray of int, shape (n_atoms,)
        Atomic numbers of the primitive cell.
    cell : ndarray, shape (3, 3)
        Its lattice vectors, in rows, A.
    positions : ndarray, shape (n_atoms, 3)
        A.
    lattice : ndarray of int, shape (3, 3)
        The supercell's lattice vectors, in rows, in terms of the primitive cell's.
    kinds : ndarray of int, shape (n_supercell,)
        Which atom of the primitive cell each atom of the supercell is an image of.
    shifts : ndarray of int, shape (n_supercell, 3)
        By which lattice vector of the primitive cell.
    constants : ndarray, shape (n_atoms, n_supercell, 3, 3)
        eV/A^2.
    """

    numbers: np.ndarray
    cell: np.ndarray
    positions: np.ndarray
    lattice: np.ndarray
    kinds: np.ndarray
    shifts: np.ndarray
    constants: np.ndarray

    @classmethod
    def of(cls, phonopy: Phonopy) -> PeriodicConstants:
        """Take them from a phonopy object that has force constants, compact or full."""
        primitive, supercell = phonopy.primitive, phonopy.supercell
        inverse = np.linalg.inv(primitive.cell)
        kinds = np.array([primitive.p2p_map[s] for s in primitive.s2p_map])
        # Rows are those of these atoms; the primitive cell's stand elsewhere, by lattice vectors.
        positions = supercell.positions[primitive.p2s_map]
        away = (supercell.positions - positions[kinds]) @ inverse
        constants = phonopy.force_constants
        if constants.shape[0] == len(supercell):
            constants = constants[primitive.p2s_map]
        return cls(
            numbers=np.array(primitive.numbers),
            cell=primitive.cell,
            positions=positions,
            lattice=_whole(supercell.cell @ inverse),
            kinds=kinds,
            shifts=_whole(away),
            constants=np.asarray(constants),
        )

    @classmethod
    def load(cls, path: Path) -> PeriodicConstants:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})

    def save(self, path: Path) -> None:
        """Write the arrays, constants in single precision, into a .npz file."""
        arrays = {name: getattr(self, name) for name in self.__dataclass_fields__}
        np.savez(path, **arrays | {"constants": self.constants.astype(np.float32)})

    @cached_property
    def images(self) -> int:
        """Primitive cells in the supercell."""
        return abs(round(np.linalg.det(self.lattice)))

    def superlattices(self, most_atoms: int) -> list[np.ndarray]:
        """Return the largest commensurate lattices whose cells hold no more atoms than that.

        Largest: no other one of twice or more the size fits. At least one is returned, the
        primitive lattice itself.

        Returns
        -------
        list of ndarray of int, shape (3, 3)
            Lattice vectors in rows, in terms of the primitive cell's, upper triangular.
        """
        most = max(1, most_atoms // len(self.numbers))
        sizes = [size for size in range(1, most + 1) if self.images % size == 0]
        found: dict[int, list[np.ndarray]] = {}
        for size in sizes:
            lattices = [rows for rows in triangular(size) if contains(rows, self.lattice)]
            if lattices:
                found[size] = lattices
        return [rows for size in found if 2 * size > max(found) for rows in found[size]]

    def supercell(self, lattice: np.ndarray) -> Atoms:
        """Return the cell of a lattice that `superlattices` gave, image after image."""
        from ase import Atoms

        shifts = _representatives(lattice) @ self.cell
        return Atoms(
            numbers=np.tile(self.numbers, len(shifts)),
            positions=(shifts[:, None] + self.positions).reshape(-1, 3),
            cell=lattice @ self.cell,
            pbc=True,
        )

    def folded(self, lattice: np.ndarray) -> np.ndarray:
        """Return the Hessian of that cell, eV/A^2.

        Returns
        -------
        ndarray, shape (3 n, 3 n)
            Of the atoms in the order of `supercell`.
        """
        shifts = _representatives(lattice)
        size, n_atoms = len(shifts), len(self.numbers)
        hessian = np.zeros((size, n_atoms, size * n_atoms, 3, 3))
        for row, shift in enumerate(shifts):
            columns = _index(self.shifts + shift, lattice) * n_atoms + self.kinds
            for atom in range(n_atoms):
                np.add.at(hessian[row, atom], columns, self.constants[atom])
        n = size * n_atoms
        square = hessian.reshape(n, n, 3, 3).transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)
        return (square + square.T) / 2


def triangular(size: int) -> list[np.ndarray]:
    """Return all lattices of index `size`, rows in upper triangular (Hermite normal) form."""
    found = []
    for a, b in itertools.product(range(1, size + 1), repeat=2):
        if size % (a * b):
            continue
        c = size // (a * b)
        for x, y, z in itertools.product(range(b), range(c), range(c)):
            found.append(np.array([[a, x, y], [0, b, z], [0, 0, c]]))
    return found


def contains(lattice: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether every vector of `other` is one of `lattice` (integer rows both)."""
    ratio = other @ np.linalg.inv(lattice)
    return bool(np.abs(ratio - np.rint(ratio)).max() < 1e-6)


def _representatives(lattice: np.ndarray) -> np.ndarray:
    """Return one vector of each class modulo a triangular lattice, shape (size, 3)."""
    return np.array(list(itertools.product(*(range(n) for n in np.diag(lattice)))))


def _index(vectors: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    """Return the number of the class of each vector, in the order of `_representatives`."""
    left = vectors.copy()
    for axis in range(3):
        left -= np.outer(left[:, axis] // lattice[axis, axis], lattice[axis])
    _, b, c = np.diag(lattice)
    return (left[:, 0] * b + left[:, 1]) * c + left[:, 2]


def _whole(values: np.ndarray) -> np.ndarray:
    rounded = np.rint(values)
    if np.abs(values - rounded).max() > 0.01:
        raise ValueError("the supercell is none of the primitive cell")
    return rounded.astype(int)
