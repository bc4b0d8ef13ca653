"""``mlphonon phonons``: crystals in files -> a folder of results for each."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mlphonon.crystal import Crystal
    from mlphonon.phonons import Phonons
    from mlphonon.settings import PhononSettings

FilesArgument = Annotated[
    list[Path], typer.Argument(help="Crystals: CIF, POSCAR, extxyz, whatever ASE reads.")
]


def phonons(
    files: FilesArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder; each crystal gets one in it.")
    ] = Path("out"),
    potential: Annotated[
        str, typer.Option(help="Name ('mlphonon potentials list'), file or folder of weights.")
    ] = "embedded",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    head: Annotated[str | None, typer.Option(help="Head of a multi-head model.")] = None,
    supercell: Annotated[
        str | None, typer.Option(help="auto, '2 2 2' or nine integers, of the cell as given.")
    ] = None,
    min_length: Annotated[
        float | None, typer.Option(help="Least height of the automatic supercell, A [15].")
    ] = None,
    displacement: Annotated[
        float | None, typer.Option(help="Length of the displacements, A [0.01].")
    ] = None,
    mesh: Annotated[
        float | None, typer.Option(help="Length that sets the q mesh, A [100].")
    ] = None,
    temperatures: Annotated[
        str | None, typer.Option(help="first:last:step in K [0:1000:10].")
    ] = None,
    symprec: Annotated[
        float | None, typer.Option(help="Tolerance of the symmetry search, A [1e-5].")
    ] = None,
    born: Annotated[
        Path | None, typer.Option(help="BORN file for the non-analytical term.")
    ] = None,
    no_relax: Annotated[
        bool, typer.Option("--no-relax", help="Take the crystal as it is given.")
    ] = False,
    settings: Annotated[
        Path | None, typer.Option(help="YAML file of settings; options here override it.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Load a pickled model that nothing vouches for.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summaries, one JSON line each, alone.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Compute phonons: relax, displace, solve; write dispersion, DOS, thermal properties."""
    from mlphonon.settings import make_settings, read_settings

    given = {
        "supercell": supercell,
        "min_length": min_length,
        "displacement": displacement,
        "mesh": mesh,
        "temperatures": temperatures,
        "symprec": symprec,
        "relax": False if no_relax else None,
    }
    changes = {} if settings is None else read_settings(settings)
    changes |= {name: value for name, value in given.items() if value is not None}
    _Run(
        settings=make_settings(**changes),
        output=output,
        born=born,
        as_json=as_json,
        quiet=quiet,
    ).over(files, {"device": device, "dtype": dtype, "trust": trust, "head": head}, potential)


class _Run:
    """One call of the command: same settings and potential for every crystal."""

    def __init__(
        self,
        settings: PhononSettings,
        output: Path,
        born: Path | None,
        as_json: bool,
        quiet: bool,
    ) -> None:
        from mlphonon.cli.progress import TerminalReporter

        self._settings, self._output, self._born = settings, output, born
        self._as_json, self._quiet = as_json, quiet
        self._reporter = TerminalReporter(quiet=quiet or as_json)

    def over(self, files: list[Path], options: dict[str, Any], potential: str) -> None:
        """Compute every crystal; one that fails is said and does not stop the others."""
        from mlphonon.errors import MlphononError
        from mlphonon.potentials.loading import load_potential

        crystals, failed = self._read(files)
        if crystals:
            with self._reporter.step("loading the potential", None):
                engine = load_potential(potential, **options)
        for crystal in crystals:
            try:
                self._one(crystal, engine)
            except MlphononError as error:
                failed += 1
                print(f"mlphonon: {crystal.name}: {error}", file=sys.stderr, flush=True)
        if failed:
            raise typer.Exit(2)

    def _read(self, files: list[Path]) -> tuple[list[Crystal], int]:
        """Read all crystals before any work; names that clash get a number."""
        from dataclasses import replace

        from mlphonon.crystal import read_crystals
        from mlphonon.errors import MlphononError

        crystals: list[Crystal] = []
        failed = 0
        names: dict[str, int] = {}
        for file in files:
            try:
                found = read_crystals(file, self._settings.symprec)
            except MlphononError as error:
                failed += 1
                print(f"mlphonon: {error}", file=sys.stderr, flush=True)
                continue
            for crystal in found:
                names[crystal.name] = names.get(crystal.name, 0) + 1
                count = names[crystal.name]
                name = crystal.name if count == 1 else f"{crystal.name}_{count}"
                crystals.append(replace(crystal, name=name))
        return crystals, failed

    def _one(self, crystal: Crystal, engine: Any) -> None:
        from mlphonon.workflow import compute_phonons

        result = compute_phonons(
            crystal, engine, self._settings, born=self._born, reporter=self._reporter
        )
        with self._reporter.step(f"writing {crystal.name}", None):
            folder = result.save(self._output / crystal.name)
        if self._as_json:
            print(json.dumps(result.summary()), flush=True)
        elif not self._quiet:
            for line in describe(result, folder):
                print(line, flush=True)


def describe(result: Phonons, folder: Path) -> list[str]:
    """Return what is printed of one result."""
    summary, record = result.summary(), result.record
    thermal = summary["thermal_300K"]
    relaxed = (
        f"relaxed in {record.relaxation_steps} steps"
        f" (volume {100 * record.volume_change:+.2f} %)"
        if record.relaxed
        else "not relaxed"
    )
    if not record.relaxation_converged:
        relaxed += ", NOT CONVERGED"
    return [
        f"{record.name}: {record.formula}, {record.spacegroup}, {relaxed},"
        f" {record.n_atoms_supercell}-atom supercell, potential {record.potential['name']}",
        f"  {result.stability.describe()}",
        f"  highest mode {summary['max_frequency_THz']:.2f} THz; at 300 K per mole of atoms:"
        f" C_V {thermal['C_V_J_per_K_mol_atoms']:.2f} J/K, S {thermal['S_J_per_K_mol_atoms']:.2f}"
        f" J/K, F {thermal['F_kJ_per_mol_atoms']:.2f} kJ",
        f"  undisplaced force {record.raw_force_constants.undisplaced_force:.1e} eV/A,"
        f" sum-rule drift {record.raw_force_constants.drift:.1e} eV/A^2 (before symmetrisation)",
        f"  -> {folder}/",
    ]
