"""The reference sets by their names, and whether their files are what they should be."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from mlphonon.errors import ResultError
from mlphonon.evaluation.folder import folder_reference
from mlphonon.evaluation.phonondb import PHONONDB_103
from mlphonon.evaluation.reference import ReferenceCrystal, ReferenceSet
from mlphonon.potentials.named.store import sha256_of

SETS = {reference.name: reference for reference in (PHONONDB_103,)}


def find_reference(name: str, folder: Path) -> ReferenceSet:
    """Return the set called `name`; ``"folder"`` is what lies in `folder`.

    Raises
    ------
    ResultError
        If there is none, or nothing of a user's own.
    """
    if name == "folder":
        return folder_reference(folder)
    if name in SETS:
        return SETS[name]
    alike = difflib.get_close_matches(name, [*SETS, "folder"], n=2, cutoff=0.4)
    raise ResultError(
        f"there is no reference set called '{name}'",
        f"spelt alike are {', '.join(alike)}" if alike else "",
        "see 'mlphonon benchmark list'",
    )


def read_reference(
    reference: ReferenceSet, folder: Path, limit: int | None = None
) -> Iterator[ReferenceCrystal]:
    """Check the files of a set and read its crystals, all or the first `limit`.

    Raises
    ------
    ResultError
        If a file is missing or is not the one that the set was made of.
    """
    for name, expected in reference.files.items():
        path = folder / name
        if not path.is_file():
            raise ResultError(
                f"there is no file {path}",
                f"{reference.name} is from {reference.source}",
                "give the folder that holds it with --data",
            )
        if (found := sha256_of(path)) != expected:
            raise ResultError(
                f"{path} is not the file of {reference.name}",
                f"its SHA-256 is {found} and should be {expected}",
                "bring it again",
            )
    return islice(reference.read(folder), limit)
