"""Between ASE's atoms and phonopy's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ase import Atoms

if TYPE_CHECKING:
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
