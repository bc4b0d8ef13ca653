"""How long one crystal takes, from its relaxed cell to bands, DOS and thermal properties.

mlphonon beside matcalc's PhononCalc and janus-core's Phonons, in one process, in turns, so that a
machine that slows down slows all. All get the same weights, the same relaxed primitive cell and
the same supercell; the others get mace's own calculator in float64, as their users would. In a
first row each has its own defaults, but that nobody relaxes again; in a second the others are
asked for frequencies as precise as mlphonon's: displacements of 0.001 A. What is exact is known
from central differences of 0.001 A in float64, at wave vectors of no symmetry.

The others are no dependencies of mlphonon, and want packages of their own versions::

    python -m venv peers && peers/bin/pip install torch==2.13.0
    peers/bin/pip install -e . matcalc==0.7.0 janus-core==0.9.8 mace-torch==0.3.16
    peers/bin/python benchmarks/speed.py --output benchmarks/speed.md      # --quick to try it
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from cases import EMBEDDED, LARGE, Case, all_cases, load
from tables import machine, markdown_table

PACKAGES = ("mlphonon", "matcalc", "janus-core", "phonopy", "mace-torch", "torch", "ase", "numpy")
OURS = "mlphonon"
AIMS = {"P1": 3.5, "monoclinic": 3.5, "NaCl": 1.5}
LONG = 15.0
"""s; what takes longer is timed once."""

HEAD = ["crystal", "atoms", "program", "evaluations", "seconds", "times ours", "off by (THz)"]

STEPS = ["crystal", "method", "set-up", "forces and solving", "bands", "DOS", "thermal"]


@dataclass(frozen=True)
class Job:
    """A relaxed primitive cell, its supercell in phonopy's convention, and what computes it."""

    atoms: Any
    matrix: np.ndarray
    potential: Any
    calculator: Any
    folder: Path


def compute(job: Job) -> Any:
    """Return our phonons; bands, DOS and thermal properties are made when asked for."""
    from mlphonon import compute_phonons

    supercell = tuple(int(n) for n in job.matrix.ravel())
    return compute_phonons(job.atoms, job.potential, relax=False, supercell=supercell)


def ours(job: Job) -> tuple[Any, int]:
    """Return phonopy's object and the number of evaluations; write what the others write."""
    result = compute(job)
    dos = result.dos()
    result.bands()
    result.thermal()
    result.phonopy.save(job.folder / "ours.yaml", settings={"force_constants": True})
    result.phonopy.band_structure.write_yaml(filename=job.folder / "ours_band.yaml")
    np.savetxt(job.folder / "ours_dos.dat", np.column_stack([dos.frequencies, dos.total]))
    return result.phonopy, result.record.n_displacements


def matcalc(job: Job, **options: Any) -> tuple[Any, int]:
    from matcalc import PhononCalc

    calculation = PhononCalc(
        job.calculator,
        supercell_matrix=job.matrix,
        relax_structure=False,
        write_phonon=job.folder / "theirs.yaml",
        write_band_structure=job.folder / "theirs_band.yaml",
        write_total_dos=job.folder / "theirs_dos.dat",
        **options,
    )
    phonopy = calculation.calc(job.atoms)["phonon"]
    return phonopy, len(phonopy.supercells_with_displacements)


def janus(job: Job, **options: Any) -> tuple[Any, int]:
    from janus_core.calculations.phonons import Phonons

    atoms = job.atoms.copy()
    atoms.calc = job.calculator
    calculation = Phonons(
        atoms,
        supercell=[int(n) for n in job.matrix.ravel()],
        calcs=("bands", "dos", "thermal"),
        file_prefix=job.folder / "janus",
        track_carbon=False,
        **options,
    )
    calculation.run()
    phonopy = calculation.results["phonon"]
    return phonopy, len(phonopy.supercells_with_displacements)


PROGRAMS: dict[str, Callable[[Job], tuple[Any, int]]] = {
    OURS: ours,
    "matcalc": matcalc,
    "janus-core": janus,
    "matcalc, 0.001 A": partial(matcalc, atom_disp=1e-3),
    "janus-core, 0.001 A": partial(janus, displacement=1e-3),
}


def make_job(case: Case, name: str, folder: Path) -> Job:
    """Relax a crystal with the embedded potential and choose its supercell."""
    from mlphonon import make_crystal
    from mlphonon.crystal.supercell import choose_supercell
    from mlphonon.relaxation import relax
    from mlphonon.settings import PhononSettings

    settings = PhononSettings.make(supercell=case.supercell, allow_unconverged=True)
    crystal = make_crystal(case.atoms)
    atoms = relax(crystal, load(EMBEDDED, "float64"), settings, lambda *_: None).atoms
    matrix = choose_supercell(crystal, atoms, settings)
    plain = load(name, "float64", kernels="plain")
    return Job(atoms, np.asarray(matrix), load(name, "float64"), plain.calculator(), folder)


def exact_phonopy(job: Job) -> Any:
    """Return phonopy's object with central differences of 0.001 A in float64."""
    from mlphonon.force_constants.planning import plan_force_constants
    from mlphonon.settings import PhononSettings

    settings = PhononSettings.make(method="displacements", displacement=1e-3)
    plan = plan_force_constants(job.atoms, job.matrix, job.potential, settings)
    return plan.compute(job.potential).phonopy


def frequencies(phonopy: Any, rotation: np.ndarray | None = None) -> np.ndarray:
    """Return frequencies at wave vectors of no symmetry, THz: the same ones for any cell.

    mlphonon turns a crystal to its standard setting, by `rotation`.
    """
    cartesian = np.random.default_rng(0).uniform(-0.15, 0.15, (10, 3))
    turned = cartesian if rotation is None else cartesian @ rotation.T
    points = turned @ phonopy.primitive.cell.T
    return np.asarray(phonopy.run_qpoints(points).frequencies)


