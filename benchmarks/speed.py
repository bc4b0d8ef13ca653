"""How long one crystal takes: mlphonon beside matcalc, and what of our own time is not forces.

Both use the same MACE in one process, start from the same relaxed primitive cell, take the
same supercell and displacements, and leave the same behind: force constants, bands, total
density of states and thermal properties on the same mesh. They take turns, so that a machine
that slows down slows both; medians are shown.

matcalc is no dependency of mlphonon. To run this::

    pip install matcalc==0.7.0
    python benchmarks/speed.py --output benchmarks/speed.md      # --quick to see that it works
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon import Phonons, PhononSettings, Potential

EXAMPLES = Path(__file__).parents[1] / "examples"
CRYSTALS = ("NaCl", "Si", "quartz", "Al2O3")
AIM = 0.1
PACKAGES = ("mlphonon", "matcalc", "phonopy", "mace-torch", "torch", "ase", "numpy")


@dataclass
class TimedPotential:
    """A potential that knows how long it was busy."""

    potential: Potential
    seconds: float = 0.0

    @property
    def info(self) -> Any:
        """The potential's own."""
        return self.potential.info

    def evaluate(self, structures: Any, progress: Any = None) -> Any:
        """Evaluate, and book the time."""
        begun = time.perf_counter()
        try:
            return self.potential.evaluate(structures, progress)
        finally:
            self.seconds += time.perf_counter() - begun

    def calculator(self) -> Any:
        """Return the potential's own, which is not timed."""
        return self.potential.calculator()


@dataclass
class Clock:
    """Seconds that each named piece took, summed."""

    seconds: dict[str, float] = field(default_factory=dict)

    def time(self, name: str, action: Callable[..., Any], *arguments: Any) -> Any:
        """Call `action` and book the time under `name`."""
        begun = time.perf_counter()
        result = action(*arguments)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun
        return result


@dataclass(frozen=True)
class Comparison:
    """One crystal done by both, several times."""

    name: str
    n_atoms: int
    n_displacements: int
    ours: list[float]
    theirs: list[float]
    difference: float

    def row(self) -> list[str]:
        """Return the cells of the table."""
        ours, theirs = median(self.ours), median(self.theirs)
        return [
            self.name,
            str(self.n_atoms),
            str(self.n_displacements),
            f"{ours:.2f}",
            f"{theirs:.2f}",
            f"{theirs / ours:.2f}",
            f"{self.difference:.1e}",
        ]


def read_crystal(name: str) -> Any:
    if name != "Al2O3":
        return EXAMPLES / f"{name}.cif"
    from ase.spacegroup import crystal

    # Lewis, Schwarzenbach and Flack, Acta Cryst. A 38 (1982) 733.
    return crystal(
        ["Al", "O"],
        [(0, 0, 0.35216), (0.30624, 0, 0.25)],
        spacegroup=167,
        cellpar=[4.7602, 4.7602, 12.9933, 90, 90, 120],
    )


def run_ours(
    atoms: Atoms, matrix: np.ndarray, potential: Any, settings: PhononSettings, folder: Path
) -> Phonons:
    """Compute and write what `run_theirs` does."""
    from mlphonon import compute_phonons

    # `matrix` is in phonopy's convention for this primitive cell, as ours is for the given one.
    supercell = tuple(int(n) for n in matrix.ravel())
    result = compute_phonons(atoms, potential, settings, relax=False, supercell=supercell)
    dos = result.dos()
    result.bands()
    result.thermal()
    result.phonopy.save(folder / "ours.yaml", settings={"force_constants": True})
    result.phonopy.band_structure.write_yaml(filename=folder / "ours_band.yaml")
    np.savetxt(folder / "ours_dos.dat", np.column_stack([dos.frequencies, dos.total]))
    return result


def run_theirs(
    atoms: Atoms, matrix: np.ndarray, calculator: Any, settings: PhononSettings, folder: Path
) -> Any:
    from matcalc import PhononCalc

    first, last, step = settings.temperatures
    calculation = PhononCalc(
        calculator,
        supercell_matrix=matrix,
        atom_disp=settings.displacement,
        relax_structure=False,
        symprec=settings.symprec,
        t_min=first,
        t_max=last,
        t_step=step,
        write_phonon=folder / "theirs.yaml",
        write_band_structure=folder / "theirs_band.yaml",
        write_total_dos=folder / "theirs_dos.dat",
    )
    return calculation.calc(atoms)["phonon"]


def compare(
    name: str, potential: Potential, settings: PhononSettings, repeats: int, folder: Path
) -> Comparison:
    """Let both compute one crystal in turns."""
    from mlphonon import compute_phonons

    relaxed = compute_phonons(read_crystal(name), potential, settings)
    atoms, matrix = relaxed.atoms, np.asarray(relaxed.phonopy.supercell_matrix)
    calculator = potential.calculator()
    clock, ours, theirs = Clock(), [], []
    for turn in range(repeats + 1):
        result = clock.time(f"ours {turn}", run_ours, atoms, matrix, potential, settings, folder)
        other = clock.time(
            f"theirs {turn}", run_theirs, atoms, matrix, calculator, settings, folder
        )
        if turn:  # the first turn compiles and fills caches
            ours.append(clock.seconds[f"ours {turn}"])
            theirs.append(clock.seconds[f"theirs {turn}"])
    if not np.array_equal(result.phonopy.supercell_matrix, other.supercell_matrix):
        raise RuntimeError(f"{name}: the two took different supercells")
    # Both cells are the same, so that a q-point means the same to both.
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    theirs_at = np.asarray(other.run_qpoints(points).frequencies)
    difference = float(np.abs(result.frequencies(points) - theirs_at).max())
    record = result.record
    return Comparison(
        name, record.n_atoms_supercell, record.n_displacements, ours, theirs, difference
    )


