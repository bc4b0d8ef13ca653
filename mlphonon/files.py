"""Files that are whole or not there."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write text under a hidden name beside `path`, then give it its own.

    Raises
    ------
    OSError
        If it cannot be written; what was at `path` is still there then.
    """
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
