"""A user's own DFT as a reference: folders of phonopy and phono3py calculations."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mlphonon.errors import ResultError
from mlphonon.evaluation.references.calculation import crystal_of, load_phonopy
from mlphonon.evaluation.references.keys import by_key, make_key
from mlphonon.evaluation.references.phono3py_calculation import load_phono3py
from mlphonon.evaluation.references.reading import reading
from mlphonon.evaluation.references.reference import ReferenceCrystal, ReferenceFile, ReferenceSet

if TYPE_CHECKING:
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

FORCES = {
    "phonopy": ("FORCE_SETS", "FORCE_CONSTANTS", "force_constants.hdf5", "vasprun.xml*"),
    "phono3py": ("FORCES_FC2", "FORCES_FC3", "fc2.hdf5"),
}
"""Files that may lie beside the settings of each program."""

MESH = 100.0
"""Length that sets the Gamma-centred mesh of the comparison, A."""


def folder_reference(folder: Path) -> ReferenceSet:
    """Describe the calculations in a folder, or in the folders in it, as a reference set.

    Each holds one of `SETTINGS`, and forces or force constants in it or in `FORCES` beside it.

    Raises
    ------
    ResultError
        If there is none.
    """
    places = [place for place in (folder, *_folders(folder)) if _settings(place)]
    if not places:
        raise ResultError(
            f"there is no phonopy calculation in {folder}",
            f"neither it nor a folder in it holds one of {', '.join(SETTINGS)}",
            "give the folder that holds them with --data",
        )
    files = [path for place in places for path in (_settings(place), *_beside(place)) if path]
    return ReferenceSet(
        name="folder",
        description=f"{len(places)} calculations of one's own, by phonopy or phono3py",
        source=str(folder),
        licence="the user's",
        functional="as their files say",
        files=tuple(ReferenceFile(path.relative_to(folder).as_posix()) for path in files),
        read=lambda _folder: by_key(
            ((_key(place), partial(read_calculation, place)) for place in places), folder
        ),
    )


def read_calculation(folder: Path) -> ReferenceCrystal:
    """Read one calculation and compute its frequencies on a mesh.

    The non-analytical term is left out: potentials have none.

    Raises
    ------
    ResultError
        If it cannot be read.
    """
    phonopy = load_calculation(folder)
    with reading(folder):
        return crystal_of(phonopy, _key(folder), MESH)


def load_calculation(folder: Path) -> Phonopy:
    """Load a calculation with symmetrised second-order force constants, without Born charges.

    Raises
    ------
    ResultError
        If it cannot be read.
    """
    settings = _settings(folder)
    if settings is None:
        raise ResultError(f"there is no phonopy calculation in {folder}")
    beside = {path.name: path for path in _beside(folder)}
    return (load_phono3py if _program(settings) == "phono3py" else load_phonopy)(settings, beside)


def _key(folder: Path) -> str:
    return make_key(folder.resolve().name)


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


def _settings(folder: Path) -> Path | None:
    ends = ("", ".xz", ".gz", ".bz2")
    paths = (folder / f"{name}{end}" for name in SETTINGS for end in ends)
    return next((path for path in paths if path.is_file()), None)


def _program(settings: Path) -> str:
    return "phono3py" if settings.name.startswith("phono3py") else "phonopy"


def _beside(folder: Path) -> Iterator[Path]:
    settings = _settings(folder)
    for name in FORCES[_program(settings)] if settings else ():
        yield from sorted(path for path in folder.glob(name) if path.is_file())
