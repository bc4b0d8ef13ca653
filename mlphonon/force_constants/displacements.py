"""Finite displacements: phonopy chooses them and solves for the force constants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from mlphonon.force_constants.force_constants import ForceConstants, Residuals
from mlphonon.settings import PhononSettings

if TYPE_CHECKING:
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    from mlphonon.potentials.potential import Potential, ProgressCallback

SYMMETRISATION_ROUNDS = 3
"""Translation and index permutation spoil each other slightly; after three rounds the sum
rule holds to rounding, at no cost that can be measured."""


def plan_displacements(
    atoms: Atoms, supercell_matrix: np.ndarray, settings: PhononSettings
) -> Phonopy:
    """Return a phonopy object with its displaced supercells, before any force is computed.

    Parameters
    ----------
    atoms : Atoms
        Primitive cell.
    supercell_matrix : ndarray of int, shape (3, 3)
        In phonopy's convention (columns).
    settings : PhononSettings
        ``symprec`` and ``displacement`` are used.
    """
    from phonopy import Phonopy

    phonopy = Phonopy(
        to_phonopy(atoms),
        supercell_matrix,
        primitive_matrix=np.eye(3),
        symprec=settings.symprec,
        log_level=0,
    )
    phonopy.generate_displacements(distance=settings.displacement, is_plusminus="auto")
    return phonopy


def displaced_structures(phonopy: Phonopy) -> list[Atoms]:
    """Return the displaced supercells."""
    displaced = phonopy.supercells_with_displacements or []
    return [to_ase(cell) for cell in displaced if cell is not None]


def forces_at_rest(
    phonopy: Phonopy, potential: Potential, progress: ProgressCallback | None = None
) -> np.ndarray:
    """Return the forces in the undisplaced supercell, eV/A, shape (n_supercell, 3).

    They repeat those in the primitive cell where the potential says that it is local, which
    saves a supercell (of the two that silicon takes). Of others, such as DFT with its
    k-points, the supercell itself is asked.
    """
    if potential.info.cutoff is None:
        return potential.evaluate([to_ase(phonopy.supercell)], progress)[0].forces
    primitive = phonopy.primitive
    forces = potential.evaluate([to_ase(primitive)], progress)[0].forces
    return forces[[primitive.p2p_map[i] for i in primitive.s2p_map]]


def from_displacements(
    phonopy: Phonopy,
    potential: Potential,
    settings: PhononSettings,
    progress: ProgressCallback | None = None,
) -> ForceConstants:
    """Evaluate the displaced supercells and solve for the force constants.

    The forces of the undisplaced supercell are subtracted, as ``phonopy --fz`` does: at a
    minimum they vanish, and elsewhere they would be taken for a response to displacement.
    """
    from phonopy.harmonic.force_constants import full_fc_to_compact_fc

    structures = displaced_structures(phonopy)
    rest = forces_at_rest(phonopy, potential, progress)
    evaluations = potential.evaluate(structures, progress)
    phonopy.forces = np.array([e.forces - rest for e in evaluations])
    phonopy.produce_force_constants(show_drift=False)
    residuals = Residuals(
        undisplaced_force=float(np.linalg.norm(rest, axis=1).max()),
        drift=drift(np.asarray(phonopy.force_constants)),
        asymmetry=asymmetry(np.asarray(phonopy.force_constants)),
    )
    phonopy.symmetrize_force_constants(level=SYMMETRISATION_ROUNDS, show_drift=False)
    # Rows of the primitive cell's atoms hold all there is, in files a hundredth of the size.
    phonopy.force_constants = full_fc_to_compact_fc(phonopy.primitive, phonopy.force_constants)
    return ForceConstants(
        phonopy=phonopy,
        method="displacements",
        displacement=settings.displacement,
        n_displacements=len(structures),
        residuals=residuals,
    )


def drift(force_constants: np.ndarray) -> float:
    """Largest |sum_j Phi_ij| of full force constants, shape (n, n, 3, 3), eV/A^2."""
    return float(np.abs(force_constants.sum(axis=1)).max())


def asymmetry(force_constants: np.ndarray) -> float:
    """Largest |Phi_ij - Phi_ji^T| of full force constants, shape (n, n, 3, 3), eV/A^2."""
    return float(np.abs(force_constants - force_constants.transpose(1, 0, 3, 2)).max())


def to_phonopy(atoms: Atoms) -> PhonopyAtoms:
    """Convert to phonopy's atoms, without magnetic moments (they would lower the symmetry).

    Masses are phonopy's own; those of elements without a stable isotope, which it lacks, ASE's.
    """
    from ase.data import atomic_masses
    from phonopy.structure.atomic_data import get_atomic_data
    from phonopy.structure.atoms import PhonopyAtoms

    known = get_atomic_data().atom_data
    return PhonopyAtoms(
        numbers=atoms.numbers,
        masses=[known[z][3] or atomic_masses[z] for z in atoms.numbers],
        cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(),
    )


def to_ase(cell: PhonopyAtoms) -> Atoms:
    """Convert phonopy's atoms to ASE's, periodic in all directions."""
    return Atoms(
        numbers=cell.numbers, cell=cell.cell, scaled_positions=cell.scaled_positions, pbc=True
    )
