"""The supercell that is displaced: smaller than that of the harmonic phonons where it can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.crystal.crystal import make_crystal
from mlphonon.crystal.supercell import choose_supercell
from mlphonon.force_constants.cells import reordered
from mlphonon.force_constants.displacements import make_supercell
from mlphonon.force_constants.planning import plan_force_constants
from mlphonon.settings import PhononSettings
from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.phonons.phonons import Phonons
    from mlphonon.potentials.potential import Potential
    from mlphonon.reporter import Reporter


@dataclass(frozen=True)
class DisplacedSupercell:
    """A supercell, and the harmonic force constants in it.

    What temperature changes is of shorter reach than force constants themselves, and hundreds of
    supercells are evaluated: the change is found in a small one and added to harmonic force
    constants of a large one.

    Attributes
    ----------
    matrix : ndarray of int, shape (3, 3)
        In phonopy's convention.
    harmonic : ndarray, shape (n, n, 3, 3)
        Harmonic force constants in it, eV/A^2.
    large : Phonopy
        Of the harmonic phonons.
    """

    matrix: np.ndarray
    harmonic: np.ndarray
    large: Phonopy

    @classmethod
    def of(
        cls, phonons: Phonons, potential: Potential, min_length: float | None, reporter: Reporter
    ) -> DisplacedSupercell:
        """Choose the smallest supercell that is high enough, or take that of the phonons.

        The second where none smaller is, or where a supercell was asked for and no height.
        """
        settings, large = phonons.record.settings, phonons.phonopy
        if min_length is None and settings.supercell_matrix() is not None:
            return cls._own(phonons)
        min_length = min_length or MIN_LENGTH
        free = PhononSettings.make(settings, supercell="auto", min_length=min_length)
        crystal = make_crystal(phonons.atoms, settings.symprec)
        matrix = choose_supercell(crystal, phonons.atoms, free)
        if abs(np.linalg.det(matrix)) > abs(np.linalg.det(large.supercell_matrix)) - 0.5:
            return cls._own(phonons)
        with one_blas_thread():
            plan = plan_force_constants(phonons.atoms, matrix, potential, settings)
        what = f"harmonic forces of {phonons.record.name} in a smaller supercell"
        with reporter.step(what, plan.n_evaluations + 1) as count:
            found = plan.compute(potential, count)
        return cls(matrix, full_force_constants(found.phonopy, found.array), large)

    @classmethod
    def _own(cls, phonons: Phonons) -> DisplacedSupercell:
        """Take the supercell of the phonons."""
        large = phonons.phonopy
        matrix = np.rint(large.supercell_matrix).astype(int)
        same = make_supercell(phonons.atoms, matrix, phonons.record.settings.symprec)
        rows = reordered(np.asarray(large.force_constants), large, same)
        return cls(matrix, full_force_constants(same, rows), large)

    def in_large(self, small: Phonopy, force_constants: np.ndarray) -> np.ndarray:
        """Return harmonic force constants of the large supercell, changed as those of the small.

        Phonopy carries dynamical matrices over: at wave vectors that fit into both, they are those
        of the small supercell; elsewhere they are interpolated.

        Parameters
        ----------
        small : Phonopy
            Supercell of `matrix`, made of the atoms of the harmonic phonons.
        force_constants : ndarray, shape (n, n, 3, 3)
            In it, eV/A^2.

        Returns
        -------
        ndarray, shape (n_primitive, n_large, 3, 3)
            eV/A^2, in the order of `large`.
        """
        from phonopy.harmonic.force_constants import full_fc_to_compact_fc

        if np.array_equal(self.matrix, self.large.supercell_matrix):
            rows = full_fc_to_compact_fc(small.primitive, force_constants)
            return reordered(rows, small, self.large)
        change = force_constants - self.harmonic
        small.force_constants = full_fc_to_compact_fc(small.primitive, change)
        with one_blas_thread():
            carried = small.ph2ph(self.large.supercell_matrix)
        rows = reordered(np.asarray(carried.force_constants), carried, self.large)
        return np.asarray(self.large.force_constants + rows)


MIN_LENGTH = 10.0
"""Least height of the displaced supercell where nothing is asked for, A."""


def full_force_constants(phonopy: Phonopy, force_constants: np.ndarray) -> np.ndarray:
    """Return full force constants, shape (n, n, 3, 3)."""
    from phonopy.harmonic.force_constants import compact_fc_to_full_fc

    if force_constants.shape[0] == force_constants.shape[1]:
        return force_constants
    return np.asarray(compact_fc_to_full_fc(phonopy.primitive, force_constants))
