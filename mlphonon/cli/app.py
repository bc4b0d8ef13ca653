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
from mlphonon.cli.crash_report import write_report
from mlphonon.cli.options import renamed
from mlphonon.errors import LONGEST_PART, MlphononError, shortened
from mlphonon.system.terminal import streams_escaped

FAULT = 70
"""Exit code of a fault of ours, as in sysexits.h."""

LONGEST_LINE = 3 * LONGEST_PART
"""Characters of an error, whoever raised it."""

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

    Interrupts (exit code 130) and readers that go away (1) are typer's to handle. What is left are
    faults of ours: one line, which names a file with the traceback, and exit code 70.
    """
    with streams_escaped():
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
        except MemoryError:
            _fail("there is not enough memory; take a smaller supercell or mesh")
        except Exception as error:
            _fail(_describe_fault(error), FAULT)


def _describe_fault(error: Exception) -> str:
    what = f"a fault in mlphonon; {type(error).__name__}: {shortened(' '.join(str(error).split()))}"
    try:
        path = write_report(error)
    except OSError as failure:
        return f"{what}; no report could be written: {failure.strerror or failure}"
    return f"{what}; please send {path} to its developers"


def _flush() -> None:
    """Write out what is left for stdout while a full disk can still be told in one line."""
    try:
        if sys.stdout is not None:  # as it is where the shell closed it
            sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        _fail(f"cannot write to stdout; {error.strerror or error}")


def _fail(message: str, code: int = 2) -> NoReturn:
    print(f"mlphonon: {shortened(message, LONGEST_LINE)}", file=sys.stderr)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _drop_output()
    sys.exit(code)


def _drop_output() -> None:
    """Send stdout nowhere: Python would try once more when it ends, with a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
