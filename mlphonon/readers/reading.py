"""Files that may be damaged: whatever is wrong with one is said in one line that names it."""

from __future__ import annotations

import contextlib
import gzip
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from mlphonon.errors import ResultError

COMPRESSIONS = (".gz", ".xz", ".lzma", ".bz2", ".zip")


@contextlib.contextmanager
def reading(path: Path, part: str = "") -> Iterator[None]:
    """Turn any error met while a file is read into a `ResultError` that names the file.

    Parameters
    ----------
    path : Path
        The file.
    part : str
        What in it is read, if not all.

    Raises
    ------
    ResultError
        If anything else is raised inside.
    """
    try:
        yield
    except ResultError:
        raise
    # JSON, YAML, HDF5 and phonopy meet a damaged file with any exception there is.
    except Exception as error:
        raise ResultError(
            f"cannot read {f'{part} in ' if part else ''}{path}",
            f"{type(error).__name__}: {error}".partition("\n")[0],
            "bring it again, or take it away",
        ) from error


def read_json(path: Path) -> Any:
    """Read a JSON file, as it is, or as .gz or .zip (of which the first .json is read).

    Raises
    ------
    ResultError
        If it cannot be read.
    """
    with reading(path):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                inside = [name for name in archive.namelist() if name.endswith(".json")]
                if not inside:
                    raise ValueError("there is no .json in it")
                return json.loads(archive.read(inside[0]))
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as file:
            return json.load(file)


def stem_of(path: PurePath) -> str:
    """Return the name of a file without its compression and its kind: mp-1 of mp-1.yaml.xz."""
    name = path.name
    for suffix in COMPRESSIONS:
        name = name.removesuffix(suffix)
    return PurePath(name).stem
