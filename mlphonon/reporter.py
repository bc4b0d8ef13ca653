"""Who is told what is being done and how much is left, and the time that each step took."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol


class Reporter(Protocol):
    """Told what is being done; the command line shows it as progress bars."""

    def say(self, text: str | Callable[[], str]) -> None:
        """Take note of a line, such as how much work lies ahead.

        A callable makes the line, if anybody is to read it: that may take time.
        """
        ...

    def step(self, what: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        """Enter a step of `total` pieces; the callable is told how many more are done."""
        ...


class Silent:
    """A reporter that shows nothing."""

    def say(self, text: str | Callable[[], str]) -> None:
        """Do nothing."""

    def step(self, what: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        """Return a counter that does nothing."""
        return nullcontext(lambda _done: None)


@dataclass
class Stopwatch:
    """Seconds spent in each step."""

    seconds: dict[str, float]
    last: float

    @classmethod
    def start(cls) -> Stopwatch:
        """Begin to measure."""
        return cls({}, time.perf_counter())

    def lap(self, name: str) -> None:
        """Book the time since the last lap under `name`."""
        now = time.perf_counter()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + now - self.last, 4)
        self.last = now


class LabelledReporter:
    """A reporter that names whose work each line and step is about.

    Parameters
    ----------
    reporter : Reporter
        Is told everything.
    label : str
        Stands in brackets behind every text, e.g. a potential's name.
    """

    def __init__(self, reporter: Reporter, label: str) -> None:
        self._reporter, self._label = reporter, label

    def say(self, text: str | Callable[[], str]) -> None:
        """Pass a line on."""
        self._reporter.say(lambda: f"{text if isinstance(text, str) else text()} ({self._label})")

    def step(self, what: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        """Enter a step of the other reporter."""
        return self._reporter.step(f"{what} ({self._label})", total)
