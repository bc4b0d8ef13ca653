"""What weighting samples anew, and drawing them in pairs of opposites, saves: NaCl at 300 K.

    python benchmarks/anharmonic_sscha.py

Three ways to self-consistent phonons with the embedded potential: as mlphonon does it; with every
population used once (as phonopy's MLPSSCHA does); and with displacements drawn one by one.
"""

from __future__ import annotations

import time
from pathlib import Path
from unittest import mock

import numpy as np

from mlphonon import Phonons, compute_phonons, load_potential
from mlphonon.anharmonic.sscha.compute import self_consistent_phonons
from mlphonon.anharmonic.sscha.gaussian import Gaussian
from mlphonon.anharmonic.sscha.settings import SschaSettings
from mlphonon.potentials.potential import Potential

NACL = Path(__file__).parents[1] / "examples" / "NaCl.cif"


def draw_singly(self: Gaussian, number: int, seed: int) -> np.ndarray:
    """Draw displacements without their opposites."""
    from phonopy.phonon.random_displacements import RandomDisplacements

    phonopy = self.reference.phonopy
    random = RandomDisplacements(phonopy.supercell, phonopy.primitive, self.force_constants)
    random.run(self.ensemble.temperature, number, random_seed=seed)
    if random.u is None:
        raise RuntimeError("phonopy drew no displacements")
    return np.asarray(random.u + self.centre)


def one_way(what: str, start: Phonons, potential: Potential, settings: SschaSettings) -> None:
    """Compute, and print a row for each population."""
    begun = time.perf_counter()
    result = self_consistent_phonons(start, potential, 300, settings)
    for number, step in enumerate(result.history.steps):
        error = "-" if step.error_THz is None else f"{step.error_THz:.4f}"
        evaluated = settings.snapshots * (number + 1)
        print(f"| {what} | {evaluated} | {step.n_effective:.0f} | {error} |")
    known, at = result.history.commensurate, 2
    seen = ", ".join(f"{x:.3f}" for x in known.frequencies[at])
    print(f"{what}: {time.perf_counter() - begun:.0f} s; X: {seen}")


def main() -> None:
    """Compare the three."""
    potential = load_potential("embedded")
    start = compute_phonons(NACL, potential, min_length=10)
    print("| way | evaluations | worth | error (THz) |")
    print("| --- | ---: | ---: | ---: |")
    usual = SschaSettings(tolerance=0.001, max_populations=4)
    one_way("weighted, pairs", start, potential, usual)
    once = SschaSettings(tolerance=0.0101, reweight=False, snapshots=300)
    one_way("used once, pairs", start, potential, once)
    with mock.patch.object(Gaussian, "draw", draw_singly):
        one_way("weighted, single", start, potential, usual)


if __name__ == "__main__":
    main()
