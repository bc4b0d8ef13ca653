"""SHA-256 of the files that a result is read back from: they are those that were written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from mlphonon.errors import ResultError


def digests_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of files, by their paths from `folder`."""
    return {name: _digest(folder / name) for name in names}


def check_digests(folder: Path, digests: Mapping[str, str]) -> None:
    """Raise `ResultError` unless these files are there, and are what they were.

    Parameters
    ----------
    folder : Path
        Of the result.
    digests : mapping of str to str
        SHA-256 by path from `folder`; nothing outside of it is looked at.
    """
    for name, expected in digests.items():
        path = folder / name
        inside = not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
        if not inside or not path.is_file():
            raise ResultError(f"{folder} is not whole", f"there is no file {name}")
        if _digest(path) != expected:
            raise ResultError(
                f"{folder} is not what was written",
                f"{name} is another file than the one whose SHA-256 is recorded",
                "compute it again, or bring the whole folder from where it was made",
            )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
