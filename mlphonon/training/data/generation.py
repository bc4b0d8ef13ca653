"""Structures to be labelled: crystals, repeated and distorted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.crystal.supercell import random_superlattice
from mlphonon.errors import TrainingError
from mlphonon.training.data.settings import Distortions
from mlphonon.training.data.waves import Waves

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.phonons.phonons import Phonons


SYMPREC = 1e-5
"""A; phonopy's."""


def distort(
    crystal: Atoms, name: str, distortions: Distortions, phonons: Phonons | None = None
) -> Iterator[Atoms]:
    """Yield distorted supercells of one crystal, with ``material_id`` and ``config`` in `info`.

    Parameters
    ----------
    crystal : Atoms
        At rest.
    name : str
        What data sets call it.
    distortions : Distortions
        What is made of it.
    phonons : Phonons, optional
        Of the crystal, for the kinds ``"thermal"`` and ``"modes"``, which start from the relaxed
        crystal in there.
    """
    counts = dict.fromkeys(distortions.kinds, 0)
    for number in range(distortions.per_crystal):
        counts[distortions.kinds[number % len(distortions.kinds)]] += 1
    for kind, count in counts.items():
        if kind == "finite":
            yield from (_named(atoms, name, kind) for atoms in _finite(crystal, distortions))
            continue
        for number in range(count):
            rng = np.random.default_rng([distortions.seed, *f"{name} {kind}".encode(), number])
            if phonons is not None and kind in WAVES:
                start = _repeated(phonons.atoms, distortions.max_atoms, rng)
                atoms = WAVES[kind](Waves.of(phonons, start), distortions, rng)
            else:
                start = _repeated(crystal, distortions.max_atoms, rng)
                atoms = KINDS[kind](start, distortions, rng)
            yield _named(atoms, name, kind)


def _named(atoms: Atoms, name: str, kind: str) -> Atoms:
    atoms.info = {"material_id": name, "config": kind}
    return atoms


def _repeated(crystal: Atoms, max_atoms: int, rng: np.random.Generator) -> Atoms:
    from ase.build import make_supercell

    index = max(1, max_atoms // len(crystal))
    rows = np.eye(3, dtype=int)
    if index > 1:
        rows = random_superlattice(crystal.cell.array, index, rng)
    atoms = make_supercell(crystal, rows, wrap=False)
    atoms.info = {"superlattice": rows}
    return atoms


def _rattle(atoms: Atoms, distortions: Distortions, rng: np.random.Generator) -> Atoms:
    atoms.positions += distortions.amplitude * rng.normal(size=(len(atoms), 3))
    return atoms


def _strain(atoms: Atoms, distortions: Distortions, rng: np.random.Generator) -> Atoms:
    components = distortions.strain * rng.uniform(-1, 1, size=(3, 3))
    strained = atoms.cell.array @ (np.eye(3) + (components + components.T) / 2)
    atoms.set_cell(strained, scale_atoms=True)
    return _rattle(atoms, distortions, rng)


def _thermal(waves: Waves, distortions: Distortions, rng: np.random.Generator) -> Atoms:
    return waves.at_temperature(distortions.temperature, int(rng.integers(2**31)))


def _along_mode(waves: Waves, distortions: Distortions, rng: np.random.Generator) -> Atoms:
    return waves.along_mode(3 * distortions.amplitude * rng.uniform(0.3, 1), rng)


KINDS: dict[str, Callable[[Atoms, Distortions, np.random.Generator], Atoms]] = {
    "rattle": _rattle,
    "strain": _strain,
}
WAVES: dict[str, Callable[[Waves, Distortions, np.random.Generator], Atoms]] = {
    "thermal": _thermal,
    "modes": _along_mode,
}


def _finite(crystal: Atoms, distortions: Distortions) -> list[Atoms]:
    """Return the displaced supercells that phonopy asks for."""
    from mlphonon.crystal.crystal import point_group
    from mlphonon.crystal.supercell import smallest_superlattice
    from mlphonon.force_constants.displacements import displaced_structures, make_supercell

    rotations = point_group(crystal, SYMPREC)
    most = max(1, 2000 // len(crystal))
    rows = smallest_superlattice(crystal.cell.array, rotations, distortions.min_length, most)
    if rows is None:
        raise TrainingError(
            f"no supercell of {crystal.get_chemical_formula()} is high enough",
            f"{distortions.min_length:g} A is asked for",
            "lower --min-length",
        )
    phonopy = make_supercell(crystal, rows.T, SYMPREC)
    phonopy.generate_displacements(distance=distortions.distance)
    return displaced_structures(phonopy)
