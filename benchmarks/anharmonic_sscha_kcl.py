"""KCl at 300 K: self-consistent phonons of ours and of phonopy, with the same potential.

The potential is a polynomial one (pypolymlp), trained by phonopy, with its defaults, on the 120
supercells of DFT of phonopy's example KCl-SSCHA. The force constants that belong to that example
are compared as well. pypolymlp is not among mlphonon's packages: put it on PYTHONPATH.

    python benchmarks/anharmonic_sscha_kcl.py FOLDER_OF_KCl-SSCHA
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from mlphonon import compute_phonons
from mlphonon.anharmonic.sscha.compute import self_consistent_phonons
from mlphonon.anharmonic.sscha.reference import Reference
from mlphonon.anharmonic.sscha.settings import SschaSettings
from mlphonon.force_constants.cells import to_ase, to_phonopy
from mlphonon.potentials.potential import Evaluation, PotentialInfo, ProgressCallback

TEMPERATURE = 300.0
POINTS = {"Gamma": (0.0, 0.0, 0.0), "X": (0.5, 0.0, 0.5), "L": (0.5, 0.5, 0.5)}


class Polynomial:
    """phonopy's polynomial potential as one of ours; counts what it is asked."""

    def __init__(self, mlp: Any) -> None:
        self._mlp, self.evaluated = mlp, 0

    @property
    def info(self) -> PotentialInfo:
        """What the engine must know of it."""
        return PotentialInfo("pypolymlp", "phonopy", "float64", "cpu", conservative=True)

    def evaluate(
        self, structures: Sequence[Atoms], progress: ProgressCallback | None = None
    ) -> list[Evaluation]:
        """Evaluate energies and forces; it gives no stress here."""
        self.evaluated += len(structures)
        energies, forces, _ = self._mlp.evaluate([to_phonopy(one) for one in structures])
        nothing = np.full((3, 3), np.nan)
        return [Evaluation(float(e), f, nothing) for e, f in zip(energies, forces, strict=True)]

    def calculator(self) -> Any:
        """Return an ASE calculator."""
        from mlphonon.potentials.calculator import as_calculator

        return as_calculator(self)


def load(folder: Path, name: str) -> Any:
    """Read one of the example's files."""
    import phonopy

    return phonopy.load(folder / f"{name}.yaml.xz", produce_fc=False, is_nac=False, log_level=0)


def row(reference: Reference, force_constants: np.ndarray) -> str:
    """Frequencies at the points, THz, without those that are zero or repeat."""
    reference.phonopy.force_constants = force_constants
    found = reference.phonopy.run_qpoints(list(POINTS.values())).frequencies
    kinds = [found[0][3], *found[1][[0, 2, 3, 5]], *found[2][[0, 2, 3, 5]]]
    return " | ".join(f"{x:.3f}" for x in kinds)


def main(folder: Path) -> None:
    """Train, compute, compare."""
    from phonopy.interface.mlp import PhonopyMLP
    from phonopy.sscha.core import MLPSSCHA

    data = load(folder, "phonopy_mlpsscha_params_KCl-120")
    begun = time.perf_counter()
    mlp = PhonopyMLP()
    mlp.develop(data.dataset, data.supercell)
    print(f"trained in {time.perf_counter() - begun:.0f} s")
    potential = Polynomial(mlp)
    crystal = to_ase(data.unitcell)
    harmonic = compute_phonons(
        crystal, potential, relax=False, supercell="2 2 2", displacement=0.03
    )
    begun = time.perf_counter()
    before = potential.evaluated
    ours = self_consistent_phonons(harmonic, potential, TEMPERATURE, SschaSettings())
    spent = time.perf_counter() - begun
    print(f"ours: {potential.evaluated - before} evaluations, {spent:.0f} s")
    reference = Reference.of(harmonic.atoms, harmonic.phonopy.supercell_matrix, 1e-5, 0.0)
    print("      | G TO | X 1 | X 2 | X 3 | X 4 | L 1 | L 2 | L 3 | L 4")
    print("harmonic |", row(reference, harmonic.phonopy.force_constants))
    print("ours |", row(reference, ours.phonons.phonopy.force_constants))
    how = ours.phonons.record.renormalisation
    print(how)
    ph = harmonic.phonopy.replicate()
    ph.force_constants = harmonic.phonopy.force_constants
    begun = time.perf_counter()
    theirs = MLPSSCHA(ph, mlp, temperature=TEMPERATURE, max_iterations=10, random_seed=1)
    for number in theirs:
        print(f"phonopy {number} |", row(reference, theirs.force_constants))
    print(
        f"phonopy: {10 * theirs.number_of_snapshots} evaluations,",
        f"{time.perf_counter() - begun:.0f} s, F {theirs.free_energy:.5f}"
        f" +- {theirs.free_energy_error:.5f} eV from rest",
    )
    last = ours.history.steps[-1]
    print(f"ours: F {last.free_energy_eV:.5f} +- {last.free_energy_error_eV:.5f} eV from rest")
    for name in ("phonopy_fc222_JPCM2022", "phonopy_sscha_fc_JPCM2022"):
        ph = load(folder, name)
        found = ph.run_qpoints(list(POINTS.values())).frequencies
        kinds = [found[0][3], *found[1][[0, 2, 3, 5]], *found[2][[0, 2, 3, 5]]]
        print(name, "|", " | ".join(f"{x:.3f}" for x in kinds))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
