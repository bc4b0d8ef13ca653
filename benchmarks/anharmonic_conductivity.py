"""Heat conductivity of DFT's own forces: ours beside phono3py's program on the same files.

    pip download phono3py==4.8.2 --no-binary phono3py --no-deps    # unpack it: EXAMPLES
    python benchmarks/anharmonic_conductivity.py EXAMPLES --output PAGE

Both sides get the same options. What potentials do wrong is out of it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import phono3py
from tables import conditions, markdown_table, write_page

from mlphonon.anharmonic.conductivity.settings import ThermalConductivitySettings
from mlphonon.anharmonic.conductivity.transport import conduct

FLAGS = ("--exclude-gamma-acoustic", "--symmetrize-tetrahedra", "--average-degenerate-weights")
"""What mlphonon asks of phono3py."""

OPTIONS = {
    "rta": ("--br",),
    "lbte": ("--lbte",),
    "wigner": ("--br", "--tt", "SMM19"),
}


@dataclass(frozen=True)
class ForceSet:
    """One of phono3py's examples: its folder, main file, solver, meshes, and what it says."""

    folder: str
    file: str
    solver: str
    meshes: tuple[tuple[int, int, int], ...]
    said: str


SETS = (
    ForceSet(
        "Si-PBEsol",
        "phono3py_disp.yaml",
        "traditional",
        ((11, 11, 11), (19, 19, 19)),
        "109.1 at 11x11x11, 124.4 at 19x19x19 (RTA; README of the example); 156 measured"
        " (Glassbrenner and Slack, Phys. Rev. 134, A1058 (1964))",
    ),
    ForceSet(
        "NaCl-rd",
        "phono3py_params_NaCl.yaml.xz",
        "symfc",
        ((11, 11, 11), (15, 15, 15)),
        "about 8.3 at a mesh of length 50 A (RTA; README of the example)",
    ),
    ForceSet(
        "AlN-LDA",
        "phono3py_disp.yaml",
        "traditional",
        ((9, 9, 5),),
        "no number in its README",
    ),
)


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("examples", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--quick", action="store_true", help="one small mesh, to see it work")
    asked = parser.parse_args()
    rows = []
    for one in SETS[:1] if asked.quick else SETS:
        with tempfile.TemporaryDirectory() as part:
            work = Path(part) / one.folder
            shutil.copytree(asked.examples / one.folder, work)
            for packed in work.glob("FORCES_FC3.xz"):
                subprocess.run(["xz", "-dk", str(packed)], check=True)
            rows += compare(one, work, ((5, 5, 5),) if asked.quick else one.meshes)
    text = [
        conditions("phonopy", "phono3py", "symfc", "numpy"),
        "kappa in W/m/K at 300 K, xx and zz; the program is `phono3py-load` with"
        f" `{' '.join(FLAGS)}`. Seconds of the program hold the force constants, ours do not.",
        markdown_table(
            ["forces", "mesh", "equation", "mlphonon", "phono3py-load", "apart", "s", "s"], rows
        ),
        "\n".join(f"- {one.folder}: {one.said}." for one in SETS),
    ]
    write_page("\n\n".join(text), Path(__file__).name, asked.output)


def compare(one: ForceSet, work: Path, meshes: tuple[tuple[int, int, int], ...]) -> list[list[str]]:
    """Return a row for each mesh and equation."""
    with chdir(work):
        forces = phono3py.load(one.file, fc_calculator=one.solver, log_level=0)
    rows = []
    for mesh in meshes:
        for equation, options in OPTIONS.items():
            begun = time.perf_counter()
            settings = ThermalConductivitySettings.make(mesh=mesh, transport=equation)
            ours = conduct(forces, settings).kappa[0]
            between = time.perf_counter()
            theirs = of_program(one, work, mesh, options)
            ended = time.perf_counter()
            mine = np.array([ours[0, 0], ours[2, 2]])
            apart = float(np.abs(mine / theirs - 1).max())
            print(one.folder, mesh, equation, mine, theirs, file=sys.stderr, flush=True)
            rows.append(
                [
                    one.folder,
                    "x".join(map(str, mesh)),
                    equation,
                    " ".join(f"{value:.3f}" for value in mine),
                    " ".join(f"{value:.3f}" for value in theirs),
                    f"{apart:.0e}",
                    f"{between - begun:.0f}",
                    f"{ended - between:.0f}",
                ]
            )
    return rows


def of_program(
    one: ForceSet, work: Path, mesh: tuple[int, int, int], options: tuple[str, ...]
) -> np.ndarray:
    """Return xx and zz of the program's kappa, W/m/K."""
    for old in work.glob("*.hdf5"):
        old.unlink()
    program = Path(sys.executable).with_name("phono3py-load")
    command = [str(program), one.file, "--mesh", *map(str, mesh), *options, "--ts", "300", *FLAGS]
    command += ["--fc-calculator", one.solver]
    subprocess.run(command, cwd=work, capture_output=True, check=True)
    (file,) = work.glob("kappa-m*.hdf5")
    with h5py.File(file) as found:
        name = "kappa" if "kappa" in found else "kappa_TOT_RTA"
        tensor = np.array(found[name]).reshape(-1, 6)[0]
    return tensor[[0, 2]]


if __name__ == "__main__":
    main()
