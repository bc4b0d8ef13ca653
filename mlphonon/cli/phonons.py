"""``mlphonon phonons``: crystals in files -> a folder of results for each."""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlphonon.cli.chatter import prints_dropped

if TYPE_CHECKING:
    from mlphonon.cli.progress import TerminalReporter
    from mlphonon.crystal.crystal import Crystal
    from mlphonon.errors import MlphononError
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.phonons.record import Record
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
        list[str] | None,
        typer.Option(
            help="Name ('mlphonon potentials list'), file or folder, or python:ENV:MODULE:FACTORY"
            " \\[embedded]. Again: another, and how far they disagree."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    head: Annotated[str | None, typer.Option(help="Head of a multi-head model.")] = None,
    dispersion: Annotated[
        str | None, typer.Option(help="d3: add DFT-D3, or d3:FUNCTIONAL.")
    ] = None,
    supercell: Annotated[
        str | None, typer.Option(help="\\[auto], converged, '2 2 2' or nine integers.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Of a converged supercell, THz [0.05].")
    ] = None,
    min_length: Annotated[
        float | None, typer.Option(help="Least height of the automatic supercell, A [15].")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="\\[auto]: the cheapest; displacements, autodiff or regression."),
    ] = None,
    row_dtype: Annotated[
        str | None,
        typer.Option(help="Of autodiff: \\[own], float32 (checked in float64) or float64."),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Of displacements: \\[field], as with DFT, or small: one way and tiny."),
    ] = None,
    displacement: Annotated[
        float | None, typer.Option(help="Length of the field's displacements, A [0.01].")
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
    metal: Annotated[
        bool, typer.Option("--metal", help="Its electrons screen what splits LO and TO modes.")
    ] = False,
    no_relax: Annotated[
        bool, typer.Option("--no-relax", help="Take the crystal as it is given.")
    ] = False,
    allow_nonconservative: Annotated[
        bool,
        typer.Option(
            "--allow-nonconservative", help="Take forces that are the slope of no energy."
        ),
    ] = False,
    trust: Annotated[
        str | None,
        typer.Option(help="What the verdict looks at: \\[default], or full, for twice the time."),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="YAML file of settings; options here override it.")
    ] = None,
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Load a pickled model that nothing vouches for.")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say what imaginary modes are, and follow the real ones."),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 1 if a verdict is 'do not use'.")
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
        "tolerance": tolerance,
        "min_length": min_length,
        "method": method,
        "row_dtype": row_dtype,
        "protocol": protocol,
        "displacement": displacement,
        "mesh": mesh,
        "temperatures": temperatures,
        "symprec": symprec,
        "relax": False if no_relax else None,
        "metal": True if metal else None,
        "trust": trust,
        "allow_nonconservative": True if allow_nonconservative else None,
    }
    changes = {} if settings is None else read_settings(settings)
    changes |= {name: value for name, value in given.items() if value is not None}
    _Run(
        settings=make_settings(**changes),
        output=output,
        born=born,
        as_json=as_json,
        quiet=quiet,
        strict=strict,
        explain=explain,
    ).over(
        files,
        {"device": device, "dtype": dtype, "allow_pickle": allow_pickle, "head": head},
        potential or ["embedded"],
        dispersion,
    )


@dataclass
class _Run:
    """One call of the command: same settings and potential for every crystal."""

    settings: PhononSettings
    output: Path
    born: Path | None
    as_json: bool
    quiet: bool
    strict: bool
    explain: bool
    refused: bool = False
    """Whether a verdict was "do not use", and that matters."""

    @cached_property
    def reporter(self) -> TerminalReporter:
        """Shows progress, unless nobody wants to see it."""
        from mlphonon.cli.progress import TerminalReporter

        return TerminalReporter(quiet=self.quiet or self.as_json)

    def over(
        self,
        files: list[Path],
        options: dict[str, Any],
        potentials: list[str],
        dispersion: str | None,
    ) -> None:
        """Compute every crystal; one that fails is said and does not stop the others."""
        from mlphonon.errors import MlphononError
        from mlphonon.potentials.dispersion import with_dispersion
        from mlphonon.potentials.loading import load_potential
        from mlphonon.potentials.several import load_each

        def load(name: str) -> Any:
            engine = load_potential(name, **options)
            return engine if dispersion is None else with_dispersion(engine, dispersion)

        self._check_paths()
        crystals, failed = self._read(files)
        if crystals:
            with self.reporter.step("loading the potential", None), prints_dropped():
                engines = list(load_each(potentials, load))
        for crystal in crystals:
            try:
                self._one(crystal, engines)
            except MlphononError as error:
                failed += 1
                _complain(crystal.name, error)
        if failed:
            raise typer.Exit(2)
        if self.refused:
            raise typer.Exit(1)

    def _check_paths(self) -> None:
        """Find out before the work, not after it, that a file is missing or none can be written."""
        from mlphonon.errors import CrystalError
        from mlphonon.io.atomic_files import check_writable

        if self.born is not None and not self.born.is_file():
            raise CrystalError(f"there is no file {self.born}", fix="give --born a BORN file")
        check_writable(self.output)

    def _read(self, files: list[Path]) -> tuple[list[Crystal], int]:
        """Read all crystals before any work; names that clash get a number."""
        from dataclasses import replace

        from mlphonon.crystal.crystal import read_crystals
        from mlphonon.errors import MlphononError

        crystals: list[Crystal] = []
        failed = 0
        taken: set[str] = set()
        for file in files:
            try:
                found = read_crystals(file, self.settings.symprec)
            except MlphononError as error:
                failed += 1
                _complain(str(file), error)
                continue
            for crystal in found:
                name = _free_name(crystal.name, taken)
                taken.add(name)
                crystals.append(replace(crystal, name=name))
        return crystals, failed

    def _one(self, crystal: Crystal, engines: list[Any]) -> None:
        from mlphonon.workflow import compute_phonons

        with prints_dropped():
            result = compute_phonons(
                crystal, engines, self.settings, born=self.born, reporter=self.reporter
            )
            if self.explain:
                result = result.explain(engines[0], self.reporter)
            with self.reporter.step(f"writing {crystal.name}", None):
                folder = result.save(self.output / crystal.name)
        self.refused |= self.strict and result.trust.verdict == "do not use"
        if self.as_json:
            print(json.dumps(result.summary()), flush=True)
        elif not self.quiet:
            for line in describe(result, folder):
                print(line, flush=True)


