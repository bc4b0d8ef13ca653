"""DFT force constants, asked along random directions in small supercells."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from mlphonon.crystal.crystal import reduced_formula
from mlphonon.training.curvature.modes import ModeSpace
from mlphonon.training.curvature.split import is_validation
from mlphonon.training.data.folding import PeriodicConstants
from mlphonon.training.packed_graphs import PackedGraphs, join
from mlphonon.training.quick_mace import QuickMace

STEP = 0.003
"""A; root mean square of displacements. Shorter ones drown in the rounding of single precision,
longer ones hear the third order."""

LARGEST = 40
"""Atoms of a primitive cell; few crystals have more, and these cost too much."""

Places = dict[int, int]
"""Index among a model's elements of each atomic number."""


@dataclass(frozen=True)
class SmallCell:
    """A folded supercell: its neighbours and its modes."""

    graph: PackedGraphs
    modes: ModeSpace


@dataclass(frozen=True)
class CurvedCrystal:
    """A crystal whose force constants are known.

    Attributes
    ----------
    name, formula : str
        Of the file, and reduced.
    constants : PeriodicConstants
        Of DFT.
    lattices : tuple of ndarray
        Small commensurate supercells, any of which may be drawn.
    n_atoms : int
        In one of these.
    neighbours : float
        Of an atom, estimated from the density.
    """

    name: str
    formula: str
    constants: PeriodicConstants
    lattices: tuple[np.ndarray, ...]
    n_atoms: int
    neighbours: float

    @property
    def edges(self) -> float:
        """Neighbours in a small supercell."""
        return self.n_atoms * self.neighbours

    def cell(self, which: int, places: Places, r_max: float) -> SmallCell:
        """Fold into one of the lattices."""
        lattice = self.lattices[which]
        atoms = self.constants.supercell(lattice)
        modes = ModeSpace.of(self.constants.folded(lattice), atoms.get_masses())
        return SmallCell(PackedGraphs.of(atoms, places, r_max), modes)


def read_crystals(
    folder: Path, known: Sequence[int], most_atoms: int, r_max: float
) -> list[CurvedCrystal]:
    """Read all crystals of known elements whose primitive cells have at most `LARGEST` atoms.

    Parameters
    ----------
    folder : Path
        Holds a .npz (`PeriodicConstants.save`) of each.
    known : sequence of int
        Atomic numbers.
    most_atoms : int
        Of the small supercells; a primitive cell that has more is taken by itself.
    r_max : float
        Reach of the model, A.
    """
    found = []
    for path in sorted(folder.glob("*.npz")):
        constants = PeriodicConstants.load(path)
        n_atoms = len(constants.numbers)
        # Of one atom in one place nothing can move against anything.
        if n_atoms > LARGEST or not set(constants.numbers.tolist()) <= set(known):
            continue
        lattices = tuple(constants.superlattices(most_atoms))
        largest = n_atoms * abs(round(np.linalg.det(lattices[0])))
        if largest == 1:
            continue
        neighbours = n_atoms / abs(np.linalg.det(constants.cell)) * 4 / 3 * np.pi * r_max**3
        formula = reduced_formula(constants.supercell(np.eye(3, dtype=int)))
        found.append(CurvedCrystal(path.stem, formula, constants, lattices, largest, neighbours))
    return found


def split_crystals(
    crystals: Sequence[CurvedCrystal],
) -> tuple[list[CurvedCrystal], list[CurvedCrystal]]:
    """Return those to learn from, and those of validation formulas."""
    return (
        [one for one in crystals if not is_validation(one.formula)],
        [one for one in crystals if is_validation(one.formula)],
    )


class CellStore:
    """Folded cells, kept while there is room."""

    def __init__(self, places: Places, r_max: float, room: int = 8000) -> None:
        self.places, self.r_max, self.room = places, r_max, room
        self._kept: OrderedDict[tuple[str, int], SmallCell] = OrderedDict()

    def get(self, crystal: CurvedCrystal, which: int) -> SmallCell:
        """Return the cell of one of a crystal's lattices."""
        key = (crystal.name, which)
        if key not in self._kept:
            self._kept[key] = crystal.cell(which, self.places, self.r_max)
            if len(self._kept) > self.room:
                self._kept.popitem(last=False)
        return self._kept[key]


def mode_errors(
    quick: QuickMace, cells: Sequence[SmallCell], count: int, rng: np.random.Generator, train: bool
) -> torch.Tensor:
    """Return how far off frequencies are, by `count` directions of each cell.

    Forces along a direction are differences from those at rest, which all directions share.

    Parameters
    ----------
    quick : QuickMace
        The model.
    cells : sequence of SmallCell
        Folded cells.
    count : int
        Directions of each.
    rng : Generator
        Draws them.
    train : bool
        Whether gradients of weights are wanted.

    Returns
    -------
    Tensor, shape (n_cells, count)
        Root mean square over modes, THz.
    """
    rest = join([cell.graph for cell in cells], quick.r_max)
    n_atoms = len(rest.elements)
    drawn = [[cell.modes.draw(rng) for _ in range(count)] for cell in cells]
    graphs = join([rest] * (1 + count), quick.r_max)
    moves = [torch.zeros(n_atoms, 3)]
    for k in range(count):
        moves.append(_tensor(np.concatenate([STEP * ways[k][0] for ways in drawn])))
    graphs = replace(graphs, positions=graphs.positions + torch.cat(moves))
    forces = quick.forces(graphs, graphs.positions, create_graph=train)
    products = (forces[:n_atoms] - forces[n_atoms:].view(count, n_atoms, 3)) / STEP
    errors, start = [], 0
    for cell, ways in zip(cells, drawn, strict=True):
        n = len(cell.graph.elements)
        sizes = np.array([size for _, size in ways])
        expected = np.stack([way.ravel() for way, _ in ways]) @ cell.modes.hessian
        off = products[:, start : start + n].reshape(count, 3 * n) - _tensor(expected)
        modes = (off * _tensor(sizes)[:, None]) @ _tensor(cell.modes.projection).T
        errors.append(torch.sqrt(modes.square().mean(dim=1) + 1e-8))
        start += n
    return torch.stack(errors)


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.ascontiguousarray(values, dtype=np.float32))
