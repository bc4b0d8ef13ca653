"""``mlphonon potentials``: which potentials there are, which are here, bring one, check them."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlphonon.cli.chatter import prints_dropped
from mlphonon.cli.options import DtypeOption, HeadOption
from mlphonon.potentials.named.catalogue import (
    CatalogueEntry,
    family_of,
    find_entry,
    read_catalogue,
)
from mlphonon.potentials.named.environments import environment_folder, packages, state_of
from mlphonon.potentials.named.store import locate, path_of, pull, store_folder
from mlphonon.potentials.named.verification import BAD, FileStatus
from mlphonon.potentials.named.verification import verify as verify_store

if TYPE_CHECKING:
    from ase import Atoms

app = typer.Typer(
    name="potentials",
    help="Name the potentials, bring them to this machine, check them.",
    no_args_is_help=True,
)

COLUMNS = (
    "name",
    "family",
    "training set",
    "functional",
    "licence",
    "parameters",
    "tested",
    "where",
)

STATUS_TEXT: dict[FileStatus, str] = {
    "ok": "ok: the file the catalogue knows",
    "recorded": "ok: the file that was trusted when it was pulled",
    "changed": "BAD: not the file it was; delete it and pull it again",
    "unvouched": "BAD: nothing vouches for it; pull it with --allow-pickle if you do",
    "unknown": "none of the catalogue's; load it by its path",
    "unreadable": "BAD: cannot be read",
}

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
NameArgument = Annotated[str, typer.Argument(help="Name or alias in the catalogue.")]


@app.command("list")
def list_potentials(as_json: JsonFlag = False) -> None:
    """List the named potentials and say which are on this machine."""
    entries = list(read_catalogue().values())
    if as_json:
        typer.echo(json.dumps([_as_record(entry) for entry in entries], indent=1))
        return
    rows = [_as_row(entry) for entry in entries]
    if not sys.stdout.isatty():
        for row in (COLUMNS, *rows):
            typer.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    from mlphonon.system.terminal import plain

    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*map(plain, row))
    Console().print(table)


@app.command()
def info(name: NameArgument, as_json: JsonFlag = False) -> None:
    """Say all that the catalogue knows of one potential."""
    record = _as_record(find_entry(name))
    if as_json:
        typer.echo(json.dumps(record, indent=1))
        return
    for key, value in record.items():
        if value not in (None, "", [], {}):
            if isinstance(value, dict):
                value = [f"{part} {number}" for part, number in value.items()]
            text = ", ".join(value) if isinstance(value, list) else str(value)
            typer.echo(f"{key.replace('_', ' ')}: {text}")


@app.command("pull")
def pull_potential(
    name: NameArgument,
    allow_pickle: Annotated[
        bool,
        typer.Option(
            "--allow-pickle",
            help="Accept a file whose SHA-256 the catalogue does not know. Loading it runs"
            " whatever code it holds.",
        ),
    ] = False,
) -> None:
    """Download a potential, or check one that was brought by hand; print where it lies."""
    typer.echo(pull(find_entry(name), allow_pickle=allow_pickle))


@app.command("install")
def install_potential(
    name: NameArgument,
    weights: Annotated[
        Path | None, typer.Option(help="Its weights, if they are on this machine already.")
    ] = None,
    allow_pickle: Annotated[
        bool,
        typer.Option(
            "--allow-pickle",
            help="Accept weights whose SHA-256 the catalogue does not know, or that"
            " its package fetches by itself. Loading them runs whatever code they hold.",
        ),
    ] = False,
    anew: Annotated[
        bool, typer.Option("--anew", help="Make its environment again, even if it is there.")
    ] = False,
    device: Annotated[str, typer.Option(help="Device of the self-test: auto, cpu, cuda.")] = "auto",
) -> None:
    """Make a potential ready: its environment, its weights, and a self-test.

    A family of potentials that does not go together with mace gets a Python environment of its
    own, in the user's cache, once.
    """
    from mlphonon.cli.progress import TerminalReporter
    from mlphonon.potentials.fitness import FORCE_SLOPE, PRESSURE, measure_fitness
    from mlphonon.potentials.loading import load_potential
    from mlphonon.potentials.named.installation import install_potential as install

    entry = find_entry(name)
    reporter = TerminalReporter(quiet=False)
    with reporter.step(f"installing {entry.name}", None):
        install(entry.name, weights=weights, allow_pickle=allow_pickle, anew=anew, say=reporter.say)
    with reporter.step(f"testing {entry.name}", None), prints_dropped():
        report = measure_fitness(
            load_potential(entry.name, device=device, allow_pickle=allow_pickle)
        )
    typer.echo(f"{entry.name}: ready; {report.verdict}")
    wrong = {check.name for check in report.checks if not check.passed}
    if wrong & {FORCE_SLOPE, PRESSURE}:
        raise typer.Exit(2)


@app.command()
def verify() -> None:
    """Check every potential on this machine; exit with 2 if one is not what it was."""
    found = verify_store()
    for name, status in found:
        typer.echo(f"{name}\t{STATUS_TEXT[status]}")
    if not found:
        typer.echo(f"no downloaded potential in {store_folder()}")
    if any(status in BAD for _, status in found):
        raise typer.Exit(2)


@app.command()
def check(
    potential: Annotated[
        str, typer.Argument(help="Name, file, or python:ENVIRONMENT:MODULE:FACTORY?ARGUMENTS.")
    ],
    crystal: Annotated[
        Path | None,
        typer.Option(help="Structure of elements that it knows; rock salt otherwise."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    dtype: DtypeOption = "float64",
    head: HeadOption = None,
    allow_pickle: Annotated[
        bool,
        typer.Option("--allow-pickle", help="Load a pickled model; it runs any code it holds."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Measure here whether a potential's forces are good enough for phonons.

    Exits with 2 if they are not.
    """
    from mlphonon.potentials.fitness import measure_fitness
    from mlphonon.potentials.loading import load_potential

    with prints_dropped():
        engine = load_potential(
            potential, device=device, dtype=dtype, allow_pickle=allow_pickle, head=head
        )
        atoms = None if crystal is None else _only_structure(crystal)
        report = measure_fitness(engine, atoms)
    if as_json:
        record = asdict(report) | {"passed": report.passed, "verdict": report.verdict}
        typer.echo(json.dumps(record, indent=1))
    else:
        for line in report.checks:
            mark = "ok " if line.passed else "BAD"
            typer.echo(
                f"{mark}  {line.name}: {line.value:.1e} {line.unit}"
                f" (limit {line.limit:g}; {line.meaning})"
            )
        typer.echo(f"{report.potential} on {report.structure}: {report.verdict}")
    if not report.passed:
        raise typer.Exit(2)


