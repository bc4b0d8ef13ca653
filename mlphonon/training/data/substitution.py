"""New crystals from known ones: elements exchanged for their relatives, volumes adjusted.

Collections hold few crystals of most elements. What a potential learns of an element goes with
the number of different crystals, more than with the number of frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.crystal.crystal import reduced_formula
from mlphonon.crystal.periodic_table import period_and_group

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.potentials.potential import Potential

SCALES = np.linspace(0.9, 1.12, 8)
"""Lengths that are tried, in units of what covalent radii say."""


def substitute(
    crystals: Sequence[Atoms], numbers: Iterable[int], count: int, seed: int = 1
) -> Iterator[Atoms]:
    """Yield `count` crystals whose elements were exchanged for others of like chemistry.

    An element is exchanged for one of its own group, or of a neighbouring group and the same
    period. Compounds of two elements in equal parts are never made, as the best known crystals,
    which potentials are judged by, are such.

    Parameters
    ----------
    crystals : sequence of Atoms
        Known crystals.
    numbers : iterable of int
        Atomic numbers that may occur.
    count : int
        How many to make, each of another formula or from another crystal.
    seed : int
        The same seed gives the same crystals.
    """
    rng = np.random.default_rng(seed)
    known = {(reduced_formula(atoms), len(atoms)) for atoms in crystals}
    relatives = {number: _relatives(number, sorted(numbers)) for number in numbers}
    for _ in range(50 * count):
        if count == 0:
            return
        atoms = _exchanged(crystals[int(rng.integers(len(crystals)))], relatives, rng)
        key = (reduced_formula(atoms), len(atoms))
        _, parts = np.unique(atoms.numbers, return_counts=True)
        if key in known or (len(parts) == 2 and parts[0] == parts[1]):
            continue
        known.add(key)
        count -= 1
        yield atoms


def _relatives(number: int, numbers: Sequence[int]) -> list[int]:
    period, group = period_and_group(number)

    def related(other: int) -> bool:
        there, column = period_and_group(other)
        return column == group or (there == period and abs(column - group) <= 1)

    return [other for other in numbers if related(other)]


def _exchanged(crystal: Atoms, relatives: dict[int, list[int]], rng: np.random.Generator) -> Atoms:
    """Exchange elements, and scale the cell by the sum of covalent radii."""
    from ase.data import covalent_radii

    atoms = crystal.copy()
    atoms.info = {}
    present = np.unique(atoms.numbers)
    others = {int(z): int(rng.choice(relatives.get(int(z), [int(z)]))) for z in present}
    atoms.numbers = [others[int(z)] for z in crystal.numbers]
    scale = covalent_radii[atoms.numbers].sum() / covalent_radii[crystal.numbers].sum()
    atoms.set_cell(atoms.cell.array * scale, scale_atoms=True)
    return atoms


def at_best_volume(crystals: Sequence[Atoms], potential: Potential) -> list[Atoms]:
    """Scale crystals to where a potential has their energy lowest; drop those without a minimum."""
    trials = []
    for crystal in crystals:
        for scale in SCALES:
            trials.append(crystal.copy())
            trials[-1].set_cell(crystal.cell.array * scale, scale_atoms=True)
    energies = [evaluation.energy for evaluation in potential.evaluate(trials)]
    found = []
    for crystal, curve in zip(crystals, np.reshape(energies, (-1, len(SCALES))), strict=True):
        lowest = int(curve.argmin())
        if not 0 < lowest < len(SCALES) - 1:
            continue
        near = slice(lowest - 1, lowest + 2)
        parabola = np.polyfit(SCALES[near], curve[near], 2)
        crystal.set_cell(crystal.cell.array * (-parabola[1] / parabola[0] / 2), scale_atoms=True)
        found.append(crystal)
    return found
