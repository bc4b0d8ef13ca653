"""A folder that appears whole or not at all, and takes the place of an earlier result alone."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from mlphonon.errors import ResultError


def write_folder(folder: Path, marker: str, write: Callable[[Path], None]) -> Path:
    """Have a folder written under a hidden name, then give it its own.

    Parameters
    ----------
    folder : Path
        Where the result belongs; an earlier result there is replaced.
    marker : str
        Name of the file by which a result of this kind is known.
    write : callable
        Writes all files into the folder that it is given.

    Raises
    ------
    ResultError
        If something else is there, or it cannot be written.
    """
    _refuse_foreign(folder, marker)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        write(part)
        part.chmod(0o777 & ~_umask())
        _replace(part, folder)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def check_writable(folder: Path) -> None:
    """Raise `ResultError` before the work, not after it, if nothing can be written there."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise ResultError(
            f"cannot write the results to {folder}",
            f"{nearest} {'may not be written' if nearest.is_dir() else 'is not a folder'}",
            "choose another folder with -o",
        )


def _refuse_foreign(folder: Path, marker: str) -> None:
    """Raise `ResultError` if `folder` holds anything but an earlier result."""
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / marker).exists())
    ):
        raise ResultError(
            f"{folder} is there already and is not an earlier result",
            fix="give another output folder, or move it away",
        )


def _replace(part: Path, folder: Path) -> None:
    """Put `part` in the place of `folder`; an older result is moved aside first."""
    if folder.exists():
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
        os.replace(folder, aside / "old")
        try:
            os.replace(part, folder)
        except OSError:
            os.replace(aside / "old", folder)
            raise
        finally:
            shutil.rmtree(aside)
    else:
        os.replace(part, folder)


def _cannot_write(folder: Path, error: OSError) -> ResultError:
    return ResultError(
        f"cannot write the result to {folder}",
        error.strerror or str(error),
        "free some space or choose another folder with -o",
    )


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
