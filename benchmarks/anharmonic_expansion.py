"""Thermal expansion beside DFT, experiment and a potential's own molecular dynamics.

    python benchmarks/anharmonic_expansion.py QHA_EXAMPLES --output PAGE

QHA_EXAMPLES holds phonopy's Al-QHA and Cu-QHA: energies and thermal properties by DFT at several
volumes, which phonopy's own program evaluates. The second table knows nothing of experiment: three
ways to the volume at a temperature by one potential, of which (classical) molecular dynamics leaves
nothing out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from tables import conditions, markdown_table, write_page

from mlphonon import (
    PhononSettings,
    compute_phonons_at_temperature,
    compute_thermal_expansion,
    load_potential,
)

CRYSTALS = {
    "Al": bulk("Al", a=4.05),
    "Cu": bulk("Cu", a=3.61),
    "Si": bulk("Si"),
    "MgO": bulk("MgO", "rocksalt", a=4.21),
    "NaCl": bulk("NaCl", "rocksalt", a=5.64),
}
EXPERIMENT = {"Al": 69.3, "Cu": 49.5, "Si": 7.8, "MgO": 31.2, "NaCl": 118.5}
"""Volume expansion at room temperature, 1e-6/K: three times the linear coefficients 23.1, 16.5,
2.6, 10.4 and 39.5 of handbooks (CRC; Touloukian, Thermophysical Properties of Matter 12, 13)."""

SETTINGS = PhononSettings(mesh=40)


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("examples", type=Path)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    text = [
        conditions("phonopy", "ase", "torch"),
        "## Beside DFT and experiment\n\nVolume expansion (1e-6/K), bulk modulus (GPa) and volume"
        " (A^3 per primitive cell) at 300 K.",
        beside_experiment(asked.examples, ["Cu"] if asked.quick else list(CRYSTALS)),
        "## Beside the potential's own molecular dynamics\n\nRelative change of the volume (%) from"
        " the minimum of the potential to a temperature, at zero pressure; classical atoms but for"
        " the quasi-harmonic ones. Dynamics (Langevin, at the volume that sscha gives) leaves a"
        " mean pressure, which over the bulk modulus is what that volume is wrong by.",
        beside_dynamics(asked.quick),
    ]
    write_page("\n\n".join(text), Path(__file__).name, asked.output)


def beside_experiment(examples: Path, names: list[str]) -> str:
    """Return the first table."""
    rows = []
    for name in names:
        for potential, label in (("embedded", "embedded"), (EMT(), "EMT")):
            if label == "EMT" and name not in ("Al", "Cu"):
                continue
            begun = time.perf_counter()
            found = compute_thermal_expansion(
                CRYSTALS[name], potential, phonons=SETTINGS, temperatures="0:600:10"
            ).at(300)
            took = time.perf_counter() - begun
            values = [found[key] for key in ("expansion_1e-6_per_K", "bulk_modulus_GPa")]
            rows.append([name, label, *shown(values), f"{found['volume_A3']:.3f}", f"{took:.0f}"])
            print(rows[-1], file=sys.stderr, flush=True)
        if name in ("Al", "Cu"):
            expansion, modulus, volume = by_program(examples / f"{name}-QHA", 4)
            label = "DFT, phonopy-qha"
            rows.append([name, label, *shown([expansion, modulus]), f"{volume:.3f}", ""])
        rows.append([name, "experiment", f"{EXPERIMENT[name]:.1f}", "", "", ""])
    return markdown_table(["crystal", "by", "expansion", "B", "V", "s"], rows)


def shown(values: list[float]) -> list[str]:
    """Format numbers."""
    return [f"{value:.1f}" for value in values]


def by_program(folder: Path, n_cells: int) -> tuple[float, float, float]:
    """Return expansion, bulk modulus and volume at 300 K by phonopy-qha, per primitive cell."""
    files = sorted(folder.glob("thermal_properties.yaml-*"), key=lambda p: int(p.name[24:]))
    with tempfile.TemporaryDirectory() as part:
        program = Path(sys.executable).with_name("phonopy-qha")
        command = [str(program), str(folder / "e-v.dat"), *map(str, files), "--tmax", "600"]
        subprocess.run(command, cwd=part, capture_output=True, check=True)

        def at_300(name: str) -> float:
            table = np.loadtxt(Path(part) / name)
            return float(np.interp(300, table[:, 0], table[:, 1]))

        return (
            1e6 * at_300("thermal_expansion.dat"),
            at_300("bulk_modulus-temperature.dat"),
            at_300("volume-temperature.dat") / n_cells,
        )


@dataclass(frozen=True)
class Motion:
    """Molecular dynamics of a crystal: whose forces, how many cubic cells, fs, and steps."""

    name: str
    potential: Any
    cubic: Atoms
    cells: int
    temperatures: tuple[float, ...]
    step: float
    steps: int


def beside_dynamics(quick: bool) -> str:
    """Return the second table."""
    cases = [Motion("Cu", EMT(), bulk("Cu", cubic=True), 3, (300.0, 900.0), 5.0, 20_000)]
    if not quick:
        salt, single = bulk("NaCl", "rocksalt", a=5.64, cubic=True), load_single()
        cases.append(Motion("NaCl", single, salt, 2, (300.0,), 4.0, 15_000))
    rows = []
    for case in cases:
        crystal = CRYSTALS[case.name]
        source = case.potential if isinstance(case.potential, EMT) else "embedded"
        expansion = compute_thermal_expansion(
            crystal, source, phonons=SETTINGS, temperatures="0:1000:10"
        )
        for temperature in case.temperatures:
            rest, found = self_consistent(crystal, source, temperature)
            quasi = expansion.at(temperature)
            pressure, error = dynamics(case, found, temperature, 500 if quick else case.steps)
            modulus = quasi["bulk_modulus_GPa"]
            moved = found * (1 + pressure / modulus)
            rows.append(
                [
                    f"{case.name}, {'EMT' if source is case.potential else source}",
                    f"{temperature:g} K",
                    f"{100 * (quasi['volume_A3'] / rest - 1):.2f}",
                    f"{100 * (found / rest - 1):.2f}",
                    f"{pressure:+.3f} +- {error:.3f}",
                    f"{100 * (moved / rest - 1):.2f} +- {100 * error / modulus:.2f}",
                ]
            )
            print(rows[-1], file=sys.stderr, flush=True)
    head = ["potential", "at", "quasi-harmonic", "sscha", "pressure there, GPa", "dynamics"]
    return markdown_table(head, rows)


def load_single() -> Any:
    """Return the embedded potential in single precision, which is enough for dynamics."""
    return load_potential("embedded", dtype="float32").calculator()


def self_consistent(atoms: Atoms, potential: Any, temperature: float) -> tuple[float, float]:
    """Return the volume at rest and at a temperature, A^3 per primitive cell."""
    result = compute_phonons_at_temperature(
        atoms,
        potential,
        temperature=temperature,
        statistics="classical",
        pressure=0,
        phonons=PhononSettings(mesh=40, min_length=10),
        stress_tolerance=0.02,
    )
    return result.harmonic.atoms.get_volume(), result.phonons.atoms.get_volume()


def dynamics(case: Motion, volume: float, temperature: float, steps: int) -> tuple[float, float]:
    """Return the mean pressure at a volume and its standard error (ten blocks), GPa."""
    atoms = case.cubic.repeat(case.cells)
    wanted = volume * len(atoms) / len(CRYSTALS[case.name])
    atoms.set_cell(atoms.cell * (wanted / atoms.get_volume()) ** (1 / 3), scale_atoms=True)
    atoms.calc = case.potential
    rng = np.random.default_rng(1)
    thermalize_momenta(atoms, temperature_K=2 * temperature, rng=rng)
    Stationary(atoms)
    motion = Langevin(
        atoms,
        case.step * units.fs,
        temperature_K=temperature,
        friction=0.002 / units.fs,
        rng=rng,
        fixcm=False,
    )
    motion.run(steps // 10)
    pressures: list[float] = []

    def note() -> None:
        stress = atoms.get_stress(include_ideal_gas=True)
        pressures.append(-float(stress[:3].mean()) / units.GPa)

    motion.attach(note, interval=5)
    motion.run(steps - steps // 10)
    blocks = [float(np.mean(block)) for block in np.array_split(np.array(pressures), 10)]
    return float(np.mean(blocks)), float(np.std(blocks, ddof=1) / np.sqrt(10))


if __name__ == "__main__":
    main()
