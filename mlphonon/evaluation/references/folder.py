"""A user's own DFT as a reference: folders of phonopy and phono3py calculations."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mlphonon.errors import ResultError
from mlphonon.evaluation.references.calculation import crystal_of
from mlphonon.evaluation.references.keys import by_key, make_key
from mlphonon.evaluation.references.reference import ReferenceCrystal, ReferenceFile, ReferenceSet
from mlphonon.readers.folder import SETTINGS, files_beside, find_settings, load_calculation
from mlphonon.readers.reading import reading

MESH = 100.0
"""Length that sets the Gamma-centred mesh of the comparison, A."""


def folder_reference(folder: Path) -> ReferenceSet:
    """Describe the calculations in a folder, or in the folders in it, as a reference set.

    Each holds one of `SETTINGS`, and forces or force constants in it or beside it.

    Raises
    ------
    ResultError
        If there is none.
    """
    places = [place for place in (folder, *_folders(folder)) if find_settings(place)]
    if not places:
        raise ResultError(
            f"there is no phonopy calculation in {folder}",
            f"neither it nor a folder in it holds one of {', '.join(SETTINGS)}",
            "give the folder that holds them with --data",
        )
    settings = [path for place in places if (path := find_settings(place))]
    files = settings + [path for place in places for path in files_beside(place)]
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


def _key(folder: Path) -> str:
    return make_key(folder.resolve().name)


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
