"""Limits of one crystal in a worker: seconds and memory. Who passes them is ended."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlphonon.screening.workers.outcome import Failure

PAUSE = 0.25
"""Seconds between two looks."""


@contextmanager
def watched(
    seconds: float | None, gigabytes: float | None, last_act: Callable[[Failure], None]
) -> Iterator[None]:
    """End this process if what is done inside takes too long or too much memory.

    Nothing else ends arithmetic that is under way in a library. What called the process starts
    another.

    Parameters
    ----------
    seconds, gigabytes : float, optional
        Limits; the memory is that of the whole process and its children.
    last_act : callable
        Is told the reason before the end.
    """
    if seconds is None and gigabytes is None:
        yield
        return
    over = threading.Event()

    def look() -> None:
        begun = time.monotonic()
        while not over.wait(PAUSE):
            reason = _excess(time.monotonic() - begun, seconds, gigabytes)
            if reason is not None and not over.is_set():
                last_act(reason)
                os._exit(1)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _excess(spent: float, seconds: float | None, gigabytes: float | None) -> Failure | None:
    if seconds is not None and spent > seconds:
        return Failure(cause="timeout", message=f"not done after {seconds:g} s")
    if gigabytes is not None and (taken := _memory()) > gigabytes:
        return Failure(cause="memory", message=f"took {taken:.1f} GB of {gigabytes:g} GB")
    return None


def _memory() -> float:
    """Return the memory of this process and its children, GB."""
    import psutil

    here = psutil.Process()
    total = here.memory_info().rss
    for child in here.children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e9
