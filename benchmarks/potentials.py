"""The named potentials side by side: speed, noise of forces, phonons against DFT.

    python benchmarks/potentials.py NAME... --data DIR [--output FILE] [--figures DIR]

Each is loaded as a user would load it, in one process here, in an environment of its own where
it needs one. DIR holds NaCl and Si with phonopy_disp.yaml and FORCE_SETS or vasprun.xml, as in
phonopy's own examples (https://github.com/phonopy/phonopy/tree/develop/example).

- call: median wall time of the forces of 64 atoms of rock salt, each displaced anew.
- noise: largest difference of forces (eV/A) between a displaced crystal and itself translated,
  rotated, permuted, or asked again; at rest: largest force of a crystal on its sites.
- drift: sum-rule drift of the raw force constants of NaCl (eV/A^2).
- phonons: mean error along the path (THz), slope of frequencies against DFT, relaxed volume;
  both sides in the supercell of the DFT, without the non-analytical term.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import time
from pathlib import Path
from statistics import median

import numpy as np
from ase.build import bulk
from embedded_against_dft import Comparison, compare

from mlphonon import load_potential
from mlphonon.potentials.fitness import measure_fitness
from mlphonon.potentials.potential import Potential
from mlphonon.report.figures import plot_bands_dos, save_figure

PRECISIONS = ("float64", "float32")
CRYSTALS = ("NaCl", "Si")


def seconds_per_call(potential: Potential, repeats: int = 7) -> float:
    rest = bulk("NaCl", "rocksalt", a=5.69, cubic=True) * (2, 2, 2)
    seconds = []
    for seed in range(repeats + 1):
        atoms = rest.copy()
        atoms.rattle(0.01, seed=seed)
        begun = time.perf_counter()
        potential.evaluate([atoms])
        seconds.append(time.perf_counter() - begun)
    return median(seconds[1:])


def force_at_rest(potential: Potential) -> float:
    rest = bulk("NaCl", "rocksalt", a=5.69, cubic=True) * (2, 2, 2)
    # Off the corner, so that no symmetry of the grid of numbers hides what rounding does.
    rest.positions += [0.31, 0.17, 0.23]
    return float(np.abs(potential.evaluate([rest])[0].forces).max())


def phonon_cells(found: Comparison) -> str:
    error, slope, volume = found.error, found.slope, found.volume_change
    return f"{error:.2f} | {slope:.3f} | {100 * volume:+.1f} %"


def measure(name: str, data: Path, figures: Path | None) -> list[str]:
    """Return the lines of one potential, one for each precision it has."""
    lines = []
    for dtype in PRECISIONS:
        potential = load_potential(name, device="cpu", dtype=dtype)
        if potential.info.dtype != dtype:
            continue
        call, rest = seconds_per_call(potential), force_at_rest(potential)
        noise = measure_fitness(potential).noise
        found = {crystal: compare(crystal, data / crystal, potential) for crystal in CRYSTALS}
        drift = found["NaCl"].phonons.record.raw_force_constants.drift
        cells = " | ".join(phonon_cells(found[crystal]) for crystal in CRYSTALS)
        lines.append(
            f"| {name} | {dtype} | {call:.3f} | {rest:.0e} | {noise:.0e} | {drift:.0e} | {cells} |"
        )
        print(lines[-1], flush=True)
        if figures is not None and dtype == "float64":
            for crystal, comparison in found.items():
                title = f"{crystal}, {name}"
                bands = comparison.phonons.bands()
                figure = plot_bands_dos(bands, title=title, reference=comparison.reference)
                figures.mkdir(parents=True, exist_ok=True)
                save_figure(figure, figures / f"{crystal}_{name}.png")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--figures", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    lines = [
        "| potential | precision | call (s) | at rest | noise | drift |"
        " NaCl: error | slope | volume | Si: error | slope | volume |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for name in options.names:
        lines += measure(name, options.data, options.figures)
    if options.output:
        today = datetime.date.today().isoformat()
        machine = f"{platform.machine()}, Python {platform.python_version()}"
        options.output.write_text(
            f"# The named potentials side by side\n\n{__doc__.partition(chr(10))[2]}\n"
            + "\n".join(lines)
            + f"\n\n{today}, {machine}\n"
        )


if __name__ == "__main__":
    main()
