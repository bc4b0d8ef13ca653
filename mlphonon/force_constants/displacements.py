"""Finite displacements: phonopy chooses them and solves for the force constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from mlphonon.force_constants.cells import to_ase, to_phonopy
from mlphonon.force_constants.force_constants import ForceConstants, repair
from mlphonon.settings import PhononSettings

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.potentials.potential import Potential, ProgressCallback

SMALL = 1e-5
"""Length of a small displacement, A. The error of a one-sided difference is proportional to it
(about 2e-5 of the force constants here, measured with every result); the noise of float64
forces, 1e-14 eV/A, is 1e-9 of what it brings about."""


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
        ``symprec``, ``protocol`` and ``displacement`` are used.
    """
    phonopy = make_supercell(atoms, supercell_matrix, settings.symprec)
    if settings.protocol == "small":
        phonopy.generate_displacements(distance=SMALL, is_plusminus=False)
    else:
        phonopy.generate_displacements(distance=settings.displacement, is_plusminus="auto")
    return phonopy


def make_supercell(atoms: Atoms, supercell_matrix: np.ndarray, symprec: float) -> Phonopy:
    """Return a phonopy object of a primitive cell, without displacements."""
    from phonopy import Phonopy

    return Phonopy(
        to_phonopy(atoms),
        supercell_matrix,
        primitive_matrix=np.eye(3),
        symprec=symprec,
        log_level=0,
    )


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
    With small displacements, the first is made once more at twice its length.
    """
    structures = displaced_structures(phonopy)
    rest = forces_at_rest(phonopy, potential, progress)
    small = settings.protocol == "small"
    extra = [twice(to_ase(phonopy.supercell), structures[0])] if small else []
    evaluations = potential.evaluate([*structures, *extra], progress)
    answers = [evaluation.forces - rest for evaluation in evaluations]
    phonopy.forces = np.array(answers[: len(structures)])
    phonopy.produce_force_constants(show_drift=False)
    residuals = repair(
        phonopy, rest, nonlinearity=nonlinearity(answers[0], answers[-1]) if small else None
    )
    return ForceConstants(
        phonopy=phonopy,
        method="displacements",
        displacement=SMALL if small else settings.displacement,
        n_displacements=len(structures),
        residuals=residuals,
    )


def twice(rest: Atoms, displaced: Atoms) -> Atoms:
    """Return a structure displaced twice as far."""
    further = displaced.copy()
    off = np.linalg.solve(rest.cell.array.T, (displaced.positions - rest.positions).T).T
    further.positions += (off - np.rint(off)) @ rest.cell.array
    return further


def nonlinearity(once: np.ndarray, doubled: np.ndarray) -> float:
    """|F(2u) - 2 F(u)| / |2 F(u)|, without unit; forces of shape (n, 3)."""
    return float(np.linalg.norm(doubled - 2 * once) / np.linalg.norm(2 * once))


def stack(atoms: Atoms, displacements: Sequence[np.ndarray]) -> list[Atoms]:
    """Return copies of a structure, each displaced by an array of shape (n_atoms, 3), A."""
    copies = [atoms.copy() for _ in displacements]
    for copy, displacement in zip(copies, displacements, strict=True):
        copy.positions += displacement
    return copies
