"""Elements and alloys on simple lattices, near to and away from rest, labelled by a teacher.

Collections of compounds hold few elements in their pure form, and a potential trained on
them knows bonds between like atoms poorly: silicon fell apart. A handful of structures that differ
in coordination (4, 6, 8, 12) shows them, whether or not nature takes them.

>>> structures = [*elements_on_lattices(numbers), *alloys_on_lattices(numbers)]
>>> frames = [f for name, sites in structures for f in labelled_frames(name, sites, teacher)]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.crystal.periodic_table import period_and_group

if TYPE_CHECKING:
    from ase import Atoms

PROTOTYPES = {"diamond": 3**0.5 / 4, "sc": 1.0, "bcc": 3**0.5 / 2, "fcc": 0.5**0.5}
"""Structures, and the distance of neighbours in units of the cubic lattice constant."""

REPEATS = {"diamond": (1, 1, 1), "sc": (2, 2, 1), "bcc": (2, 1, 1), "fcc": (1, 1, 1)}
"""Of the cubic cell, so that it holds 4 or 8 atoms."""

KINDS = {"small": (0.02, 0.0), "medium": (0.08, 0.03), "strained": (0.05, 0.12)}
"""Of each kind: displacement (A, standard deviation), range of volume and strain."""

DISTANCES = np.linspace(0.75, 1.25, 9)
"""Distances of neighbours that are tried, in units of the sum of covalent radii."""

N_PARTNERS = 3
"""With how many elements, those nearest to it in the periodic table, each one is alloyed."""


def elements_on_lattices(numbers: Iterable[int]) -> Iterator[tuple[str, list[int]]]:
    """Yield each element in each prototype: name, and the atomic number on each site."""
    for number in numbers:
        for prototype in PROTOTYPES:
            yield prototype, [number] * _n_sites(prototype)


def alloys_on_lattices(numbers: Iterable[int], seed: int = 1) -> Iterator[tuple[str, list[int]]]:
    """Yield alloys of neighbours in the periodic table, sites taken at random.

    Each pair comes rich in the one and in the other on the diamond lattice, and once on
    another. Never half and half: that is the composition of the best known binaries.
    """
    numbers = sorted(numbers)
    pairs = {tuple(sorted((n, other))) for n in numbers for other in _neighbours(n, numbers)}
    for first, second in sorted(pairs):
        rng = np.random.default_rng([seed, first, second])
        other = str(rng.choice([name for name in PROTOTYPES if name != "diamond"]))
        for prototype, many, few in (
            ("diamond", first, second),
            ("diamond", second, first),
            (other, *rng.permutation([first, second]).tolist()),
        ):
            sites = np.full(_n_sites(prototype), many)
            count = rng.integers(1, len(sites) // 2)
            sites[rng.choice(len(sites), count, replace=False)] = few
            yield prototype, [int(n) for n in sites]


def labelled_frames(prototype: str, sites: list[int], teacher: Any, seed: int = 1) -> list[Atoms]:
    """Find the lattice constant of least energy, and label displaced and strained frames there.

    Parameters
    ----------
    prototype : str
        One of `PROTOTYPES`.
    sites : list of int
        Atomic number on each site of the repeated cubic cell.
    teacher : ASE calculator
        Gives energy, forces and stress.
    seed : int
        Of the random displacements and strains.

    Returns
    -------
    list of Atoms
        With the labels that `mlphonon.training.data.reading.read_frame` reads; empty if the
        teacher's energy has no minimum within `DISTANCES`.
    """
    rest = _at_rest(prototype, sites, teacher)
    if rest is None:
        return []
    name = f"{prototype}-{rest.get_chemical_formula()}"
    rng = np.random.default_rng([seed, list(PROTOTYPES).index(prototype), *sites])
    frames = []
    for kind, (displacement, strain) in KINDS.items():
        atoms = _disturbed(rest, displacement, strain, rng)
        frames.append(_labelled(atoms, teacher, name, kind))
    return frames


def _n_sites(prototype: str) -> int:
    return {"diamond": 8, "sc": 4, "bcc": 4, "fcc": 4}[prototype]


def _neighbours(number: int, numbers: list[int]) -> list[int]:
    """Return the other elements that are fewest groups, then periods, away."""

    def distance(other: int) -> tuple[int, int]:
        (period, group), (here, column) = period_and_group(other), period_and_group(number)
        return abs(group - column) + abs(period - here), abs(other - number)

    return sorted((n for n in numbers if n != number), key=distance)[:N_PARTNERS]


def lattice_cell(prototype: str, sites: list[int], lattice_constant: float) -> Atoms:
    """Return the repeated cubic cell of a prototype; lattice constant in A."""
    from ase.build import bulk

    atoms = bulk("X", prototype, a=lattice_constant, cubic=True).repeat(REPEATS[prototype])
    atoms.numbers = sites
    return atoms


def _at_rest(prototype: str, sites: list[int], teacher: Any) -> Atoms | None:
    """Return the cell at the lattice constant of least energy."""
    from ase.data import covalent_radii

    bond = 2 * float(np.mean(covalent_radii[sites]))
    lengths = bond * DISTANCES / PROTOTYPES[prototype]
    energies = np.array([_energy(lattice_cell(prototype, sites, a), teacher) for a in lengths])
    least = int(energies.argmin())
    if least in (0, len(lengths) - 1):
        return None
    # A parabola through the least three.
    below, here, above = energies[least - 1 : least + 2]
    shift = 0.5 * (below - above) / (below - 2 * here + above)
    return lattice_cell(prototype, sites, lengths[least] + shift * (lengths[1] - lengths[0]))


def _disturbed(rest: Atoms, displacement: float, strain: float, rng: np.random.Generator) -> Atoms:
    """Displace the atoms, change the volume and shear the cell at random."""
    atoms = rest.copy()
    shear = rng.normal(0.0, strain / 4, (3, 3))
    stretch = (1 + rng.uniform(-strain, strain)) ** (1 / 3)
    deformation = stretch * np.eye(3) + (shear + shear.T) / 2
    atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    atoms.positions += rng.normal(0.0, displacement, atoms.positions.shape)
    return atoms


def _energy(atoms: Atoms, teacher: Any) -> float:
    atoms.calc = teacher
    return float(atoms.get_potential_energy())


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
