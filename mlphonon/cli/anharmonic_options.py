"""What the commands beyond the harmonic crystal share: options, and from a file to a folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from mlphonon.cli.chatter import prints_dropped

if TYPE_CHECKING:
    from mlphonon.crystal.crystal import Crystal
    from mlphonon.potentials.potential import Potential
    from mlphonon.settings import PhononSettings
    from mlphonon.workflow import Reporter

FileArgument = Annotated[
    Path, typer.Argument(help="A crystal: CIF, POSCAR, extxyz, whatever ASE reads.")
]
OutputOption = Annotated[
    Path, typer.Option("-o", "--output", help="Folder; the result gets one in it.")
]
PotentialOption = Annotated[
    str,
    typer.Option(
        help="Name ('mlphonon potentials list'), file or folder, or python:ENV:MODULE:FACTORY."
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
DtypeOption = Annotated[str, typer.Option(help="float64 or float32.")]
SupercellOption = Annotated[
    str | None, typer.Option(help="Of the harmonic phonons: \\[auto], converged, '2 2 2' or nine.")
]
SettingsOption = Annotated[
    Path | None, typer.Option(help="YAML file of settings of the harmonic phonons.")
]
PickleOption = Annotated[
    bool, typer.Option("--allow-pickle", help="Load a pickled model that nothing vouches for.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the summary as JSON, alone.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]


class Result(Protocol):
    """What a command ends with."""

    def summary(self) -> dict[str, Any]:
        """Return plain types, units in the names."""
        ...

    def describe(self) -> list[str]:
        """Return what is printed."""
        ...

    def save(self, folder: Path) -> Path:
        """Write all files; the folder appears whole or not at all."""
        ...


@dataclass(frozen=True)
class OneCrystal:
    """One call of a command: a file, a potential, and where the result goes.

    Attributes
    ----------
    file, output : Path
        Of the crystal; the folder in which the result gets one.
    potential : str
        As `load_potential` takes it.
    loading : mapping
        Its options.
    settings_file : Path, optional
        Settings of the harmonic phonons.
    changes : mapping
        Settings that were given as options; None means: not given.
    as_json, quiet : bool
        How much is printed.
    """

    file: Path
    output: Path
    potential: str
    loading: Mapping[str, Any]
    settings_file: Path | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    as_json: bool = False
    quiet: bool = False

    def run(
        self,
        kind: str,
        compute: Callable[[Crystal, Potential, PhononSettings, Reporter], Result],
    ) -> None:
        """Compute, write ``OUTPUT/NAME-KIND`` and print.

        What the potential has answered is kept in a hidden folder beside the result until
        that is there: the same command goes on where it was ended.
        """
        from mlphonon.cli.progress import TerminalReporter
        from mlphonon.crystal.crystal import read_crystal
        from mlphonon.io.atomic_files import check_writable
        from mlphonon.potentials.cached_answers import cache_answers
        from mlphonon.potentials.loading import load_potential
        from mlphonon.settings import make_settings, read_settings

        check_writable(self.output)
        given = {} if self.settings_file is None else read_settings(self.settings_file)
        given |= {name: value for name, value in self.changes.items() if value is not None}
        settings = make_settings(**given)
        crystal = read_crystal(self.file, settings.symprec)
        reporter = TerminalReporter(quiet=self.quiet or self.as_json)
        folder = self.output / f"{crystal.name}-{kind}"
        work = self.output / f".{folder.name}.work"
        with prints_dropped():
            with reporter.step("loading the potential", None):
                potential = cache_answers(load_potential(self.potential, **self.loading), work)
            result = compute(crystal, potential, settings, reporter)
            with reporter.step(f"writing {folder.name}", None):
                result.save(folder)
            shutil.rmtree(work, ignore_errors=True)
        if self.as_json:
            print(json.dumps(result.summary()), flush=True)
        elif not self.quiet:
            for line in [*result.describe(), f"  -> {folder}/"]:
                print(line, flush=True)
