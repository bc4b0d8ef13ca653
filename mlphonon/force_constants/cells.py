"""Between ASE's atoms and phonopy's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

if TYPE_CHECKING:
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms


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


def reordered(force_constants: np.ndarray, given: Phonopy, wanted: Phonopy) -> np.ndarray:
    """Put force constants of one supercell into the order of another of the same crystal.

    Phonopy numbers the images of an atom by where that stands in the unit cell, so the order is
    another one if an atom on a face, at 0, stands at 1 there, or has moved a little through it.

    Parameters
    ----------
    force_constants : ndarray, shape (n_primitive, n_supercell, 3, 3)
        Rows of the primitive cell's atoms.
    given, wanted : Phonopy
        Equal supercells of equal primitive cells, but for such atoms.

    Returns
    -------
    ndarray, shape (n_primitive, n_supercell, 3, 3)
    """
    cell, found = wanted.supercell.cell, np.empty_like(force_constants)
    for row, (here, there) in enumerate(
        zip(given.primitive.p2s_map, wanted.primitive.p2s_map, strict=True)
    ):
        off = given.supercell.scaled_positions - given.supercell.scaled_positions[here]
        to = wanted.supercell.scaled_positions - wanted.supercell.scaled_positions[there]
        between = to[:, None] - off
        images = np.linalg.norm((between - np.rint(between)) @ cell, axis=2).argmin(axis=1)
        if len(set(images.tolist())) != len(images):
            raise ValueError("these are not supercells of the same crystal")
        found[row] = force_constants[row, images]
    return found
