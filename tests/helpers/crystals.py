"""Crystals for the tests, and the ways in which one crystal can be given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.spacegroup import crystal
from scipy.spatial.transform import Rotation


def rocksalt() -> Atoms:
    return bulk("NaCl", "rocksalt", a=5.69, cubic=True)


def silicon() -> Atoms:
    return bulk("Si", "diamond", a=5.43, cubic=True)


def wurtzite() -> Atoms:
    return bulk("ZnO", "wurtzite", a=3.25, c=5.207, u=0.3825)


def corundum() -> Atoms:
    sites = [(0, 0, 0.3522), (0.3063, 0, 0.25)]
    cell = [4.759, 4.759, 12.993, 90, 90, 120]
    return crystal(["Al", "O"], sites, spacegroup=167, cellpar=cell)


def quartz() -> Atoms:
    """Right-handed alpha quartz: its point group, 32, is much less than its lattice's."""
    sites = [(0.4697, 0, 2 / 3), (0.4135, 0.2669, 0.7858)]
    cell = [4.916, 4.916, 5.4054, 90, 90, 120]
    return crystal(["Si", "O"], sites, spacegroup=154, cellpar=cell)


def pyrite() -> Atoms:
    """Cubic, but without a fourfold axis."""
    return crystal(
        ["Fe", "S"],
        [(0, 0, 0), (0.385, 0.385, 0.385)],
        spacegroup=205,
        cellpar=[5.418] * 3 + [90] * 3,
    )


def triclinic() -> Atoms:
    """Four species in P1."""
    return Atoms(
        "NaClMgO",
        cell=[[4.1, 0, 0], [0.7, 4.6, 0], [-0.9, 0.5, 5.2]],
        scaled_positions=[
            [0.02, 0.01, 0.03],
            [0.55, 0.12, 0.46],
            [0.21, 0.57, 0.55],
            [0.6, 0.55, 0.05],
        ],
        pbc=True,
    )


TURN = Rotation.from_euler("xyz", [0.3, -1.1, 2.0]).as_matrix()
"""The rotation of the view "rotated": x' = TURN x."""


def rotated(atoms: Atoms) -> Atoms:
    return Atoms(
        numbers=atoms.numbers,
        positions=atoms.positions @ TURN.T,
        cell=atoms.cell.array @ TURN.T,
        pbc=True,
    )


def permuted(atoms: Atoms) -> Atoms:
    return atoms[np.random.default_rng(1).permutation(len(atoms))]


def shifted(atoms: Atoms) -> Atoms:
    moved = atoms.copy()
    moved.positions += [0.37, -1.21, 0.53]
    return moved


def on_other_vectors(atoms: Atoms, rows: list[list[int]]) -> Atoms:
    """The same points in space on other vectors of the same lattice."""
    assert abs(round(float(np.linalg.det(rows)))) == 1
    return Atoms(
        numbers=atoms.numbers,
        positions=atoms.positions,
        cell=np.array(rows) @ atoms.cell.array,
        pbc=True,
    )


VIEWS: dict[str, Callable[[Atoms], Atoms]] = {
    "rotated": rotated,
    "permuted": permuted,
    "shifted": shifted,
    "supercell": lambda atoms: make_supercell(atoms, [[2, 0, 0], [0, 1, 0], [0, 1, 1]]),
    "left-handed": lambda atoms: on_other_vectors(atoms, [[0, 1, 0], [1, 0, 0], [0, 0, 1]]),
    "vectors reversed": lambda atoms: on_other_vectors(atoms, [[-1, 0, 0], [0, -1, 0], [0, 0, -1]]),
    "sheared": lambda atoms: on_other_vectors(atoms, [[1, 1, 0], [0, 1, -1], [1, 1, 1]]),
    "axes renamed": lambda atoms: on_other_vectors(atoms, [[0, 1, 0], [0, 0, 1], [1, 0, 0]]),
    "turned by 180 degrees": lambda atoms: on_other_vectors(
        atoms, [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]
    ),
}
"""Each gives the same crystal in other words; only "rotated" moves it in space."""


def turn_of(view: str) -> np.ndarray:
    """The rotation in space that a view makes."""
    return TURN if view == "rotated" else np.eye(3)
