"""The reference sets by their names, and their crystals in a fair order."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterator
from pathlib import Path

from mlphonon.errors import ResultError, SettingsError
from mlphonon.evaluation.references.alexandria import ALEXANDRIA_BINARY
from mlphonon.evaluation.references.folder import folder_reference
from mlphonon.evaluation.references.jarvis import JARVIS_DOS
from mlphonon.evaluation.references.keys import in_fair_order
from mlphonon.evaluation.references.mdr import MDR_10K_PBE, MDR_10K_PBESOL
from mlphonon.evaluation.references.mp_dfpt import MP_DFPT
from mlphonon.evaluation.references.phonondb import PHONONDB_103, PHONONDB_103_NAC
from mlphonon.evaluation.references.reference import Crystals, ReferenceCrystal, ReferenceSet

SETS = {
    reference.name: reference
    for reference in (
        PHONONDB_103,
        PHONONDB_103_NAC,
        MDR_10K_PBE,
        MDR_10K_PBESOL,
        ALEXANDRIA_BINARY,
        MP_DFPT,
        JARVIS_DOS,
    )
}


def find_reference(name: str, folder: str | Path | None = None) -> ReferenceSet:
    """Return the set called `name`; ``"folder"`` is what lies in `folder`.

    Raises
    ------
    ResultError
        If there is none, or nothing of a user's own.
    """
    if name == "folder":
        if folder is None:
            raise ResultError(
                "the set 'folder' is phonopy calculations of your own",
                fix="give the folder that holds them with --data",
            )
        return folder_reference(Path(folder))
    if name in SETS:
        return SETS[name]
    alike = difflib.get_close_matches(name, [*SETS, "folder"], n=2, cutoff=0.4)
    raise ResultError(
        f"there is no reference set called '{name}'",
        f"spelt alike are {', '.join(alike)}" if alike else "",
        "see 'mlphonon benchmark list'",
    )


def select_crystals(
    reference: ReferenceSet, folder: str | Path, limit: int | None = None
) -> Crystals:
    """Return what reads each crystal of a set, in an order that is fair and always the same.

    Parameters
    ----------
    reference : ReferenceSet
        The set.
    folder : str or Path
        Its folder of data.
    limit : int, optional
        Only the first so many: a sample of the set, which a larger one contains.

    Raises
    ------
    ResultError
        If a file is damaged (here, or when its crystal is read), or there is no crystal.
    SettingsError
        If `limit` is not above zero.
    """
    if limit is not None and limit < 1:
        raise SettingsError(f"the number of crystals must be above zero, not {limit}")
    crystals = reference.read(Path(folder))
    if not crystals:
        raise ResultError(f"there is no crystal of {reference.name} in {folder}")
    return {key: crystals[key] for key in in_fair_order(crystals)[:limit]}


def read_reference(
    reference: ReferenceSet, folder: str | Path, limit: int | None = None
) -> Iterator[ReferenceCrystal]:
    """Read the crystals of `select_crystals` one at a time.

    Where one cannot be read, the iterator raises ResultError and goes on with the next one.
    """
    # A generator would be at its end after the first error.
    return map(operator.call, select_crystals(reference, folder, limit).values())
