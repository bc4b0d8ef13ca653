"""Ways to the force constants side by side: how long, and how far from the exact ones.

    python benchmarks/methods.py --output benchmarks/methods.md      # --quick to see that it works

Every way has the same potential, crystal and supercell and is timed from the crystal to repaired
force constants. The field's +-0.01 A displacements in float64 are what others do, and what ratios
are to. Frequencies are compared with central differences of 1e-3 A in float64 at wave vectors of
no symmetry. Crystals are as published: nothing is relaxed here.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from ase import Atoms
from cases import EMBEDDED, LARGE, Case, all_cases, load, mixed_perovskite
from tables import machine, markdown_table

from mlphonon import Potential, make_crystal
from mlphonon.crystal.supercell import choose_supercell
from mlphonon.force_constants import ForceConstants
from mlphonon.force_constants.planning import plan_force_constants
from mlphonon.phonons.record import package_versions
from mlphonon.settings import PhononSettings

FIELD = "displacements, field"
WAYS: dict[str, dict[str, object]] = {
    FIELD: {"method": "displacements"},
    "displacements, small": {"method": "displacements", "protocol": "small"},
    "autodiff, float64": {"method": "autodiff"},
    "autodiff, float32": {"method": "autodiff", "row_dtype": "float32"},
    "regression": {"method": "regression"},
    "auto": {"method": "auto"},
}
HEAD = ["crystal", "atoms", "way", "evaluations", "seconds", "times quicker", "off by (THz)"]
GROWTH = {(2, 2, 2): (2, 2, 2), (4, 2, 2): (1, 2, 2), (4, 4, 2): (1, 1, 2), (4, 5, 4): (1, 1, 1)}
"""Repeats of the five-atom cell that make a primitive cell, and its supercell: 320 or 400 atoms."""


def solve(case: Case, potential: Potential, **changes: object) -> tuple[ForceConstants, int, float]:
    """Return force constants, how many evaluations they took, and seconds."""
    begun = time.perf_counter()
    crystal = make_crystal(case.atoms)
    settings = PhononSettings.make(supercell=case.supercell, **changes)
    matrix = choose_supercell(crystal, crystal.atoms, settings)
    plan = plan_force_constants(crystal.atoms, matrix, potential, settings)
    constants = plan.compute(potential)
    return constants, plan.n_evaluations, time.perf_counter() - begun


def frequencies(constants: ForceConstants) -> np.ndarray:
    """Return frequencies where every force constant counts, THz."""
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (10, 3))
    return np.asarray(constants.phonopy.run_qpoints(points).frequencies)


def rows(case: Case, potential: Potential) -> Iterator[list[str]]:
    """Yield a line of the table for each way that is open to a crystal."""
    from mlphonon.errors import MlphononError

    exact = frequencies(solve(case, potential, method="displacements", displacement=1e-3)[0])
    base = 0.0
    for way, changes in WAYS.items():
        try:
            constants, number, seconds = solve(case, potential, **changes)
        except MlphononError as error:
            yield [case.name, "", way, "", "", "", str(error).partition(";")[0]]
            continue
        base = seconds if way == FIELD else base
        off = np.abs(frequencies(constants) - exact).max()
        n_atoms = str(len(constants.phonopy.supercell))
        name = f"{way} ({constants.method}, {constants.dtype})" if way == "auto" else way
        cells = [str(number), f"{seconds:.1f}", f"{base / seconds:.1f}", f"{off:.0e}"]
        yield [case.name, n_atoms, name, *cells]


def split_rows(name: str, dtype: str, atoms: Atoms) -> Iterator[list[str]]:
    """Yield seconds of a force call and of a row, one after the other and side by side."""
    potential = load(name, dtype)
    directions = [(i, np.array([1.0, 0.0, 0.0])) for i in range(8)]
    work: dict[str, Callable[[], object]] = {
        "forces": lambda: potential.evaluate([atoms] * 8),
        "rows": lambda: potential.hessian_rows(atoms, directions),
    }
    for what, run in work.items():
        with mock.patch("mlphonon.potentials.mace.mace_potential.cores", return_value=1):
            in_turn = seconds_of(run) / 8
        together = seconds_of(run) / 8
        cells = [f"{in_turn:.3f}", f"{together:.3f}", f"{in_turn / together:.2f}"]
        yield [f"{name}, {dtype}", str(len(atoms)), what, *cells]


def seconds_of(run: Callable[[], object]) -> float:
    """Return the median time of three, after one that is not counted."""
    seconds = []
    for _ in range(4):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds[1:]))


def growth_rows(potential: Potential) -> Iterator[list[str]]:
    """Yield how long crystals without symmetry take as their primitive cell grows."""
    for repeats, supercell in GROWTH.items():
        case = Case("", mixed_perovskite(repeats), supercell)
        constants, number, seconds = solve(case, potential)
        n_atoms = [len(constants.phonopy.primitive), len(constants.phonopy.supercell)]
        each = f"{1000 * seconds / number:.0f}"
        yield [*(str(n) for n in n_atoms), constants.method, str(number), f"{seconds:.1f}", each]


def main() -> None:
    """Measure and write the tables."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    where = machine()
    versions = ", ".join(f"{name} {text}" for name, text in package_versions().items())
    parts = [
        "# Ways to the force constants",
        f"{datetime.date.today()}; {where}; {versions}. Made by `python benchmarks/methods.py"
        f" {' '.join(sys.argv[1:])}`; what is compared stands there.",
    ]
    cases = all_cases()
    # The larger one takes minutes for each displaced crystal of low symmetry.
    work = {EMBEDDED: cases[:-1], LARGE: cases[:1]}
    if options.quick:
        work = {EMBEDDED: cases[:1]}
    for name, chosen in work.items():
        potential = load(name, "float64")
        for way in WAYS.values():  # what is compiled once is not any crystal's time
            solve(Case("warm", cases[0].atoms, (1, 1, 1)), potential, **way)
        lines = []
        for case in chosen:
            for row in rows(case, potential):
                print(*row, sep=" | ", file=sys.stderr, flush=True)
                lines.append(row)
        parts += [f"## Potential: {name}", markdown_table(HEAD, lines)]
    salt = cases[0].atoms
    atoms = {EMBEDDED: salt.repeat(3), LARGE: salt.repeat(2)}
    lines = [
        row
        for name in work
        for d in ("float64", "float32")
        for row in split_rows(name, d, atoms[name])
    ]
    head = [
        "potential",
        "atoms",
        "what",
        "one after the other (s)",
        "side by side (s)",
        "times quicker",
    ]
    parts += ["## One piece on all cores, or a piece on each core", markdown_table(head, lines)]
    if not options.quick:
        head = ["primitive cell", "supercell", "method", "evaluations", "seconds", "ms each"]
        lines = list(growth_rows(load(EMBEDDED, "float64")))
        parts += ["## Growth with the primitive cell, no symmetry", markdown_table(head, lines)]
    text = "\n\n".join(parts) + "\n"
    print(text)
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
