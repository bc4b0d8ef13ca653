"""How long a campaign will take: what its crystals cost, and how quick the potential is here."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.force_constants.displacements import find_moves, make_supercell
from mlphonon.plain_structure import to_atoms
from mlphonon.settings import PhononSettings
from mlphonon.supercell import perpendicular_heights

if TYPE_CHECKING:
    from mlphonon.crystal import Crystal
    from mlphonon.potentials.potential import Potential

STEPS = 15
"""Of a relaxation, as a rule."""

ENOUGH = 100
"""Atoms of the structure that the rate is measured on."""


def predicted_cost(crystal: Crystal, settings: PhononSettings) -> float:
    """Return about how many atoms all force calls of a crystal will hold, together.

    From the heights of the cell and the displacements that its symmetry leaves; the supercell is
    chosen when its turn comes.
    """
    atoms = crystal.atoms
    given = settings.supercell_matrix()
    if given is None:
        fits = settings.min_length / perpendicular_heights(atoms.cell.array)
        n_supercell = len(atoms) * float(np.maximum(fits, 1).prod())
    else:
        n_supercell = len(crystal.given) * abs(float(np.linalg.det(given)))
    one_cell = make_supercell(atoms, np.eye(3, dtype=int), settings.symprec)
    n_moves = len(find_moves(one_cell).both_ways)
    steps = STEPS if settings.relax else 1
    return n_supercell * (1 + n_moves) + steps * len(atoms)


def atoms_per_second(potential: Potential, structure: dict[str, Any]) -> float:
    """Return how many atoms a second a potential evaluates, of the kind of one crystal."""
    atoms = to_atoms(structure)
    repeated = atoms.repeat(max(1, round((ENOUGH / len(atoms)) ** (1 / 3))))
    potential.evaluate([repeated])
    begun = time.perf_counter()
    potential.evaluate([repeated])
    return len(repeated) / (time.perf_counter() - begun)