def profile(
    name: str, potential: Potential, settings: PhononSettings, repeats: int, folder: Path
) -> dict[str, float]:
    """Time the steps of the whole path, relaxation and every file included; medians, s."""
    from mlphonon import compute_phonons

    runs: list[dict[str, float]] = []
    for _ in range(repeats):
        timed, clock = TimedPotential(potential), Clock()
        crystal = read_crystal(name)
        result = clock.time("all", compute_phonons, crystal, timed, settings)
        steps = {"potential": timed.seconds, "setting up, relaxing, solving": -timed.seconds}
        steps["setting up, relaxing, solving"] += clock.seconds.pop("all")
        clock.time("bands", result.bands)
        clock.time("DOS", result.dos)
        clock.time("projected DOS", result.dos, True)
        clock.time("thermal", result.thermal)
        clock.time("writing, figures", result.save, folder / name)
        runs.append(steps | clock.seconds)
    return {step: median(run[step] for run in runs) for step in runs[0]}


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def profile_table(profiles: dict[str, dict[str, float]]) -> str:
    steps = list(next(iter(profiles.values())))
    rows = []
    for name, seconds in profiles.items():
        total = sum(seconds.values())
        rest = 100 * (1 - seconds["potential"] / total)
        cells = [f"{seconds[step]:.2f}" for step in steps]
        rows.append([name, *cells, f"{total:.2f}", f"{rest:.0f} %"])
    return markdown_table(["crystal", *steps, "total", "not the potential"], rows)


def aim_line(profiles: dict[str, dict[str, float]]) -> str:
    """Say whether the aim was reached: at most a tenth of the time is not the potential's."""
    shares = [1 - seconds["potential"] / sum(seconds.values()) for seconds in profiles.values()]
    said = "reached" if max(shares) <= AIM else "missed"
    return (
        f"Aim: at most {100 * AIM:.0f} % not the potential's: {said} with this potential"
        f" ({100 * min(shares):.0f} to {100 * max(shares):.0f} %)."
    )


def machine() -> str:
    """Name the processor and what is free of it."""
    import platform

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0].partition(":")[2].strip() if names else model
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return f"{model}, {os.cpu_count()} cores, load {load:.1f} before the start"


def report(
    arguments: argparse.Namespace,
    where: str,
    comparisons: list[Comparison],
    profiles: dict[str, dict[str, float]],
) -> str:
    from importlib.metadata import PackageNotFoundError, version

    from mlphonon.phonons import DOS_POINTS

    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} (not installed)")
    head = ["crystal", "atoms", "displacements", "mlphonon (s)", "matcalc (s)"]
    first = markdown_table(
        [*head, "matcalc / mlphonon", "frequencies differ by (THz)"],
        [comparison.row() for comparison in comparisons],
    )
    parts = [
        "# Speed",
        f"{time.strftime('%Y-%m-%d')}; {where}; {arguments.threads} threads for torch, BLAS and"
        f" phonopy alike; Python {sys.version.split()[0]}, {', '.join(found)}."
        f" Potential: {arguments.potential}, {arguments.dtype}, {arguments.device}."
        f" Medians of {arguments.repeats}, seconds. Made by"
        f" `python benchmarks/speed.py {' '.join(sys.argv[1:])}`.".replace(" `.", "`."),
        "## From the same relaxed crystal to bands, DOS and thermal properties",
        first,
        "mlphonon also evaluates the primitive cell at rest, to say what force was left in it, and"
        f" takes its density of states at {DOS_POINTS} frequencies (phonopy's default: 201).",
        "## What the whole path takes, relaxation and all files included",
        profile_table(profiles),
        aim_line(profiles),
        "Import and loading of the potential are not in these numbers.",
    ]
    return "\n\n".join(parts) + "\n"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--crystals", nargs="+", choices=CRYSTALS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--potential", default="embedded")
    parser.add_argument("--dtype", default="float64")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--min-length", type=float, default=15.0)
    parser.add_argument("--quick", action="store_true", help="NaCl alone, small and once")
    parser.add_argument("--output", type=Path, help="write the tables to this file as well")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.min_length, arguments.repeats = 6.0, 1
    arguments.crystals = arguments.crystals or (["NaCl"] if arguments.quick else list(CRYSTALS))
    return arguments


def main() -> None:
    arguments = parse_arguments()
    where = machine()
    # Read when the libraries are loaded, so before the first of them is.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[variable] = str(arguments.threads)
    try:
        import matcalc  # noqa: F401
    except ImportError:
        sys.exit("speed.py needs matcalc beside mlphonon: pip install matcalc==0.7.0")
    import torch
    from threadpoolctl import threadpool_limits

    from mlphonon import PhononSettings, load_potential

    torch.set_num_threads(arguments.threads)
    settings = PhononSettings(min_length=arguments.min_length, allow_unconverged=True)
    potential = load_potential(arguments.potential, device=arguments.device, dtype=arguments.dtype)
    comparisons, profiles = [], {}
    with threadpool_limits(arguments.threads), tempfile.TemporaryDirectory() as folder:
        for name in arguments.crystals:
            print(f"{name} ...", file=sys.stderr, flush=True)
            work = Path(folder)
            comparisons.append(compare(name, potential, settings, arguments.repeats, work))
            profiles[name] = profile(name, potential, settings, arguments.repeats, work)
    text = report(arguments, where, comparisons, profiles)
    print(text)
    if arguments.output is not None:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