def _complain(about: str, error: MlphononError) -> None:
    """Say on stderr what is wrong, and with which crystal or file."""
    text = str(error)
    named = f" {about}" in f" {text}"
    print(f"mlphonon: {text if named else f'{about}: {text}'}", file=sys.stderr, flush=True)


def _free_name(name: str, taken: set[str]) -> str:
    """Return `name`, or with a number if it is taken (on some disks a and A are one name)."""
    used = {other.casefold() for other in taken}
    numbered = (name if i == 1 else f"{name}_{i}" for i in itertools.count(1))
    return next(free for free in numbered if free.casefold() not in used)


def _name_of(potential: dict[str, Any]) -> str:
    """Name a potential, with what a reader must know of it."""
    remarks = [] if potential.get("tested", True) else ["untested"]
    if potential.get("conservative") is False:
        remarks.append("not conservative")
    if potential.get("dtype") == "float32":
        remarks.append("float32")
    return str(potential["name"]) + (f" ({', '.join(remarks)})" if remarks else "")


def _describe_method(record: Record) -> str:
    """Say how force constants were made, and how far off that is, where it was measured."""
    number, raw = record.n_displacements, record.raw_force_constants
    several = "" if number == 1 else "s"
    kinds = {
        "autodiff": f"{number} row{several} of second derivatives in {record.method_dtype}",
        "regression": f"regression over {number} random displacement{several}",
        "displacements": f"{number} displacement{several} of {record.displacement_A or 0:g} A"
        f" in {record.method_dtype}",
        "sscha": f"self-consistent, {number} displaced supercells",
        "effective": f"fitted to {number} snapshots of molecular dynamics",
    }
    errors = {
        "one-sided": raw.nonlinearity,
        "against float64": raw.rounding,
        "on unseen forces": raw.held_out,
    }
    said = "".join(f", {what} {x:.0e}" for what, x in errors.items() if x is not None)
    return f"{kinds[record.method]}{said} ({record.method_reason})"


def describe(result: Phonons, folder: Path) -> list[str]:
    """Return what is printed of one result."""
    from mlphonon.force_constants.supercell_series import describe_series

    summary, record = result.summary(), result.record
    thermal = summary["thermal_300K"]
    relaxed = (
        f"relaxed in {record.relaxation_steps} steps (volume {100 * record.volume_change:+.2f} %)"
        if record.relaxed
        else "not relaxed"
    )
    if not record.relaxation_converged:
        relaxed += ", NOT CONVERGED"
    grown = describe_series(record.supercell_series)
    committee = [] if result.committee is None else result.committee.describe()
    return [
        f"{record.name}: {record.formula}, {record.spacegroup}, {relaxed},"
        f" {record.n_atoms_supercell}-atom supercell, potential {_name_of(record.potential)}",
        *([f"  supercell grown: {grown}"] if grown else []),
        f"  {result.stability.describe()}",
        f"  highest mode {summary['max_frequency_THz']:.2f} THz; at 300 K per mole of atoms:"
        f" C_V {thermal['C_V_J_per_K_mol_atoms']:.2f} J/K, S {thermal['S_J_per_K_mol_atoms']:.2f}"
        f" J/K, F {thermal['F_kJ_per_mol_atoms']:.2f} kJ",
        f"  force constants: {_describe_method(record)}",
        f"  before symmetrisation: undisplaced force"
        f" {record.raw_force_constants.undisplaced_force:.1e} eV/A, sum-rule drift"
        f" {record.raw_force_constants.drift:.1e} eV/A^2",
        *(f"  {line}" for line in committee),
        f"  -> {folder}/",
        *(f"  {line}" for line in (result.explanation.describe() if result.explanation else [])),
        *(f"  ! {check.describe()}" for check in result.trust.fired),
        f"  {result.trust.describe()}",
    ]
