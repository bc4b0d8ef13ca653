"""Arrays in npz files, read without trust in who wrote them."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

MAX_BYTES = 2**32
"""Of all arrays of a file together, unpacked."""


class NpzError(ValueError):
    """A file that is damaged or holds anything but plain arrays; the message says why."""


def read_npz(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, np.ndarray]:
    """Read all arrays of a file; objects, which would be pickles, are refused.

    Parameters
    ----------
    path : Path
        The file; pipes and devices are refused.
    max_bytes : int
        Of all arrays together, unpacked: a few kB can be packed zeros for many GB.

    Returns
    -------
    dict of str to ndarray
        By their names.

    Raises
    ------
    NpzError
        If it is damaged, too large or no npz file.
    OSError
        If it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise NpzError("it is no regular file")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > max_bytes:
            raise NpzError(f"it unpacks to {size} bytes, and {max_bytes} are allowed")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (
        ArithmeticError,
        EOFError,
        LookupError,
        MemoryError,
        NotImplementedError,
        SyntaxError,
        TypeError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        if isinstance(error, NpzError):
            raise
        raise NpzError(str(error) or type(error).__name__) from error
