"""Structures in files that ASE reads, with what was computed of them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlphonon.crystal.structure_files import check_counts
from mlphonon.readers.reading import reading

if TYPE_CHECKING:
    from ase import Atoms

MOST_BYTES = 8 * 1024**3
"""Of an unpacked file; more is taken for a bomb."""

XYZ = {".xyz", ".extxyz"}


def iterate_structures(path: Path) -> Iterator[Atoms]:
    """Yield the structures of a file, labels in ``info``, ``arrays`` or a calculator.

    Parameters
    ----------
    path : Path
        An ASE database, extended XYZ (gzipped or not), or whatever else ASE reads.

    Raises
    ------
    ResultError
        If it cannot be read.
    """
    with reading(path):
        # A pipe would block, and a folder is none of these.
        if not path.is_file():
            raise ValueError("it is not a file")
        check_counts(path)
        yield from _iterate(path)


def _iterate(path: Path) -> Iterator[Atoms]:
    import ase.io

    packed = path.suffix == ".gz"
    if path.suffix == ".db":
        from ase.db import connect

        for row in connect(path).select():
            yield row.toatoms(add_additional_information=True)
    elif XYZ & {path.suffix, path.with_suffix("").suffix if packed else ""}:
        # Unpacked first: ASE seeks back before each frame, quadratic time in a gzip.
        text = _unpacked(path) if packed else path.read_text()
        yield from ase.io.iread(io.StringIO(text), index=":", format="extxyz")
    else:
        yield from ase.io.iread(path, index=":")


def _unpacked(path: Path) -> str:
    with gzip.open(path) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it unpacks to more than {MOST_BYTES:,} bytes")
    return content.decode()
