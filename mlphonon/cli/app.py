"""The program: its commands, and how errors reach the user."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from mlphonon.cli import (
    benchmark,
    dataset,
    finetune,
    gruneisen,
    phonons,
    phonons_at_temperature,
    potentials,
    screen,
    thermal_conductivity,
    thermal_expansion,
    train,
)
from mlphonon.cli.chatter import libraries_hushed
from mlphonon.cli.options import renamed
from mlphonon.errors import MlphononError

app = typer.Typer(
    name="mlphonon",
    help="Phonons of crystals from machine-learning potentials.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("phonons")(phonons.phonons)
app.command("gruneisen")(gruneisen.gruneisen)
app.command("thermal-expansion")(thermal_expansion.thermal_expansion)
app.command("thermal-conductivity")(thermal_conductivity.thermal_conductivity)
app.command("phonons-at-temperature")(phonons_at_temperature.phonons_at_temperature)
app.add_typer(potentials.app)
app.add_typer(benchmark.app)
app.add_typer(dataset.app)
app.add_typer(screen.app)
app.command("train")(train.train_command)
app.command("finetune")(finetune.finetune_command)


# What commands were called before: hidden, and gone in the next version but one.
for _old, _new, _command in (
    ("qha", "thermal-expansion", thermal_expansion.thermal_expansion),
    ("conductivity", "thermal-conductivity", thermal_conductivity.thermal_conductivity),
    ("anharmonic", "phonons-at-temperature", phonons_at_temperature.phonons_at_temperature),
):
    app.command(_old, hidden=True)(renamed(_command, _old, _new))


def _print_version(asked: bool) -> None:
    if asked:
        from mlphonon import __version__

        typer.echo(f"mlphonon {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; what the user can mend ends in one line and exit code 2.

    Interrupts (exit code 130) and readers that go away (1) are typer's to handle.
    """
    try:
        with libraries_hushed():
            app()
    except SystemExit:
        _flush()
        raise
    except MlphononError as error:
        _fail(str(error))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        _fail(f"{error.strerror or error}{where}")


def _flush() -> None:
    """Write out what is left for stdout while a full disk can still be told in one line."""
    try:
        if sys.stdout is not None:  # as it is where the shell closed it
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        _fail(f"cannot write to stdout; {error.strerror or error}")


def _fail(message: str) -> NoReturn:
    print(f"mlphonon: {message}", file=sys.stderr)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _drop_output()
    sys.exit(2)


def _drop_output() -> None:
    """Send stdout nowhere: Python would try once more when it ends, with a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
