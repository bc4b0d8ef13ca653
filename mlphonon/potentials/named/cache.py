"""Where downloaded weights and made environments are kept on this machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from mlphonon.errors import PotentialError

CACHE_VARIABLE = "MLPHONON_CACHE"
"""Environment variable: the folder to keep them in instead of the user's cache."""

OFFLINE_VARIABLE = "MLPHONON_OFFLINE"
"""Environment variable: if set (and not "0"), nothing is ever downloaded."""


def cache_folder() -> Path:
    """Return the folder that everything is kept in; it need not exist."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given).expanduser()
    import pooch

    return Path(pooch.os_cache("mlphonon"))


def is_offline() -> bool:
    """Whether the user forbids downloads."""
    return os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Make the folder of `path` and hold a lock, so that one process at a time makes `path`.

    Raises
    ------
    PotentialError
        If the folder cannot be written.
    """
    from filelock import FileLock

    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PotentialError(
            f"cannot write into {path.parent}",
            reason,
            f"set {CACHE_VARIABLE} to a folder that can be written",
        ) from error
    try:
        yield
    finally:
        lock.release()