def compare(case: Case, job: Job, programs: list[str], repeats: int) -> Iterator[list[str]]:
    """Let all compute one crystal in turns; yield a line of the table for each."""
    from mlphonon import make_crystal

    exact = frequencies(exact_phonopy(job))
    turns = {OURS: make_crystal(job.atoms).to_standard}
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    found: dict[str, tuple[Any, int]] = {}
    for turn in range(repeats + 1):
        for name in programs:
            begun = time.perf_counter()
            found[name] = PROGRAMS[name](job)
            seconds[name].append(time.perf_counter() - begun)
        # The first turn of a short one compiles and fills caches.
        if max(spent[0] for spent in seconds.values()) > LONG:
            break
        if turn == 0 and repeats:
            seconds = {name: [] for name in programs}
    base = median(seconds[OURS])
    for name in programs:
        phonopy, number = found[name]
        spent = median(seconds[name])
        off = np.abs(frequencies(phonopy, turns.get(name)) - exact).max()
        n_atoms = str(len(phonopy.supercell))
        cells = [str(number), f"{spent:.2f}", f"{spent / base:.2f}", f"{off:.0e}"]
        yield [case.name, n_atoms, name, *cells]


def profile(case: Case, job: Job) -> list[str]:
    """Return where our own time goes, s: set-up, forces and solving, bands, DOS, thermal."""
    result = compute(job)
    seconds = result.record.seconds
    spent = [seconds["crystal"] + seconds["displacements"], seconds["forces"]]
    for action in (result.bands, result.dos, result.thermal):
        begun = time.perf_counter()
        action()
        spent.append(time.perf_counter() - begun)
    return [case.name, result.record.method, *(f"{each:.2f}" for each in spent)]


def aim_lines(rows: list[list[str]]) -> list[str]:
    """Say of each aim where it was reached: at least so many times quicker than each other."""
    lines = []
    for crystal, aim in AIMS.items():
        for program in ("matcalc", "janus-core"):
            ratios = [float(row[5]) for row in rows if crystal in row[0] and row[2] == program]
            if ratios:
                said = "reached" if min(ratios) >= aim else "missed"
                found = ", ".join(f"{ratio:.1f}" for ratio in ratios)
                lines.append(f"- {crystal}, against {program}: {aim:g} wanted, {found}: {said}.")
    return lines


def peak_memory(name: str, case: Case, program: str) -> float:
    """Return by how much the memory of a fresh process grows at most in a calculation, GB."""
    command = [sys.executable, __file__, "--memory", name, case.name, program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def measure_memory(name: str, case_name: str, program: str) -> None:
    """Do one calculation and print the growth of the resident memory at its peak, GB (Linux)."""
    (case,) = [case for case in all_cases() if case.name == case_name]
    with tempfile.TemporaryDirectory() as folder:
        job = make_job(case, name, Path(folder))
        small = replace(job, matrix=np.eye(3, dtype=int))
        PROGRAMS[program](small)  # libraries are loaded and models compiled
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = resident("VmRSS")
        PROGRAMS[program](job)
        print((resident("VmHWM") - before) / 1e9)


def resident(name: str) -> int:
    """Return a size of this process as Linux tells it, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="NaCl alone, once")
    parser.add_argument("--memory", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help="write the tables to this file as well")
    return parser.parse_args()


def main() -> None:
    warnings.filterwarnings("ignore")
    arguments = parse_arguments()
    if arguments.memory:
        measure_memory(*arguments.memory)
        return
    where = machine()
    cases = all_cases()
    work = {EMBEDDED: cases, LARGE: [cases[0], cases[4]]}
    if arguments.quick:
        work, arguments.repeats = {EMBEDDED: cases[:1]}, 0
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    parts = [
        "# Speed",
        f"{time.strftime('%Y-%m-%d')}; {where}; Python {sys.version.split()[0]}, {packages}."
        f" Medians of {arguments.repeats} (of one, above {LONG:g} s). Made by"
        f" `python benchmarks/speed.py {' '.join(sys.argv[1:])}`; what is compared stands there.",
    ]
    with tempfile.TemporaryDirectory() as folder:
        # What is compiled once is not any crystal's time.
        warm = make_job(Case("warm", cases[0].atoms, (1, 1, 1)), EMBEDDED, Path(folder))
        for run in PROGRAMS.values():
            run(warm)
        for name, chosen in work.items():
            rows: list[list[str]] = []
            profiles: list[list[str]] = []
            for case in chosen:
                job = make_job(case, name, Path(folder))
                # A second row for all but the longest.
                n_programs = 3 if case.name == "P1, 40 atoms" or name == LARGE else 5
                for row in compare(case, job, list(PROGRAMS)[:n_programs], arguments.repeats):
                    print(*row, sep=" | ", file=sys.stderr, flush=True)
                    rows.append(row)
                profiles.append(profile(case, job))
            parts += [f"## Potential: {name}", markdown_table(HEAD, rows)]
            parts.append("\n".join(["Aims, in times quicker:", "", *aim_lines(rows)]))
            parts += ["Where mlphonon's time goes, s:", markdown_table(STEPS, profiles)]
    if not arguments.quick:
        chosen = [cases[0], cases[5]]
        lines = [
            [case.name, *(f"{peak_memory(EMBEDDED, case, one):.2f}" for one in list(PROGRAMS)[:3])]
            for case in chosen
        ]
        parts += [
            "## Peak memory on top of loaded libraries and model, GB (embedded potential)",
            markdown_table(["crystal", *list(PROGRAMS)[:3]], lines),
        ]
    text = "\n\n".join(parts) + "\n"
    print(text)
    if arguments.output is not None:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
