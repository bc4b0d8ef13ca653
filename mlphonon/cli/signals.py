"""Signals that end a command."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_TERMINATED = 128 + signal.SIGTERM


@contextmanager
def terminated_gently() -> Iterator[None]:
    """Have SIGTERM end the command as an interrupt does: what is held is given back first."""

    def end(_number: int, _frame: FrameType | None) -> None:
        # A second one, while things are given back, ends it at once.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.exit(EXIT_TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
