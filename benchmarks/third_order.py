"""Ways to the third order side by side: how long, how much memory, how far from phono3py's own.

    python benchmarks/third_order.py --output benchmarks/third_order.md     # --quick to see it work

Every way has the same potential, crystal and supercell, runs in a process of its own and is timed
from the harmonic phonons to the symmetrised third order. What ratios are to is what others do:
displaced pairs of 0.03 A. What errors are to is phono3py alone: its displacements, its solver and
its symmetrisation at 1e-3 A, with nothing of ours but the forces.
"""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from cases import EMBEDDED, LARGE, Case, all_cases, load
from tables import machine, markdown_table, write_page

from mlphonon import Potential, compute_phonons, make_crystal
from mlphonon.anharmonic.third_order.compute import compute_third_order
from mlphonon.anharmonic.third_order.settings import ThirdOrderSettings
from mlphonon.anharmonic.third_order.supercell import choose_matrix, make_phono3py
from mlphonon.force_constants.cells import to_ase
from mlphonon.phonons.record import package_versions

OWN = "phono3py alone, 1e-3 A"
FIELD = "displacements, 0.03 A"
WAYS: dict[str, dict[str, Any]] = {
    FIELD: {"method": "displacements", "displacement": 0.03},
    "displacements": {"method": "displacements"},
    "autodiff, float64": {"method": "autodiff", "row_dtype": "float64"},
    "autodiff, float32": {"method": "autodiff"},
    "regression": {"method": "regression"},
    "auto": {"method": "auto"},
}
HEAD = [
    "crystal",
    "atoms",
    "way",
    "evaluations",
    "seconds",
    "times quicker",
    "GB",
    "off by",
    "unseen",
]


def cases() -> list[Case]:
    """Return five crystals and their supercells of 36 to 72 atoms."""
    known = {case.name: case.atoms for case in all_cases()}
    perovskite = Atoms(
        "CaTiO3",
        scaled_positions=[(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)],
        cell=[3.9] * 3,
        pbc=True,
    )
    return [
        Case("NaCl", known["NaCl"], (2, 2, 2)),
        Case("Si", known["Si"], (2, 2, 2)),
        Case("CaTiO3, cubic", perovskite, (2, 2, 2)),
        Case("ZnO", bulk("ZnO", "wurtzite", a=3.25, c=5.207, u=0.3825), (3, 3, 2)),
        Case("quartz", known["quartz"], (2, 2, 1)),
    ]


def alone(case: Case, potential: Potential) -> np.ndarray:
    """Return the third order by phono3py and no route of ours, eV/A^3."""
    settings = ThirdOrderSettings(supercell=case.supercell)
    crystal = make_crystal(case.atoms)
    phonons = compute_phonons(crystal, potential, relax=False, min_length=8)
    phono3py = make_phono3py(phonons, choose_matrix(phonons, settings, crystal))
    phono3py.generate_displacements(distance=1e-3)
    rest = potential.evaluate([to_ase(phono3py.supercell)])[0].forces
    moved = potential.evaluate([to_ase(cell) for cell in phono3py.supercells_with_displacements])
    phono3py.forces = [one.forces - rest for one in moved]
    phono3py.produce_fc3()
    phono3py.symmetrize_fc3()
    return np.asarray(phono3py.fc3)


def measure(potential_name: str, case: Case, way: str, folder: str) -> None:
    """Compute one way, in a process of its own, and leave numbers and third order in a folder."""
    warnings.filterwarnings("ignore")
    potential = load(potential_name, "float64")
    if way == OWN:
        np.save(Path(folder) / "own.npy", alone(case, potential))
        return
    crystal = make_crystal(case.atoms)
    phonons = compute_phonons(crystal, potential, relax=False, min_length=8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    settings = ThirdOrderSettings(supercell=case.supercell, **WAYS[way])
    third = compute_third_order(phonons, potential, settings, crystal=crystal)
    seconds = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    np.save(Path(folder) / "third.npy", third.array)
    found = third.provenance.model_dump() | {"wall": seconds, "GB": (after - before) / 1e6}
    (Path(folder) / "found.json").write_text(json.dumps(found))


def in_child(*what: Any) -> bool:
    """Run `measure` in a new process; tell whether it came to its end."""
    child = multiprocessing.get_context("spawn").Process(target=measure, args=what)
    child.start()
    child.join()
    return child.exitcode == 0


def rows(potential_name: str, case: Case) -> Iterator[list[str]]:
    """Yield a line of the table for each way that is open to a crystal."""
    with tempfile.TemporaryDirectory() as folder:
        if not in_child(potential_name, case, OWN, folder):
            raise SystemExit(f"{OWN} failed on {case.name}")
        own, base = np.load(Path(folder) / "own.npy"), 0.0
        for way in WAYS:
            if not in_child(potential_name, case, way, folder):
                yield [case.name, "", way, "refused", "", "", "", "", ""]
                continue
            found = json.loads((Path(folder) / "found.json").read_text())
            third = np.load(Path(folder) / "third.npy")
            base = found["wall"] if way == FIELD else base
            off = np.linalg.norm(third - own) / np.linalg.norm(own)
            yield [
                case.name,
                str(found["n_atoms_supercell"]),
                f"auto ({found['route']})" if way == "auto" else way,
                str(found["n_evaluations"]),
                f"{found['wall']:.1f}",
                f"{base / found['wall']:.1f}",
                f"{found['GB']:.2f}",
                f"{off:.0e}",
                f"{found['held_out']:.0e}",
            ]


def main() -> None:
    """Measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    versions = ", ".join(f"{name} {text}" for name, text in package_versions().items())
    parts = [
        f"{datetime.date.today()}; {machine()}; {versions}. Made by `python"
        f" benchmarks/third_order.py {' '.join(sys.argv[1:])}`."
    ]
    work = {EMBEDDED: cases(), LARGE: cases()[:1]}
    for name, chosen in ({EMBEDDED: cases()[:1]} if options.quick else work).items():
        lines = []
        for case in chosen:
            for row in rows(name, case):
                print(*row, sep=" | ", file=sys.stderr, flush=True)
                lines.append(row)
        parts += [f"## Potential: {name}", markdown_table(HEAD, lines)]
    write_page("\n\n".join(parts), "third_order.py", options.output)


if __name__ == "__main__":
    main()
