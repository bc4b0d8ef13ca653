"""Crystals enter the database in a thread, while those that are there are computed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from mlphonon.screening.crystals.intake import Intake, Progress

PATIENCE = 5.0
"""Seconds that the thread is waited for when the run is stopped."""


class _StopError(Exception):
    """The run has ended before all crystals were entered."""


class BackgroundIntake:
    """An intake that goes on while a run works.

    Parameters
    ----------
    take_in : callable
        Enters all crystals; is given what it is to tell its progress.
    cancel : callable
        Ends what it waits for.
    progress : callable
        Is told how many more candidates are dealt with.
    at_end : callable
        Is given the counts when all are entered.
    """

    def __init__(
        self,
        take_in: Callable[[Progress], Intake],
        cancel: Callable[[], None],
        progress: Progress,
        at_end: Callable[[Intake], None],
    ) -> None:
        self._take_in, self._cancel = take_in, cancel
        self._progress, self._at_end = progress, at_end
        self._error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def __enter__(self) -> BackgroundIntake:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, if it has not ended."""
        self._stop.set()
        self._cancel()
        self._thread.join(PATIENCE)

    def goes_on(self) -> bool:
        """Tell whether more crystals may come; raises what ended it before its time."""
        alive = self._thread.is_alive()
        if self._error is not None:
            raise self._error
        return alive

    def _run(self) -> None:
        try:
            self._at_end(self._take_in(self._advance))
        except _StopError:
            pass
        # Whatever it is, the run raises it.
        except BaseException as error:
            self._error = error

    def _advance(self, more: int) -> None:
        if self._stop.is_set():
            raise _StopError
        self._progress(more)
