"""Crystals and potentials that the benchmarks of speed share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read
from ase.spacegroup import crystal as space_group

from mlphonon import Potential, load_potential
from mlphonon.potentials.mace.mace_potential import MacePotential, WeightsInfo

EXAMPLES = Path(__file__).parents[1] / "examples"
EMBEDDED, LARGE = "embedded", "the size of MACE-MP-0 medium, random weights"


@dataclass(frozen=True)
class Case:
    """A crystal and its supercell, in terms of the cell that is given."""

    name: str
    atoms: Atoms
    supercell: tuple[int, int, int]


def all_cases() -> list[Case]:
    """Return crystals from cubic to triclinic, their supercells of 96 to 324 atoms."""
    # Lewis, Schwarzenbach and Flack, Acta Cryst. A 38 (1982) 733.
    corundum = space_group(
        ["Al", "O"],
        [(0, 0, 0.35216), (0.30624, 0, 0.25)],
        spacegroup=167,
        cellpar=[4.7602, 4.7602, 12.9933, 90, 90, 120],
    )
    # Howard, Hill and Reichert, Acta Cryst. B 44 (1988) 116.
    zirconia = space_group(
        ["Zr", "O", "O"],
        [(0.2754, 0.0395, 0.2083), (0.0700, 0.3317, 0.3447), (0.4496, 0.7569, 0.4792)],
        spacegroup=14,
        cellpar=[5.15, 5.21, 5.32, 90, 99.2, 90],
    )
    return [
        Case("NaCl", read(EXAMPLES / "NaCl.cif"), (3, 3, 3)),
        Case("Si", read(EXAMPLES / "Si.cif"), (3, 3, 3)),
        Case("quartz", read(EXAMPLES / "quartz.cif"), (3, 3, 4)),
        Case("Al2O3", corundum, (2, 2, 1)),
        Case("ZrO2, monoclinic", zirconia, (2, 2, 2)),
        Case("ZrO2, monoclinic, large", zirconia, (3, 3, 3)),
        Case("P1, 20 atoms", mixed_perovskite((2, 2, 1)), (2, 2, 2)),
        Case("P1, 40 atoms", mixed_perovskite((2, 2, 2)), (2, 2, 2)),
    ]


def mixed_perovskite(repeats: tuple[int, int, int]) -> Atoms:
    """Return CaTiO3 with so much of it exchanged, and so displaced, that no symmetry is left."""
    cubic = Atoms(
        "CaTiO3",
        scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)],
        cell=[3.9] * 3,
        pbc=True,
    ).repeat(repeats)
    random = np.random.default_rng(0)
    for symbol, other in (("Ca", "Sr"), ("Ti", "Zr")):
        places = [atom.index for atom in cubic if atom.symbol == symbol]
        for place in random.choice(places, len(places) // 3, replace=False):
            cubic.symbols[place] = other
    cubic.rattle(0.1, seed=1)
    return cubic


def load(name: str, dtype: str, kernels: str = "auto") -> Potential:
    """Load the embedded potential, or make the large one."""
    if name == EMBEDDED:
        return load_potential("embedded", device="cpu", dtype=dtype, kernels=kernels)
    return large_mace(dtype, kernels)


def large_mace(dtype: str, kernels: str = "auto") -> Potential:
    """Return a MACE of the size of MACE-MP-0 medium with random weights, the same every time."""
    import torch

    from mlphonon.potentials.mace.architecture import MaceArchitecture

    torch.manual_seed(0)
    shape = MaceArchitecture(
        atomic_numbers=(8, 11, 14, 17, 20, 22, 38, 40),
        atomic_energies=(0.0,) * 8,
        avg_num_neighbors=60.0,
        scale=1.0,
        r_max=6.0,
        num_bessel=10,
        max_ell=3,
        hidden_irreps="128x0e+128x1o",
        correlation=3,
        radial_mlp=(64, 64, 64),
        first_interaction="RealAgnosticInteractionBlock",
    )
    return MacePotential(shape.build("float64"), WeightsInfo("large"), dtype=dtype, kernels=kernels)
