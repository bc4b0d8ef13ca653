"""Crystals whose instabilities are known exactly, as ASE calculators."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list

LATTICE = 4.0
"""A."""


def caesium_chloride() -> Atoms:
    """Na at the corners, Cl in the middle."""
    return Atoms(
        "NaCl", scaled_positions=[[0, 0, 0], [0.5] * 3], cell=LATTICE * np.eye(3), pbc=True
    )


class DoubleWell(Calculator):
    """Chlorine off the middle of its cage of eight sodium atoms, by d; the same in any position.

    E = sum of -a/2 d^2 + b/4 (x^4 + y^4 + z^4) + c (x^2 y^2 + y^2 z^2 + z^2 x^2) over the cages,
    x, y, z along their edges, + j/2 |d - d'|^2 over neighbouring ones, + springs between sodium
    atoms. Of the corners c the mean of (d c)^4 is x^4 + y^4 + z^4 + 6 (x^2 y^2 + ...), which says
    where the edges are.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, a: float, b: float, c: float, j: float) -> None:
        super().__init__()
        self.a, self.j = a, j
        self.cornered = (c - b / 2) / 4
        self.round = b / 4 - self.cornered

    def calculate(
        self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        i, j, bonds = neighbor_list("ijD", atoms, 1.5 * LATTICE)
        sodium, chlorine = (np.flatnonzero(atoms.numbers == z) for z in (11, 17))
        forces, virial, energy = np.zeros((len(atoms), 3)), np.zeros((3, 3)), 0.0

        off = np.zeros((len(atoms), 3))
        cages = {}
        for atom in chlorine:
            mine = np.flatnonzero((i == atom) & (atoms.numbers[j] == 11))
            nearest = mine[np.argsort(np.linalg.norm(bonds[mine], axis=1))[:8]]
            off[atom] = -bonds[nearest].mean(axis=0)
            cages[atom] = nearest
        near = np.linalg.norm(bonds, axis=1) < 1.2 * LATTICE
        pairs = np.flatnonzero(near & (atoms.numbers[i] == 17) & (atoms.numbers[j] == 17))
        apart = off[i[pairs]] - off[j[pairs]]
        energy += self.j / 4 * float((apart**2).sum())  # every pair is met twice
        slope = np.zeros_like(off)
        np.add.at(slope, i[pairs], self.j * apart)

        for atom, nearest in cages.items():
            d = off[atom]
            square = float(d @ d)
            corners = (bonds[nearest] + d) * 2 / LATTICE
            along = corners @ d
            energy += -self.a / 2 * square + self.round * square**2
            energy += self.cornered * float((along**4).mean())
            slope[atom] += (4 * self.round * square - self.a) * d
            slope[atom] += self.cornered * 0.5 * (along**3) @ corners
            # What the corners feel for the direction they give.
            turn = self.cornered * 0.5 * np.outer(along**3, d) * 2 / LATTICE
            turn -= turn.mean(axis=0)
            pull = slope[atom] / 8 - turn
            np.add.at(forces, j[nearest], pull)
            forces[atom] -= slope[atom]
            virial -= pull.T @ bonds[nearest]

        both = np.isin(i, sodium) & np.isin(j, sodium)
        length = np.linalg.norm(bonds[both], axis=1)
        second = length > 1.2 * LATTICE
        stretch = length - np.where(second, np.sqrt(2), 1.0) * LATTICE
        tension = np.where(second, 1.0, 3.0) * stretch
        pull = (tension / length)[:, None] * bonds[both]
        np.add.at(forces, i[both], pull)
        energy += 0.25 * float((tension * stretch).sum())
        virial = virial + 0.5 * pull.T @ bonds[both]
        stress = (virial + virial.T) / 2 / atoms.get_volume()
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": forces,
            "stress": stress.ravel()[[0, 4, 8, 5, 2, 1]],
        }


class VectorSprings(Calculator):
    """Exactly harmonic: for each lattice vector a spring, eV/A^2, alike in all directions."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, springs: dict[tuple[int, int, int], float], cell: np.ndarray) -> None:
        super().__init__()
        both = {(tuple(s * np.array(v))): k for v, k in springs.items() for s in (1, -1)}
        self._vectors = np.array(list(both)) @ cell
        self._stiffness = np.array(list(both.values()))

    def calculate(
        self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        reach = np.linalg.norm(self._vectors, axis=1).max() + 0.3
        i, bonds = neighbor_list("iD", atoms, reach)
        apart = np.linalg.norm(bonds[:, None] - self._vectors, axis=2)
        nearest = apart.argmin(axis=1)
        near = apart.min(axis=1) < 0.5
        stretch = (bonds - self._vectors[nearest])[near]
        pull = self._stiffness[nearest[near], None] * stretch
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, i[near], pull)
        virial = 0.5 * pull.T @ bonds[near]
        stress = (virial + virial.T) / 2 / atoms.get_volume()
        energy = 0.25 * float((stretch * pull).sum())
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": forces,
            "stress": stress.ravel()[[0, 4, 8, 5, 2, 1]],
        }
