"""Frequencies of a model in folded supercells beside DFT's: hundreds of crystals in minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from mlphonon.training.curvature.crystals import CellStore, CurvedCrystal, SmallCell
from mlphonon.training.curvature.modes import ModeSpace
from mlphonon.training.packed_graphs import join
from mlphonon.training.quick_mace import QuickMace

STEP = 0.01
"""A; of central differences, whose error is then 1e-4 in single precision."""

EDGES_AT_ONCE = 12_000

UNSTABLE = -0.5
"""THz; a lower mode makes a crystal unstable. What a supercell's translations leave is less."""


@dataclass(frozen=True)
class CrystalErrors:
    """How far off the frequencies of one crystal are, at DFT's structure.

    Attributes
    ----------
    name, formula : str
        Of the crystal.
    mae, bias : float
        THz, over the modes of one folded supercell in their order; bias is model minus DFT.
    slope : float
        Of the model's frequencies against DFT's, through the origin.
    lowest, lowest_dft : float
        THz; imaginary ones negative.
    """

    name: str
    formula: str
    mae: float
    bias: float
    slope: float
    lowest: float
    lowest_dft: float


def hessian(quick: QuickMace, cell: SmallCell) -> np.ndarray:
    """Return a model's Hessian of a folded supercell, shape (3 n, 3 n), eV/A^2."""
    n = len(cell.graph.elements)
    at_once = max(1, EDGES_AT_ONCE // cell.graph.slots)
    rows = []
    for first in range(0, 3 * n, at_once):
        chosen = torch.arange(first, min(first + at_once, 3 * n))
        graphs = join([cell.graph] * len(chosen), quick.r_max)
        moves = torch.zeros(len(chosen), 3 * n)
        moves[torch.arange(len(chosen)), chosen] = STEP
        moves = moves.view(-1, 3)
        ahead = quick.forces(graphs, graphs.positions + moves)
        behind = quick.forces(replace(graphs), graphs.positions - moves)
        rows.append(((behind - ahead) / (2 * STEP)).view(len(chosen), 3 * n))
    found = torch.cat(rows).double().numpy()
    return np.asarray((found + found.T) / 2)


def judge(
    quick: QuickMace, crystals: Sequence[CurvedCrystal], store: CellStore
) -> list[CrystalErrors]:
    """Compare the frequencies of crystals, each in the first of its small supercells."""
    found = []
    for crystal in crystals:
        cell = store.get(crystal, 0)
        masses = crystal.constants.supercell(crystal.lattices[0]).get_masses()
        ours = ModeSpace.of(hessian(quick, cell), masses).frequencies
        dft = cell.modes.frequencies
        found.append(
            CrystalErrors(
                name=crystal.name,
                formula=crystal.formula,
                mae=float(np.abs(ours - dft).mean()),
                bias=float((ours - dft).mean()),
                slope=float((ours * dft).sum() / np.square(dft).sum()),
                lowest=float(ours.min()),
                lowest_dft=float(dft.min()),
            )
        )
    return found


def summary(errors: Sequence[CrystalErrors]) -> dict[str, float]:
    """Return means, medians, and how well instability is told (F1)."""
    mae = np.array([one.mae for one in errors])
    dft = np.array([one.lowest_dft < UNSTABLE for one in errors])
    ours = np.array([one.lowest < UNSTABLE for one in errors])
    slopes = np.array([one.slope for one in errors])
    return {
        "crystals": float(len(errors)),
        "mae_mean": float(mae.mean()),
        "mae_median": float(np.median(mae)),
        "slope_mean": float(slopes.mean()),
        "slope_median": float(np.median(slopes)),
        "unstable_dft": float(dft.sum()),
        "unstable": float(ours.sum()),
        "f1_unstable": float(2 * (dft & ours).sum() / max(1, dft.sum() + ours.sum())),
    }
