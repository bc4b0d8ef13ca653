"""Displacements along a potential's phonons, in any supercell of its primitive cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy

    from mlphonon.phonons.phonons import Phonons

SLOWEST = 0.1
"""THz; slower modes, translations among them, are left out."""

LARGEST_DISPLACEMENT = 0.5
"""A; soft modes would else move atoms by more at a temperature."""


@dataclass(frozen=True)
class Waves:
    """A supercell at rest, and its force constants by a potential.

    Attributes
    ----------
    atoms : Atoms
        The supercell.
    phonopy : Phonopy
        Of the same supercell, with force constants.
    """

    atoms: Atoms
    phonopy: Phonopy

    @classmethod
    def of(cls, phonons: Phonons, supercell: Atoms) -> Waves:
        """Interpolate the dynamical matrices of `phonons` to the waves that fit into a supercell.

        Parameters
        ----------
        phonons : Phonons
            Of a primitive cell.
        supercell : Atoms
            Of that cell, with ``superlattice`` (rows in terms of the cell's) in `info`.
        """
        from phonopy import Phonopy
        from phonopy.harmonic.dynmat_to_fc import DynmatToForceConstants

        from mlphonon.force_constants.cells import to_ase, to_phonopy

        rows = supercell.info["superlattice"]
        small = Phonopy(to_phonopy(phonons.atoms), rows.T, primitive_matrix=np.eye(3), log_level=0)
        back = DynmatToForceConstants(small.primitive, small.supercell)
        dynamical = phonons.phonopy.dynamical_matrix
        matrices = []
        for q in back.commensurate_points:
            dynamical.run(q)
            matrices.append(dynamical.dynamical_matrix)
        back.dynamical_matrices = np.array(matrices)
        back.run()
        small.force_constants = back.force_constants
        return cls(to_ase(small.supercell), small)

    def at_temperature(self, temperature: float, seed: int) -> Atoms:
        """Return the supercell displaced as at a temperature (K), zero-point motion included."""
        from phonopy.phonon.random_displacements import RandomDisplacements

        random = RandomDisplacements(
            self.phonopy.supercell,
            self.phonopy.primitive,
            self.phonopy.force_constants,
            cutoff_frequency=SLOWEST,
            max_distance=LARGEST_DISPLACEMENT,
        )
        random.run(temperature, number_of_snapshots=1, random_seed=seed)
        return self._moved(random.u[0])

    def along_mode(self, amplitude: float, rng: np.random.Generator) -> Atoms:
        """Return the supercell displaced along one mode.

        Parameters
        ----------
        amplitude : float
            Largest displacement of an atom, A.
        rng : Generator
            Draws the mode: an imaginary one half of the time if there is one, else any.
        """
        frequencies, vectors = self._modes()
        imaginary = np.flatnonzero(frequencies < -SLOWEST)
        moving = np.flatnonzero(np.abs(frequencies) > SLOWEST)
        if not moving.size:
            return self.atoms.copy()
        choice = imaginary if imaginary.size and rng.random() < 0.5 else moving
        mode = vectors[:, rng.choice(choice)].reshape(-1, 3)
        return self._moved(amplitude * mode / np.linalg.norm(mode, axis=1).max())

    def _modes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return frequencies, THz, and displacements (columns) of the supercell at Gamma."""
        from phonopy import Phonopy

        whole = Phonopy(
            self.phonopy.supercell, np.eye(3, dtype=int), primitive_matrix=np.eye(3), log_level=0
        )
        whole.force_constants = self.phonopy.force_constants
        found = whole.run_qpoints([[0, 0, 0]], with_eigenvectors=True)
        root_masses = np.sqrt(np.repeat(self.phonopy.supercell.masses, 3))
        return found.frequencies[0], found.eigenvectors[0].real / root_masses[:, None]

    def _moved(self, displacements: np.ndarray) -> Atoms:
        moved = self.atoms.copy()
        moved.positions += displacements
        return moved
