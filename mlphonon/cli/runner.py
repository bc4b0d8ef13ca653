"""From crystals in files to folders of results: what all commands that compute do alike."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mlphonon.cli.chatter import prints_dropped

if TYPE_CHECKING:
    from mlphonon.cli.options import CommonOptions
    from mlphonon.cli.progress import TerminalReporter
    from mlphonon.crystal.crystal import Crystal
    from mlphonon.errors import MlphononError
    from mlphonon.io.result import Result
    from mlphonon.potentials.potential import Potential

Compute = Callable[..., "Iterable[tuple[str, Result]]"]
"""Of a crystal, potentials and keywords ``born`` and ``reporter``: results, each with what its
folder's name has after that of the crystal."""


@dataclass
class Runner:
    """One call of a command: the same potential and settings for every crystal.

    Attributes
    ----------
    options : CommonOptions
        As they were given.
    symprec : float
        With which files are read, A.
    resumable : str
        Name of the command if it goes on where it was ended: what the potential has answered is
        kept beside the result until that is there.
    """

    options: CommonOptions
    symprec: float
    resumable: str = ""

    @cached_property
    def reporter(self) -> TerminalReporter:
        """Shows progress, unless nobody wants to see it."""
        from mlphonon.cli.progress import TerminalReporter

        return TerminalReporter(quiet=self.options.quiet or self.options.as_json)

    def run(self, compute: Compute) -> list[Result]:
        """Compute, write and print every crystal; one that fails does not stop the others.

        Raises
        ------
        typer.Exit
            With code 2 if a crystal or a file failed.
        """
        from mlphonon.errors import MlphononError

        self._check_paths()
        crystals, failed = self._read()
        potentials = self._load() if crystals else []
        results: list[Result] = []
        for crystal in crystals:
            try:
                results += self._one(crystal, potentials, compute)
            except MlphononError as error:
                failed += 1
                _complain(crystal.name, error)
        if failed:
            raise typer.Exit(2)
        return results

    def _one(self, crystal: Crystal, potentials: list[Potential], compute: Compute) -> list[Result]:
        from mlphonon.potentials.cached_answers import cache_answers

        work = self.options.output / f".{crystal.name}-{self.resumable}.work"
        engines = [cache_answers(one, work) for one in potentials] if self.resumable else potentials
        made = iter(compute(crystal, engines, born=self.options.born, reporter=self.reporter))
        results: list[Result] = []
        while True:
            # One by one: what is known is on disk before more is computed.
            with prints_dropped():
                ending, result = next(made, ("", None))
                if result is None:
                    break
                folder = self.options.output / f"{crystal.name}{ending}"
                with self.reporter.step(f"writing {folder.name}", None):
                    result.save(folder)
            results.append(result)
            self._print(result, folder)
        shutil.rmtree(work, ignore_errors=True)
        return results

    def _print(self, result: Result, folder: Path) -> None:
        if self.options.as_json:
            print(json.dumps(result.summary()), flush=True)
        elif not self.options.quiet:
            # The verdict is the last line, where people look.
            head, *rest = result.describe()
            for line in (head, f"  -> {folder}/", *rest):
                print(line, flush=True)

    def _check_paths(self) -> None:
        """Find out before the work, not after it, that a file is missing or none can be written."""
        from mlphonon.errors import CrystalError
        from mlphonon.io.atomic_files import check_writable

        born = self.options.born
        if born is not None and not born.is_file():
            raise CrystalError(f"there is no file {born}", fix="give --born a BORN file")
        check_writable(self.options.output)

    def _load(self) -> list[Potential]:
        from mlphonon.potentials.dispersion import with_dispersion
        from mlphonon.potentials.loading import load_potential
        from mlphonon.potentials.several import load_each
        from mlphonon.workflow import DEFAULT_POTENTIAL

        options = self.options

        def load(name: str) -> Any:
            engine = load_potential(
                name,
                device=options.device,
                dtype=options.dtype,
                allow_pickle=options.allow_pickle,
                head=options.head,
            )
            if options.dispersion is None:
                return engine
            return with_dispersion(engine, options.dispersion)

        with self.reporter.step("loading the potential", None), prints_dropped():
            return list(load_each(options.potential or [DEFAULT_POTENTIAL], load))

    def _read(self) -> tuple[list[Crystal], int]:
        """Read all crystals before any work; names that clash get a number."""
        from mlphonon.crystal.crystal import read_crystals
        from mlphonon.errors import MlphononError

        crystals: list[Crystal] = []
        failed = 0
        taken: set[str] = set()
        for file in self.options.files:
            try:
                found = read_crystals(file, self.symprec)
            except MlphononError as error:
                failed += 1
                _complain(str(file), error)
                continue
            for crystal in found:
                name = _free_name(crystal.name, taken)
                taken.add(name)
                crystals.append(replace(crystal, name=name))
        return crystals, failed


def one_potential(potentials: list[Potential]) -> Any:
    """Return the potential if there is one, or all, which the call refuses or makes a committee."""
    return potentials[0] if len(potentials) == 1 else potentials


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
