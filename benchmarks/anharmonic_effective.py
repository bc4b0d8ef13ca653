"""Classical atoms: self-consistent phonons beside those fitted to molecular dynamics.

    python benchmarks/anharmonic_effective.py --output PAGE      # --quick to see it work

Rock salt by the embedded potential. Atoms in equilibrium obey <F u> = -kT, so what least squares
makes of molecular dynamics is kT over the covariance of displacements: the static response, in
which third-order terms have their part. Its counterpart among self-consistent phonons is the
curvature of the free energy, not the springs of the Gaussian; to first order in the temperature
the two are the same.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from tables import conditions, markdown_table, write_page

from mlphonon import PhononSettings, compute_phonons_at_temperature

NACL = Path(__file__).parents[1] / "examples" / "NaCl.cif"
POINTS = {"TO at Gamma": ([0, 0, 0], 5), "TA at X": ([0.5, 0, 0.5], 0), "LO at L": ([0.5] * 3, 5)}
"""Of waves that fit into 64 atoms, and bands."""


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    few: dict[str, Any] = {"snapshots": 16, "tolerance": 1.0} if asked.quick else {}
    rows = []
    for temperature in (100.0,) if asked.quick else (100.0, 300.0):
        for method in ("sscha", "effective"):
            begun = time.perf_counter()
            found = compute_phonons_at_temperature(
                NACL,
                "embedded",
                temperature=temperature,
                method=method,
                phonons=PhononSettings(min_length=11, mesh=40),
                statistics="classical",
                **few | ({"hessian": True} if method == "sscha" else {}),
            )
            took, how = time.perf_counter() - begun, found.renormalisation
            if method == "sscha":
                rows.append([f"{temperature:g} K", "harmonic", "", "", *modes(found.harmonic), ""])
            springs = "sscha, springs" if method == "sscha" else "effective"
            rows.append(
                [
                    f"{temperature:g} K",
                    springs,
                    str(how.n_snapshots),
                    f"{how.mean_frequency_error_THz:.3f}",
                    *modes(found.phonons),
                    f"{took:.0f}",
                ]
            )
            if found.curvature is not None:
                curved = modes(found.curvature)
                rows.append([f"{temperature:g} K", "sscha, curvature", "", "", *curved, ""])
            print(*rows[-2:], sep="\n", file=sys.stderr, flush=True)
    text = [
        conditions("phonopy", "torch")
        + " THz; errors are standard errors of the sampling, root mean square over the waves that"
        " fit.",
        markdown_table(["at", "phonons", "supercells", "error", *POINTS, "s"], rows),
    ]
    write_page("\n\n".join(text), Path(__file__).name, asked.output)


def modes(phonons: Any) -> list[str]:
    """Return the frequencies of `POINTS`."""
    found = [np.sort(np.ravel(phonons.frequencies(q)))[band] for q, band in POINTS.values()]
    return [f"{value:.3f}" for value in found]


if __name__ == "__main__":
    main()
