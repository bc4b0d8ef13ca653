"""A user's own DFT as a reference: folders of phonopy and phono3py calculations."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mlphonon.errors import ResultError
from mlphonon.evaluation.references.calculation import crystal_of
from mlphonon.evaluation.references.keys import by_key, make_key
from mlphonon.evaluation.references.reference import ReferenceCrystal, ReferenceFile, ReferenceSet
from mlphonon.readers.folder import (
    SETTINGS,
    files_beside,
    find_calculations,
    find_settings,
    load_calculation,
)
from mlphonon.readers.reading import reading

MESH = 100.0
"""Length that sets the Gamma-centred mesh of the comparison, A."""


def folder_reference(folder: Path) -> ReferenceSet:
    """Describe the calculations in a folder, at any depth, as a reference set.

    Each holds one of `SETTINGS`, and forces or force constants in it or beside it; or, as phonopy
    wrote them before, a POSCAR and a conf file with these, in a folder or an archive.

    Raises
    ------
    ResultError
        If there is none.
    """
    places = find_calculations(folder)
    if not places:
        raise ResultError(
            f"there is no phonopy calculation in {folder}",
            f"neither it nor any folder in it holds one of {', '.join(SETTINGS)}, or a POSCAR"
            " with FORCE_SETS",
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
            (
                (_key(place, folder), partial(read_calculation, place, _key(place, folder)))
                for place in places
            ),
            folder,
        ),
    )


def read_calculation(folder: Path, key: str | None = None) -> ReferenceCrystal:
    """Read one calculation and compute its frequencies on a mesh.

    The non-analytical term is left out: potentials have none.

    Parameters
    ----------
    folder : Path
        That holds it.
    key : str, optional
        What it is called in the set; the name of the folder otherwise.

    Raises
    ------
    ResultError
        If it cannot be read.
    """
    phonopy = load_calculation(folder)
    with reading(folder):
        return crystal_of(phonopy, key or _key(folder, folder), MESH)


def _key(place: Path, folder: Path) -> str:
    """Return the name of a calculation: of the folders on the way to it, or of `folder` itself."""
    parts = place.relative_to(folder).parts
    return make_key("_".join(parts).partition(".tar")[0] if parts else folder.resolve().name)
