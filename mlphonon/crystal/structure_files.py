"""Files of structures, which come from anybody, read by ASE."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mlphonon.errors import CrystalError, first_line

if TYPE_CHECKING:
    from ase import Atoms

LONGEST_LINE = 1 << 20
"""Characters of a line that are looked at."""

MOST_COLUMNS = 10_000
"""Of a property of atoms in extended XYZ."""

_COLUMNS = re.compile(r":[A-Z]:(\d{1,4000})")
"""Numbers of columns in a comment such as ``Properties=species:S:1:pos:R:3``."""


def read_structures(path: Path) -> list[Atoms]:
    """Read every structure in a file that ASE can read; at least one.

    Raises
    ------
    CrystalError
        If there is no such file (a pipe is none), or it cannot be read or holds no structure.
    """
    import ase.io

    if not path.is_file():
        raise CrystalError(f"there is no file {path}", fix="give a CIF, POSCAR, extxyz...")
    # A parser meets damaged text with any exception there is; the user sees one line.
    try:
        check_counts(path)
        images = ase.io.read(path, index=":")
    except Exception as error:
        raise CrystalError(
            f"cannot read a crystal from {path}", first_line(error), "check the file or its format"
        ) from error
    images = images if isinstance(images, list) else [images]
    if not images:
        raise CrystalError(f"{path} holds no structure")
    return images


def check_counts(path: Path) -> None:
    """Refuse an XYZ file or a POSCAR that announces more atoms than lines follow.

    ASE would make room for them, or look for the lines without end.

    Parameters
    ----------
    path : Path
        Any file that ASE reads, compressed or not; other formats announce nothing.

    Raises
    ------
    ValueError
        With the line that announces them.
    Exception
        Whatever ASE raises of a file whose format it does not know.
    """
    from ase.io.formats import filetype, open_with_compression

    kind = filetype(str(path))
    check = {"xyz": _check_xyz, "extxyz": _check_xyz, "vasp": _check_poscar}.get(kind)
    if check is not None:
        with open_with_compression(str(path), "rt") as file:
            check(iter(lambda: file.readline(LONGEST_LINE), ""))


def _check_xyz(lines: Iterator[str]) -> None:
    """Follow the frames: a count, a comment, that many atoms, perhaps cell vectors."""
    number = 0
    for line in lines:
        number += 1
        if not line.strip() or line.startswith("VEC"):
            continue
        comment = next(lines, "")
        if any(int(columns) > MOST_COLUMNS for columns in _COLUMNS.findall(comment)):
            raise ValueError(f"line {number + 1} announces more than {MOST_COLUMNS} columns")
        _follow(int(line), 0, number + 1, lines)
        number += 1 + int(line)


def _check_poscar(lines: Iterator[str]) -> None:
    """Add up the sixth or seventh line, after the comment, the scale, the cell and the elements."""
    head = list(islice(lines, 7))
    for number, line in enumerate(head[5:], start=6):
        words = line.split("!")[0].split()
        if words and all(word.lstrip("+-").isdigit() for word in words):
            counts = [int(word) for word in words]
            if min(counts) < 0:
                raise ValueError(f"line {number} announces {min(counts)} atoms")
            _follow(sum(counts), 1, number, iter((*head[number:], *lines)))
            return


def _follow(count: int, more: int, number: int, lines: Iterator[str]) -> None:
    """Raise unless `count` and so many `more` lines follow line `number`."""
    if count < 0:
        raise ValueError(f"line {number} announces {count} atoms")
    found = sum(1 for _ in islice(lines, min(count, 1 << 40) + more))
    if found < count + more:
        raise ValueError(f"line {number} announces {count} atoms, and {found} lines follow")
