"""Progress on a terminal: what is being done and how much is left; quiet anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlphonon.system.terminal import printable


class TerminalReporter:
    """A `mlphonon.reporter.Reporter` that writes to stderr.

    Parameters
    ----------
    quiet : bool
        Say nothing at all. Bars are drawn only if stderr is a terminal.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet

    def say(self, text: str | Callable[[], str]) -> None:
        """Print a line to stderr."""
        if not self._quiet:
            line = text if isinstance(text, str) else text()
            # Escaped here already: beside a bar it goes through rich.
            print(printable(line), file=sys.stderr, flush=True)

    @contextmanager
    def step(self, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Draw a bar for a step of `total` pieces, or a spinner with a count if it is unknown."""
        if self._quiet or not sys.stderr.isatty():
            yield lambda _done: None
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False)]
        if total is not None:
            columns += [BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
        bars = Progress(
            *columns,
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            # Stdout is the results' alone: rich would bring what is printed here to the bars.
            redirect_stdout=False,
        )
        with bars:
            task = bars.add_task(printable(what), total=total)
            done = 0

            def advance(more: int) -> None:
                nonlocal done
                done += more
                text = what if total is not None else f"{what}: step {done}"
                bars.update(task, advance=more, description=printable(text))

            yield advance
