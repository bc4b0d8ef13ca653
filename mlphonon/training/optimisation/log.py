"""The course of a training run: a table in a file, and lines where there is no terminal."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path
from typing import Any

from mlphonon.errors import TrainingError
from mlphonon.io.atomic_files import write_whole


def write_log(path: Path, row: dict[str, Any]) -> None:
    """Append `row` to the CSV log; rows of a course that was given up for a checkpoint go.

    Rows need not have the same columns: errors are measured once an epoch only.

    Raises
    ------
    TrainingError
        If something else is there.
    """
    rows: list[dict[str, Any]] = []
    if path.exists():
        with path.open(newline="", errors="replace") as file:
            rows = list(csv.DictReader(file))
        if any(None in old or not str(old.get("step")).isdigit() for old in rows):
            raise TrainingError(
                f"{path} is not the log of a training run", fix="give another output folder"
            )
    rows = [*(old for old in rows if int(old["step"]) < row["step"]), row]
    columns = list(dict.fromkeys(name for each in rows for name in each))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue())


class Interval:
    """Tells when so many seconds have gone by since it last did."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._last = seconds, time.monotonic()

    def due(self) -> bool:
        """Whether it is time again; begins anew if it is."""
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


def time_left(seconds: float) -> str:
    """Return a duration in words: ``"3 h 20 min"``."""
    minutes = max(1, round(seconds / 60))
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
