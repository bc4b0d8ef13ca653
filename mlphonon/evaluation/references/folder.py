"""A user's own DFT as a reference: folders of phonopy and phono3py calculations."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mlphonon.errors import ResultError
from mlphonon.evaluation.references.calculation import crystal_of
from mlphonon.evaluation.references.keys import by_key, make_key
from mlphonon.evaluation.references.reference import ReferenceCrystal, ReferenceFile, ReferenceSet
from mlphonon.readers.classic_phonopy import is_archive, read_classic
from mlphonon.readers.folder import (
    SETTINGS,
    files_beside,
    find_settings,
    holds_calculation,
    load_calculation,
)
from mlphonon.readers.reading import reading

MESH = 100.0
"""Length that sets the Gamma-centred mesh of the comparison, A."""


def folder_reference(folder: Path) -> ReferenceSet:
    """Describe the calculations in a folder, or in folders and archives in it, as a reference set.

    Each holds one of `SETTINGS`, and forces or force constants in it or beside it; or, as phonopy
    wrote them before, a POSCAR and a conf file with these.

    Raises
    ------
    ResultError
        If there is none.
    """
    places = [place for place in (folder, *_folders(folder)) if holds_calculation(place)]
    places += _archives(folder)
    if not places:
        raise ResultError(
            f"there is no phonopy calculation in {folder}",
            f"neither it nor a folder in it holds one of {', '.join(SETTINGS)}, or a POSCAR with"
            " FORCE_SETS",
            "give the folder that holds them with --data",
        )
    files = [path for place in places for path in _files(place)]
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


def _files(place: Path) -> list[Path]:
    if is_archive(place):
        return [place]
    settings = find_settings(place)
    return [*([] if settings is None else [settings]), *files_beside(place)]


def _archives(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if is_archive(p)) if folder.is_dir() else []


def read_calculation(folder: Path) -> ReferenceCrystal:
    """Read one calculation, from its folder or archive, and compute its frequencies on a mesh.

    The non-analytical term is left out: potentials have none.

    Raises
    ------
    ResultError
        If it cannot be read.
    """
    classic = is_archive(folder)
    phonopy = read_classic(folder).phonopy() if classic else load_calculation(folder)
    with reading(folder):
        return crystal_of(phonopy, _key(folder), MESH)


def _key(place: Path) -> str:
    return make_key(place.resolve().name.partition(".tar")[0])


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
