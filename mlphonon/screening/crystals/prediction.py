"""How long a campaign will take: what its crystals cost, and how quick the potential is here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.anharmonic.sscha.displaced_supercell import MIN_LENGTH
from mlphonon.crystal.crystal import site_symmetry_orders
from mlphonon.crystal.structure_json import to_atoms
from mlphonon.crystal.supercell import perpendicular_heights
from mlphonon.settings import PhononSettings

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.crystal.crystal import Crystal
    from mlphonon.potentials.potential import Potential
    from mlphonon.screening.properties import AtTemperature

STEPS = 15
"""Of a relaxation, as a rule."""

ENOUGH = 100
"""Atoms of the structure that the rate is measured on."""


DRAWN = 3
"""Times that a method of finite temperature draws its snapshots, as a rule."""

STEPS_BETWEEN = 20
"""Of molecular dynamics, for each snapshot, those to come to a temperature counted."""


def predicted_cost(
    crystal: Crystal, settings: PhononSettings, properties: Sequence[AtTemperature] = ()
) -> float:
    """Return about how many atoms all force calls of a crystal will hold, together.

    From the heights of the cell and the displacements that its symmetry leaves: six for each orbit
    of atoms, forth and back along three axes, of which each stands for as many as the site has
    symmetries. The supercell and the displacements are chosen when its turn comes.
    """
    atoms = crystal.atoms
    given = settings.supercell_matrix()
    if given is None:
        n_supercell = _atoms_within(atoms, settings.min_length)
    else:
        n_supercell = len(crystal.given) * abs(float(np.linalg.det(given)))
    n_moves = int(np.ceil(6 / site_symmetry_orders(atoms, settings.symprec)).sum())
    steps = STEPS if settings.relax else 1
    beyond = sum(_cost_at_temperature(atoms, n_supercell, one) for one in properties)
    return n_supercell * (1 + n_moves) + steps * len(atoms) + beyond


def _cost_at_temperature(atoms: Atoms, n_supercell: float, asked: AtTemperature) -> float:
    chosen = asked.settings().of_method
    n_atoms = min(_atoms_within(atoms, chosen.min_length or MIN_LENGTH), n_supercell)
    calls = DRAWN * chosen.snapshots
    moved = asked.method == "effective" and chosen.statistics == "classical"
    return n_atoms * calls * (STEPS_BETWEEN if moved else 1)


def _atoms_within(atoms: Atoms, min_length: float) -> float:
    """Return about how many atoms a supercell of that height has."""
    fits = min_length / perpendicular_heights(atoms.cell.array)
    return len(atoms) * float(np.maximum(fits, 1).prod())


def atoms_per_second(potential: Potential, structure: dict[str, Any]) -> float:
    """Return how many atoms a second a potential evaluates, of the kind of one crystal."""
    atoms = to_atoms(structure)
    repeated = atoms.repeat(max(1, round((ENOUGH / len(atoms)) ** (1 / 3))))
    potential.evaluate([repeated])
    begun = time.perf_counter()
    potential.evaluate([repeated])
    return len(repeated) / (time.perf_counter() - begun)
