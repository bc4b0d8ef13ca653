"""The phonon database of Kyoto university as it was in 2018: PBEsol, in phonopy's files of then.

A. Togo's phononDB, https://github.com/WMD-group/phononDB: a compressed archive for each crystal, in
``phonon_db_tarred/``, which is read as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from mlphonon.evaluation.references.calculation import crystal_of
from mlphonon.evaluation.references.keys import by_key, make_key
from mlphonon.evaluation.references.reference import Crystals, ReferenceCrystal, ReferenceSet
from mlphonon.readers.classic_phonopy import read_classic
from mlphonon.readers.reading import reading

MESH = 50.0
"""Length that sets the Gamma-centred mesh of the comparison, A."""

PATTERNS = (
    "phonondb-2018/phonon_db_tarred/*.tar.lzma",
    "phonon_db_tarred/*.tar.lzma",
)
"""Under the folder of data, or in the folder of the repository itself."""


def read_phonondb_2018(folder: Path) -> Crystals:
    """List the crystals, each to be read from its archive.

    Raises
    ------
    ResultError
        If two archives are of one crystal.
    """
    return crystals_of(PHONONDB_2018.paths(folder), folder)


def crystals_of(paths: Iterable[Path], folder: Path) -> Crystals:
    """List the crystals of some archives, by names such as ``mp-149``."""
    return by_key(((archive_key(path), partial(read_archive, path)) for path in paths), folder)


def read_archive(path: Path) -> ReferenceCrystal:
    """Read one crystal and compute its frequencies, without the non-analytical term.

    Raises
    ------
    ResultError
        If the archive is damaged, or lacks a file.
    """
    phonopy = read_classic(path).phonopy()
    with reading(path):
        return crystal_of(phonopy, archive_key(path), MESH)


def archive_key(path: Path) -> str:
    """Return ``mp-N`` of ``materials-id-N-...``; else the name without its endings."""
    name = path.name.partition(".")[0]
    words = name.split("-")
    is_numbered = words[:2] == ["materials", "id"] and len(words) > 2
    return make_key(f"mp-{words[2]}" if is_numbered else name)


PHONONDB_2018 = ReferenceSet(
    name="phonondb-2018",
    description="10,034 crystals of phononDB, force constants as phonopy wrote them in 2018",
    source="https://github.com/WMD-group/phononDB (A. Togo, Kyoto university)",
    licence="CC BY 4.0",
    functional="PBEsol",
    files=(),
    read=read_phonondb_2018,
    patterns=PATTERNS,
)
