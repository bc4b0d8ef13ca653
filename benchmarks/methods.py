"""Ways to the force constants side by side: how long, and how far from the exact ones.

    python benchmarks/methods.py --output benchmarks/methods.md      # --quick to see that it works

Every way has the same potential, crystal and supercell and is timed from the crystal to repaired
force constants. The field's +-0.01 A displacements in float64 are what others do, and what ratios
are to. Frequencies are compared with central differences of 1e-3 A in float64 at wave vectors
of no symmetry. The larger potential is a MACE of the size of MACE-MP-0 medium with random weights:
it is for timing only.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import read
from ase.spacegroup import crystal as space_group

from mlphonon import Potential, load_potential, make_crystal
from mlphonon.force_constants import ForceConstants
from mlphonon.force_constants.planning import plan_force_constants
from mlphonon.potentials.mace import MacePotential
from mlphonon.provenance import package_versions
from mlphonon.settings import make_settings
from mlphonon.supercell import choose_supercell

EXAMPLES = Path(__file__).parents[1] / "examples"
FIELD = "field, float64"
WAYS: dict[str, tuple[str, dict[str, object]]] = {
    FIELD: ("float64", {}),
    "small, float64": ("float64", {"protocol": "small"}),
    "autodiff, float64": ("float64", {"method": "autodiff"}),
    "autodiff, float32": ("float32", {"method": "autodiff"}),
    "regression, float64": ("float64", {"method": "regression"}),
}
HEAD = ("crystal", "atoms", "way", "evaluations", "seconds", "times quicker", "off by (THz)")


@dataclass(frozen=True)
class Case:
    """A crystal and the least height of its supercell, A."""

    name: str
    atoms: Atoms
    min_length: float = 15.0


def cases(quick: bool) -> list[Case]:
    """Return crystals from cubic to triclinic."""
    salt = Case("NaCl", read(EXAMPLES / "NaCl.cif"))
    if quick:
        return [salt]
    zirconia = space_group(
        ["Zr", "O", "O"],
        [(0.2754, 0.0395, 0.2083), (0.0700, 0.3317, 0.3447), (0.4496, 0.7569, 0.4792)],
        spacegroup=14,
        cellpar=[5.15, 5.21, 5.32, 90, 99.2, 90],
    )
    perovskite = Atoms(
        "CaTiO3",
        scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)],
        cell=[3.9] * 3,
        pbc=True,
    ).repeat((2, 2, 1))
    perovskite.rattle(0.05, seed=1)
    return [
        salt,
        Case("Si", read(EXAMPLES / "Si.cif")),
        Case("quartz", read(EXAMPLES / "quartz.cif")),
        Case("ZrO2, monoclinic", zirconia, 10.0),
        Case("CaTiO3 rattled, P1", perovskite, 14.0),
    ]


def large_mace(dtype: str) -> Potential:
    """Return a MACE of the size of MACE-MP-0 medium with random weights, the same every time."""
    import torch

    from mlphonon.potentials.architecture import MaceArchitecture

    torch.manual_seed(0)
    shape = MaceArchitecture(
        atomic_numbers=(8, 11, 14, 17, 20, 22, 40),
        atomic_energies=(0.0,) * 7,
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
    return MacePotential(shape.build("float64"), name="large", dtype=dtype)


def solve(case: Case, potential: Potential, **changes: object) -> tuple[ForceConstants, int, float]:
    """Return force constants, how many evaluations they took, and seconds."""
    crystal, settings = make_crystal(case.atoms), make_settings(**changes)
    supercell = settings.model_copy(update={"min_length": case.min_length})
    matrix = choose_supercell(crystal, crystal.atoms, supercell)
    begun = time.perf_counter()
    plan = plan_force_constants(crystal.atoms, matrix, potential.info, settings)
    constants = plan.compute(potential)
    return constants, plan.n_evaluations, time.perf_counter() - begun


def frequencies(constants: ForceConstants) -> np.ndarray:
    """Return frequencies where every force constant counts, THz."""
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (10, 3))
    return np.asarray(constants.phonopy.run_qpoints(points).frequencies)


def rows(case: Case, potentials: dict[str, Potential]) -> Iterator[tuple[str, ...]]:
    """Yield a line of the table for each way that is open to a crystal."""
    from mlphonon.errors import MlphononError

    exact = frequencies(solve(case, potentials["float64"], displacement=1e-3)[0])
    base = 0.0
    for way, (dtype, changes) in WAYS.items():
        try:
            constants, number, seconds = solve(case, potentials[dtype], **changes)
        except MlphononError as error:
            yield case.name, "", way, "", "", "", str(error).partition(";")[0]
            continue
        base = seconds if way == FIELD else base
        off = np.abs(frequencies(constants) - exact).max()
        n_atoms = len(constants.phonopy.supercell)
        yield (
            *(case.name, str(n_atoms), way, str(number)),
            *(f"{seconds:.1f}", f"{base / seconds:.1f}", f"{off:.1e}"),
        )


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    versions = ", ".join(f"{name} {text}" for name, text in package_versions().items())
    parts = [
        "# Ways to the force constants",
        f"{datetime.date.today()}; {platform.machine()}, {os.cpu_count()} cores, load"
        f" {os.getloadavg()[0]:.1f} before the start; {versions}. Made by"
        " `python benchmarks/methods.py --output benchmarks/methods.md`.",
    ]
    makers = {"embedded": lambda dtype: load_potential("embedded", device="cpu", dtype=dtype)}
    if not options.quick:
        makers["of the size of MACE-MP-0 medium, random weights"] = large_mace
    for name, make in makers.items():
        potentials = {dtype: make(dtype) for dtype in ("float64", "float32")}
        # The first call of a model is slower than all others.
        for potential in potentials.values():
            solve(Case("warm", read(EXAMPLES / "NaCl.cif"), 5.0), potential)
        # The larger one takes minutes for each displaced crystal of low symmetry.
        found = cases(options.quick)[: None if name == "embedded" else 3]
        lines = [HEAD, ["---"] * len(HEAD)]
        for case in found:
            for row in rows(case, potentials):
                print(*row, sep=" | ", flush=True)
                lines.append(row)
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        parts += [f"## Potential: {name}", table]
    if options.output is not None:
        options.output.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
