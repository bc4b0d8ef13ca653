"""Files and folders that appear complete or not at all.

Everything is written under a hidden name in the same folder first. The name is random and the file
new, so that nobody can have laid a link there that leads to another file; it also says which
process writes, so that what a killed one left is swept by the next.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from mlphonon.errors import ResultError

ABANDONED_AFTER = 24 * 3600.0
"""s; a writer on another machine cannot be asked whether it lives, but none takes this long."""

ASIDE = "old-"
"""In the hidden name of an older result until the new one has its place."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write text (UTF-8) or bytes into a hidden file beside `path`, then give it that name.

    Raises
    ------
    OSError
        If it cannot be written; what was at `path` is still there then.
    """
    with atomic_file(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give an empty hidden file beside `path`, which takes its name when the block ends.

    If the block raises, the hidden file is gone and `path` as it was.

    Raises
    ------
    OSError
        If it cannot be written; it names `path`, not the hidden file.
    """
    if not path.name or path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    sweep(path)
    part = _hidden(path)
    try:
        # O_EXCL neither follows a link nor takes a file that is there.
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield part
        part.replace(path)
    except OSError as error:
        if error.filename in (None, str(part)):
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise
    finally:
        with suppress(OSError):
            part.unlink()


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
    folder = folder.resolve() if folder.is_symlink() else folder
    part = _hidden(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        part.mkdir()
        write(part)
        _replace(part, folder)
    except OSError as error:
        raise ResultError(
            f"cannot write the result to {folder}",
            error.strerror or str(error),
            "free some space or choose another folder with -o",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def check_writable(folder: Path) -> None:
    """Raise `ResultError` before the work, not after it, if nothing can be written there."""
    _refuse_working_folder(folder)
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise ResultError(
            f"cannot write the results to {folder}",
            f"{nearest} {'may not be written' if nearest.is_dir() else 'is not a folder'}",
            "choose another folder with -o",
        )


def sweep(path: Path) -> None:
    """Remove the hidden files and folders beside `path` whose writers died before they ended.

    Only those of this user that bear the names which this module gives for `path`. An older
    result that was moved aside stays as long as nothing has taken its place.
    """
    aside = f"({ASIDE})?" if path.exists() else ""
    name = re.compile(
        re.escape(f".{path.name}-") + aside + r"(?P<place>[0-9a-f]{8})-(?P<process>\d+)-\w{16}"
    )
    with suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            parts = name.fullmatch(entry.name)
            if parts and _is_abandoned(entry, parts["place"], int(parts["process"])):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    with suppress(OSError):
                        os.unlink(entry.path)


def _is_abandoned(entry: os.DirEntry[str], place: str, process: int) -> bool:
    import psutil

    with suppress(OSError):
        status = entry.stat(follow_symlinks=False)
        if hasattr(os, "getuid") and status.st_uid != os.getuid():
            return False
        dead = place == _place() and not psutil.pid_exists(process)
        return dead or time.time() - status.st_mtime > ABANDONED_AFTER
    return False


def _hidden(path: Path, kind: str = "") -> Path:
    """Return a name beside `path` that nobody can guess."""
    return path.with_name(f".{path.name}-{kind}{_place()}-{os.getpid()}-{secrets.token_hex(8)}")


@cache
def _place() -> str:
    """Where a process number means the same: eight digits for the machine, or the container."""
    place = socket.gethostname()
    with suppress(OSError):
        place += os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(place.encode()).hexdigest()[:8]


def _refuse_foreign(folder: Path, marker: str) -> None:
    """Raise `ResultError` if `folder` holds anything but an earlier result."""
    _refuse_working_folder(folder)
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / marker).exists())
    ):
        raise ResultError(
            f"{folder} is there already and is not an earlier result",
            fix="give another output folder, or move it away",
        )


def _refuse_working_folder(folder: Path) -> None:
    """Raise `ResultError` if `folder` is the working folder, which cannot be replaced."""
    if not folder.name or folder.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise ResultError(
            f"cannot write the results to '{folder}'",
            "it is the working folder or holds it",
            "name a folder of their own with -o",
        )


def _replace(part: Path, folder: Path) -> None:
    """Put `part` in the place of `folder`; an older result is moved aside first."""
    if not folder.exists():
        os.replace(part, folder)
        return
    aside = _hidden(folder, ASIDE)
    os.replace(folder, aside)
    try:
        os.replace(part, folder)
    except OSError:
        os.replace(aside, folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)
