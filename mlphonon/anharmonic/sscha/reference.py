"""The places that displacements are measured from, and what their symmetry allows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.crystal.crystal import space_group
from mlphonon.force_constants.cells import to_ase
from mlphonon.force_constants.displacements import make_supercell

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy


@dataclass(frozen=True)
class Reference:
    """A primitive cell and its supercell, at fixed places.

    Attributes
    ----------
    atoms : Atoms
        Primitive cell.
    phonopy : Phonopy
        Without Born charges: only waves that fit into the supercell matter here.
    symprec : float
        Tolerance of the symmetry search, A.
    energy : float
        Of the supercell with all atoms at these places, eV.
    """

    atoms: Atoms
    phonopy: Phonopy
    symprec: float
    energy: float

    @classmethod
    def of(
        cls, atoms: Atoms, matrix: np.ndarray, symprec: float, energy_per_cell: float
    ) -> Reference:
        """Make the supercell; `energy_per_cell` is that of the primitive cell, eV."""
        phonopy = make_supercell(atoms, matrix, symprec)
        cells = len(phonopy.supercell) // len(phonopy.primitive)
        return cls(atoms, phonopy, symprec, cells * energy_per_cell)

    @cached_property
    def supercell(self) -> Atoms:
        """All atoms at their places."""
        return to_ase(self.phonopy.supercell)

    @cached_property
    def n_cells(self) -> int:
        """Primitive cells in the supercell."""
        return len(self.phonopy.supercell) // len(self.phonopy.primitive)

    @cached_property
    def masses(self) -> np.ndarray:
        """Of the atoms of the supercell, amu, shape (n_supercell,)."""
        return np.asarray(self.phonopy.supercell.masses, dtype=float)

    @cached_property
    def nearest(self) -> float:
        """Least distance of two atoms, A."""
        from mlphonon.force_constants.truncation import pair_distances

        distances = pair_distances(self.phonopy)
        return float(distances[distances > 1e-3].min())

    @cached_property
    def of_primitive(self) -> np.ndarray:
        """Which atom of the primitive cell each of the supercell repeats, shape (n_supercell,)."""
        primitive = self.phonopy.primitive
        return np.array([primitive.p2p_map[i] for i in primitive.s2p_map])

    def average(self, vectors: np.ndarray) -> np.ndarray:
        """Average vectors of the supercell's atoms over lattice translations: (n_primitive, 3)."""
        total = np.zeros((len(self.atoms), 3))
        np.add.at(total, self.of_primitive, vectors)
        return total / self.n_cells

    @cached_property
    def wave_vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Those that fit into the supercell, one of each star, and how many are in it.

        Shapes (n, 3), in reciprocal vectors of the primitive cell, and (n,).
        """
        from phonopy.harmonic.dynmat_to_fc import get_commensurate_points

        points = get_commensurate_points(np.rint(self.phonopy.supercell_matrix).astype(int))
        rotations, _ = space_group(self.atoms, self.symprec)
        found: dict[tuple[int, ...], list[int]] = {}
        for number, point in enumerate(points):
            found.setdefault(star_of(point, rotations, self.n_cells), []).append(number)
        first = [members[0] for members in found.values()]
        return points[first], np.array([len(members) for members in found.values()])

    def frequencies(self, force_constants: np.ndarray) -> np.ndarray:
        """Frequencies at `wave_vectors`, THz, shape (n, n_bands); negative if imaginary."""
        self.phonopy.force_constants = force_constants
        return np.array(self.phonopy.run_qpoints(self.wave_vectors[0]).frequencies)

    def rms(self, of_frequencies: np.ndarray) -> float:
        """Root mean square over the modes of the supercell of what is shaped as `frequencies`.

        The three that move the crystal as a whole are not counted: they are always zero.
        """
        modes = 3 * len(self.masses) - 3
        return float(np.sqrt((self.wave_vectors[1] @ of_frequencies**2).sum() / modes))

    @cached_property
    def free_moves(self) -> np.ndarray:
        """Displacements of the primitive cell's atoms that keep its space group.

        Orthonormal, shape (n_free, n_primitive, 3); moving the crystal as a whole is none.
        """
        rotations, translations = space_group(self.atoms, self.symprec)
        cell, places = self.atoms.cell.array, self.atoms.get_scaled_positions()
        n = len(self.atoms)
        mean = np.zeros((n, 3, n, 3))
        for rotation, translation in zip(rotations, translations, strict=True):
            turn = cell.T @ rotation @ np.linalg.inv(cell.T)
            off = (places @ rotation.T + translation)[:, None] - places
            distances = np.linalg.norm((off - np.rint(off)) @ cell, axis=2)
            for atom, image in enumerate(distances.argmin(axis=1)):
                mean[image, :, atom, :] += turn / len(rotations)
        together = np.tile(np.eye(3), (n, 1)) / np.sqrt(n)
        projector = (np.eye(3 * n) - together @ together.T) @ mean.reshape(3 * n, 3 * n)
        values, vectors = np.linalg.eigh(0.5 * (projector + projector.T))
        return vectors[:, values > 0.5].T.reshape(-1, n, 3)


def star_of(point: np.ndarray, rotations: np.ndarray, n_cells: int) -> tuple[int, ...]:
    """Return what all wave vectors of one star, and theirs alone, have in common.

    Parameters
    ----------
    point : ndarray, shape (3,)
        Fits into a supercell; in reciprocal vectors of the primitive cell.
    rotations : ndarray of int, shape (n, 3, 3)
        Of the space group, in fractional coordinates.
    n_cells : int
        Primitive cells in the supercell: a wave vector that fits, times these, is whole.
    """
    star = np.concatenate([point @ rotations, -point @ rotations])
    return tuple(min((np.rint(star * n_cells).astype(int) % n_cells).tolist()))
