"""The program: its commands, and how errors reach the user."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mlphonon.cli import phonons, potentials, train
from mlphonon.errors import MlphononError

app = typer.Typer(
    name="mlphonon",
    help="Phonons of crystals from machine-learning potentials.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("phonons")(phonons.phonons)
app.add_typer(potentials.app)
app.command("train")(train.train_command)


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
    """Run the command line; a user's mistake ends in one line and exit code 2."""
    try:
        app()
    except MlphononError as error:
        print(f"mlphonon: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("mlphonon: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away (as `head` does); nothing is wrong.
        sys.stderr.close()
        sys.exit(1)
