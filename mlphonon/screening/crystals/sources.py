"""Crystals to screen, from wherever they are: folders, files of many, databases."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from mlphonon.crystal.structure_files import read_structures
from mlphonon.errors import CrystalError
from mlphonon.evaluation.references.structures import atoms_of

JSON_SUFFIXES = (".json", ".json.gz")
NAMES = ("material_id", "mat_id", "mp_id", "id", "name")
"""Keys under which databases keep the name of a structure."""

LONGEST_NAME = 200


@dataclass(frozen=True)
class Candidate:
    """A structure as it was given.

    Attributes
    ----------
    name : str
        What it is called.
    atoms : Atoms, optional
        None if there is none to be had.
    properties : dict
        Numbers and truth values that came with it.
    problem : str
        Why there are no atoms.
    """

    name: str
    atoms: Atoms | None
    properties: dict[str, float | bool] = field(default_factory=dict)
    problem: str = ""


def read_sources(paths: Iterable[str | Path]) -> Iterator[Candidate]:
    """Yield every structure of files, folders and databases.

    A folder gives all files in it that hold structures (not those in folders in it). JSON is a list
    of entries with a pymatgen ``structure``, or ASE's own; ``.db`` is an ASE database; all else is
    what ASE reads. Files of a folder that hold no structure are passed over; one that was named is
    not.

    Raises
    ------
    CrystalError
        If a path is not there, or a file that was named holds nothing.
    """
    for path in check_paths(paths):
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.is_file())
            found = [given for file in files for given in _from_folder(file)]
            if not found:
                raise CrystalError(f"{path} holds no structure", fix="give a folder of crystals")
            yield from found
        else:
            yield from _read(path)


def check_paths(paths: Iterable[str | Path]) -> list[Path]:
    """Return the paths, all of them there.

    Raises
    ------
    CrystalError
        If one is not.
    """
    asked = [Path(path) for path in paths]
    for path in asked:
        if not (path.is_file() or path.is_dir()):
            raise CrystalError(f"there is no {path}", fix="give files or folders of crystals")
    return asked


def of_object(one: Any, number: int) -> Candidate:
    """Take ASE atoms, a pymatgen structure, or anything that `make_crystal` takes."""
    from mlphonon.crystal.crystal import make_crystal

    atoms = one if isinstance(one, Atoms) else make_crystal(one).given
    return Candidate(_name(atoms.info, f"{atoms.symbols}-{number}"), atoms, scalars(atoms.info))


def _from_folder(path: Path) -> list[Candidate]:
    if path.name.startswith("."):
        return []
    try:
        return list(_read(path))
    except CrystalError as error:
        return [] if _is_no_structure(path) else [Candidate(path.stem, None, {}, str(error))]


def _is_no_structure(path: Path) -> bool:
    """Tell whether ASE knows no format for a file."""
    from ase.io.formats import UnknownFileTypeError, filetype

    try:
        filetype(str(path), guess=False)
    except UnknownFileTypeError:
        return True
    except OSError:
        return False
    return False


def _read(path: Path) -> Iterator[Candidate]:
    if path.name.endswith(JSON_SUFFIXES) and (entries := _entries(path)) is not None:
        yield from (_of_entry(path, number, entry) for number, entry in enumerate(entries, start=1))
    elif path.suffix == ".db":
        yield from _of_database(path)
    else:
        yield from _of_file(path)


def _entries(path: Path) -> list[Any] | None:
    """Return the entries of a JSON list with structures; None if it is something else (ASE's)."""
    try:
        data = path.read_bytes()
        found = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        raise CrystalError(f"cannot read {path}", str(error)) from error
    if isinstance(found, Mapping) and isinstance(found.get("entries"), list):
        found = found["entries"]
    if not isinstance(found, list):
        return None
    # One entry that is none is not to hide the others.
    has_structures = any(isinstance(one, Mapping) and "structure" in one for one in found)
    return found if has_structures else None


def _of_entry(path: Path, number: int, entry: Any) -> Candidate:
    if not isinstance(entry, Mapping):
        name = f"{path.name.partition('.')[0]}-{number}"
        return Candidate(name, None, {}, f"entry {number} is a {type(entry).__name__}, no crystal")
    name = _name(entry, f"{path.name.partition('.')[0]}-{number}")
    if "formula" in entry and str(entry["formula"]) not in name:
        name = f"{entry['formula']}_{name}"
    more = entry.get("data")
    properties = scalars(entry) | (scalars(more) if isinstance(more, Mapping) else {})
    try:
        return Candidate(name, atoms_of(entry["structure"]), properties)
    # What a damaged entry lacks is not foreseen.
    except Exception as error:
        reason = f"{type(error).__name__} {error}"[:200]
        return Candidate(name, None, properties, f"entry {number} holds no crystal; {reason}")


def _of_database(path: Path) -> Iterator[Candidate]:
    import ase.db

    # A file that is no database meets sqlite with errors of many kinds.
    try:
        rows = list(ase.db.connect(path).select())
    except Exception as error:
        raise CrystalError(f"cannot read the ASE database {path}", str(error)) from error
    if not rows:
        raise CrystalError(f"{path} holds no structure")
    for row in rows:
        name = _name(row.key_value_pairs, f"{path.stem}-{row.id}")
        try:
            yield Candidate(name, row.toatoms(), scalars(row.key_value_pairs))
        except Exception as error:
            yield Candidate(name, None, {}, f"row {row.id} holds no crystal; {error}"[:300])


def _of_file(path: Path) -> Iterator[Candidate]:
    images = read_structures(path)
    for number, atoms in enumerate(images, start=1):
        plain = path.stem if len(images) == 1 else f"{path.stem}-{number}"
        yield Candidate(_name(atoms.info, plain), atoms, scalars(atoms.info))


def _name(values: Mapping[str, Any], otherwise: str) -> str:
    name = next((str(values[key]) for key in NAMES if _names(values.get(key))), otherwise)
    # Halves of characters, of files that are not UTF-8, have no place in a database.
    return name[:LONGEST_NAME].encode(errors="backslashreplace").decode()


def _names(value: Any) -> bool:
    return isinstance(value, str | int) and bool(value)


def scalars(values: Mapping[str, Any]) -> dict[str, float | bool]:
    """Return what is a number or a truth value, under names that an expression can hold."""
    return {
        str(key): bool(value) if isinstance(value, bool | np.bool_) else float(value)
        for key, value in values.items()
        if str(key).isidentifier() and _is_scalar(value)
    }


def _is_scalar(value: Any) -> bool:
    """Tell whether it is a truth value, or a number that is finite as a float."""
    if isinstance(value, bool | np.bool_):
        return True
    if not isinstance(value, int | float | np.integer | np.floating):
        return False
    try:
        # Others have no place in JSON, nor in a column of numbers.
        return math.isfinite(float(value))
    except OverflowError:
        return False
