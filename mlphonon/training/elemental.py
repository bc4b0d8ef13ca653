"""Elements in simple structures, near to and away from rest, labelled by a teacher.

Collections of compounds hold few elements in their pure form, and a potential taught on them
knows bonds between like atoms poorly: silicon fell apart. A handful of structures that differ
in coordination (4, 6, 8, 12) teaches them, whether or not the element takes them in nature.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

PROTOTYPES = {"diamond": 3**0.5 / 4, "sc": 1.0, "bcc": 3**0.5 / 2, "fcc": 0.5**0.5}
"""Structures, and the distance of neighbours in units of the cubic lattice constant."""

KINDS = {"small": (0.02, 0.0, 1), "medium": (0.08, 0.03, 1), "strained": (0.05, 0.12, 2)}
"""Of each kind: displacement (A, standard deviation), range of volume and strain, frames."""

DISTANCES = np.linspace(0.7, 1.3, 13)
"""Distances of neighbours that are tried, in units of twice the covalent radius."""


def elemental_frames(numbers: Iterable[int], teacher: Any, seed: int = 1) -> Iterator[Atoms]:
    """Make and label frames of each element in each of `PROTOTYPES`.

    Parameters
    ----------
    numbers : iterable of int
        Atomic numbers.
    teacher : ASE calculator
        Gives energy, forces and stress.
    seed : int
        Of the random displacements and strains.

    Yields
    ------
    Atoms
        With the labels that `mlphonon.training.dataset.read_frames` wants. A structure for
        which the teacher's energy has no minimum within `DISTANCES` is left out.
    """
    for number in numbers:
        for prototype in PROTOTYPES:
            rest = _at_rest(number, prototype, teacher)
            if rest is None:
                continue
            rng = np.random.default_rng([seed, number, list(PROTOTYPES).index(prototype)])
            for kind, (displacement, strain, count) in KINDS.items():
                for _ in range(count):
                    atoms = _disturbed(rest, displacement, strain, rng)
                    yield _labelled(atoms, teacher, f"{prototype}-{rest.symbols[0]}", kind)


def _at_rest(number: int, prototype: str, teacher: Any) -> Atoms | None:
    """Return a cell of 4 to 8 atoms at the lattice constant of least energy."""
    from ase.build import bulk, make_supercell
    from ase.data import chemical_symbols, covalent_radii

    lengths = 2 * covalent_radii[number] * DISTANCES / PROTOTYPES[prototype]
    cells = [bulk(chemical_symbols[number], prototype, a=a) for a in lengths]
    energies = np.array([_energy(atoms, teacher) for atoms in cells])
    least = int(energies.argmin())
    if least in (0, len(cells) - 1):
        return None
    # A parabola through the least three.
    below, here, above = energies[least - 1 : least + 2]
    shift = 0.5 * (below - above) / (below - 2 * here + above)
    length = lengths[least] + shift * (lengths[1] - lengths[0])
    atoms = bulk(chemical_symbols[number], prototype, a=length, cubic=True)
    repeat = {1: (2, 2, 1), 2: (2, 1, 1)}.get(len(atoms), (1, 1, 1))
    return make_supercell(atoms, np.diag(repeat))


def _disturbed(rest: Atoms, displacement: float, strain: float, rng: np.random.Generator) -> Atoms:
    """Displace the atoms, change the volume and shear the cell at random."""
    atoms = rest.copy()
    change = rng.normal(0.0, strain / 4, (3, 3))
    deformation = (1 + rng.uniform(-strain, strain)) ** (1 / 3) * np.eye(3) + (
        change + change.T
    ) / 2
    atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    atoms.positions += rng.normal(0.0, displacement, atoms.positions.shape)
    return atoms


def _energy(atoms: Atoms, teacher: Any) -> float:
    atoms.calc = teacher
    return float(atoms.get_potential_energy()) / len(atoms)


def _labelled(atoms: Atoms, teacher: Any, name: str, kind: str) -> Atoms:
    atoms.calc = teacher
    atoms.info = {
        "REF_energy": float(atoms.get_potential_energy()),
        "REF_stress": atoms.get_stress(voigt=False),
        "material_id": name,
        "config": kind,
    }
    atoms.arrays["REF_forces"] = np.array(atoms.get_forces(), dtype=float)
    atoms.calc = None
    return atoms
