"""Folders of phonopy and phono3py calculations, whichever of their files there are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from mlphonon.errors import ResultError
from mlphonon.readers.classic_phonopy import (
    WANTED,
    is_archive,
    is_classic,
    is_classic_archive,
    read_classic,
)
from mlphonon.readers.phono3py_calculation import displaced_pairs, load_phono3py
from mlphonon.readers.phonopy_calculation import load_phonopy

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from phonopy import Phonopy

SETTINGS = (
    "phonopy_params.yaml",
    "phono3py_params.yaml",
    "phonopy_disp.yaml",
    "phonopy.yaml",
    "phono3py_disp.yaml",
    "phono3py.yaml",
)
"""Files that name cells and displacements, the best first; each may be compressed."""

ENDS = ("", ".xz", ".gz", ".bz2")
"""Of compressed ones."""

FORCES = {
    "phonopy": ("FORCE_SETS", "FORCE_CONSTANTS", "force_constants.hdf5", "vasprun.xml*"),
    "phono3py": ("FORCES_FC2", "FORCES_FC3", "fc2.hdf5"),
}
"""Files that may lie beside the settings of each program."""


def load_calculation(folder: Path) -> Phonopy:
    """Load a calculation with symmetrised second-order force constants, without Born charges.

    Raises
    ------
    ResultError
        If it cannot be read.
    """
    if is_archive(folder):
        return read_classic(folder).phonopy()
    settings = find_settings(folder)
    if settings is None and is_classic(folder):
        return read_classic(folder).phonopy()
    if settings is None:
        raise ResultError(f"there is no phonopy calculation in {folder}")
    beside = {path.name: path for path in files_beside(folder)}
    return (load_phono3py if _program(settings) == "phono3py" else load_phonopy)(settings, beside)


def load_pairs(folder: Path) -> list[tuple[Atoms, np.ndarray]]:
    """Return the third order's displaced supercells and forces (eV/A) of a phono3py calculation.

    Raises
    ------
    ResultError
        If it cannot be read.
    """
    settings = find_settings(folder)
    if settings is None or _program(settings) != "phono3py":
        return []
    return displaced_pairs(settings, {path.name: path for path in files_beside(folder)})


def find_calculations(folder: Path) -> list[Path]:
    """Return the folders that hold a calculation: `folder` itself and those in it, at any depth.

    Archives of classic calculations (`mlphonon.readers.classic_phonopy`) are among them. Hidden
    folders and links to folders are passed over.

    Parameters
    ----------
    folder : Path
        Where to look.

    Returns
    -------
    list of Path
        In the order of their names; empty if there is none.
    """
    found: list[Path] = []
    for place, inside, files in os.walk(folder):
        inside[:] = sorted(name for name in inside if not name.startswith("."))
        if holds_calculation(Path(place)):
            found.append(Path(place))
        found += [path for name in sorted(files) if is_classic_archive(path := Path(place, name))]
    return found


def holds_calculation(place: Path) -> bool:
    """Whether a folder, or an archive, holds a calculation of today or of earlier times."""
    return is_archive(place) or find_settings(place) is not None or is_classic(place)


def find_settings(folder: Path) -> Path | None:
    """Return the best of the `SETTINGS` in a folder, or None."""
    paths = (folder / f"{name}{end}" for name in SETTINGS for end in ENDS)
    return next((path for path in paths if path.is_file()), None)


def _program(settings: Path) -> str:
    return "phono3py" if settings.name.startswith("phono3py") else "phonopy"


def files_beside(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder that are read beside its settings, or without any."""
    settings = find_settings(folder)
    if is_archive(folder):
        yield folder
    elif settings is None and is_classic(folder):
        yield from sorted(path for path in folder.iterdir() if path.name in WANTED)
    for name in FORCES[_program(settings)] if settings else ():
        yield from sorted(path for path in folder.glob(name) if path.is_file())


def is_part_of_calculation(path: Path) -> bool:
    """Whether a file is one of a phonopy or phono3py calculation, by its name."""
    if path.name in {name + end for name in SETTINGS for end in ENDS}:
        return True
    names = [name for group in FORCES.values() for name in group if not name.startswith("vasprun")]
    return any(fnmatch(path.name, name) for name in names)