def _only_structure(path: Path) -> Atoms:
    """Read the one crystal in a file, 8 A high at least, so that no atom meets its own image."""
    from mlphonon.crystal.crystal import read_crystal
    from mlphonon.crystal.supercell import perpendicular_heights
    from mlphonon.settings import PhononSettings

    atoms = read_crystal(path, PhononSettings().symprec).atoms
    return atoms.repeat([ceil(8.0 / height) for height in perpendicular_heights(atoms.cell.array)])


def _as_record(entry: CatalogueEntry) -> dict[str, Any]:
    family = family_of(entry)
    record = entry.model_dump(mode="json") | {
        "here": locate(entry) is not None,
        "path": str(path_of(entry)),
        "packages": list(packages(family)),
        "environment": None if family.in_process else state_of(family),
    }
    if not family.in_process:
        record["environment_folder"] = str(environment_folder(family))
    return record


def _where(entry: CatalogueEntry) -> str:
    """Say what is still to be done before a potential can be used."""
    missing = []
    family = family_of(entry)
    if not family.in_process and state_of(family) != "made":
        missing.append("environment to make")
    if locate(entry) is None:
        if entry.source == "inside":
            missing.append("missing")
        elif entry.source == "download":
            size = "" if entry.size_bytes is None else f" {entry.size_bytes / 1e6:.0f} MB"
            missing.append(f"to pull{size}")
        elif entry.source == "package":
            missing.append(f"weights by {family.name}")
    return ", ".join(missing) or "here"


def _as_row(entry: CatalogueEntry) -> tuple[str, ...]:
    return (
        entry.name,
        entry.family,
        entry.training_set,
        entry.functional,
        entry.licence,
        "" if entry.parameters is None else f"{entry.parameters / 1e6:.1f} M",
        "" if entry.tested else "untested",
        _where(entry),
    )
