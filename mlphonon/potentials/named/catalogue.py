"""The named potentials: where each comes from, its SHA-256, its licence, what it was trained on."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mlphonon.errors import PotentialError, first_fault
from mlphonon.potentials.named.family import FAMILIES, MACE, Family, parse_elements

CATALOGUE_VARIABLE = "MLPHONON_CATALOGUE"
"""Environment variable: a TOML file that adds entries, or overrides keys of those built in."""

EMBEDDED = "embedded"
"""Name of the one potential that ships inside."""

FAMILY_TABLE = "family"
"""Tables ``[family.NAME]`` describe families; all others are potentials."""

SHA256_PATTERN = r"^[0-9a-f]{64}$"
FILE_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9._-]*$"
PACKAGED_PATTERN = r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*"
"""Neither absolute nor with ``..``: the file is hashed, and handed to a program, as weights."""

WeightsSource = Literal["inside", "download", "environment", "package"]
"""Where weights come from: part of this package; a url; a file that the family's package
brings into its environment; or that package downloads them by itself when first used."""


class CatalogueEntry(BaseModel):
    """One named potential.

    Attributes
    ----------
    name : str
        What it is called here.
    aliases : tuple of str
        Other names it is found by.
    family : str
        The program that evaluates it (see `mlphonon.potentials.named.family`).
    url, filename : str, optional
        Where its weights are and what the file is called; neither, if it ships inside.
    contents : tuple of str
        Names of the files of a potential that is a folder; `url` and `filename` are then the
        folder's.
    packaged : str, optional
        Path of its weights among the packages of its environment, if they come with it.
    arguments : dict
        Of the call for a calculator, besides those of the family.
    sha256 : str, optional
        Digest of the file, or of the contents end to end. Without it weights are only
        accepted from a user who trusts them.
    size_bytes : int, optional
        Size of the file, or of all contents; no more is downloaded.
    licence : str
        Licence of the weights.
    reference : str
        The paper to cite.
    training_set, functional : str
        What it was trained on.
    heads : tuple of str
        The heads of a multi-head model, each with a functional of its own.
    default_head : str, optional
        The head used when none is named.
    parameters : int, optional
        Number of trained parameters.
    elements : str, optional
        Atomic numbers it knows, such as ``"1-83, 89-94"``.
    cutoff, receptive_field : float, optional
        Radius of one neighbourhood; distance beyond which atoms cannot feel each other, A.
    conservative : bool
        Whether its forces are the slope of its energy.
    tested : str, optional
        When and with what it was run here; without it, nobody here has run it.
    scores : dict
        Published errors of its phonons, by what was measured, and ``source``.
    note : str
        What a user should know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    aliases: tuple[str, ...] = ()
    family: str = MACE
    url: str | None = Field(default=None, pattern=r"^https?://")
    filename: str | None = Field(default=None, pattern=FILE_PATTERN)
    contents: tuple[Annotated[str, Field(pattern=FILE_PATTERN)], ...] = ()
    packaged: str | None = None
    arguments: dict[str, Any] = {}
    sha256: str | None = Field(default=None, pattern=SHA256_PATTERN)
    size_bytes: int | None = Field(default=None, gt=0)
    licence: str
    reference: str
    training_set: str
    functional: str
    heads: tuple[str, ...] = ()
    default_head: str | None = None
    parameters: int | None = Field(default=None, gt=0)
    elements: str | None = None
    cutoff: float | None = Field(default=None, gt=0)
    receptive_field: float | None = Field(default=None, gt=0)
    conservative: bool = True
    tested: str | None = None
    scores: dict[str, float | str] = {}
    note: str = ""

    @field_validator("packaged")
    @classmethod
    def _check_packaged(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(PACKAGED_PATTERN, value):
            raise ValueError(f"'{value}' is no path below the packages of an environment")
        return value

    @field_validator("elements")
    @classmethod
    def _check_elements(cls, value: str | None) -> str | None:
        if value is not None:
            parse_elements(value)
        return value

    @model_validator(mode="after")
    def _check(self) -> CatalogueEntry:
        if (self.url is None) != (self.filename is None):
            raise ValueError("url and filename go together")
        if self.source == "package" and self.family == MACE:
            raise ValueError("url and filename are missing")
        if self.heads and self.default_head not in self.heads:
            raise ValueError(f"default_head must be one of {', '.join(self.heads)}")
        if self.scores and "source" not in self.scores:
            raise ValueError("scores need a source")
        return self

    @property
    def source(self) -> WeightsSource:
        """Where its weights come from."""
        if self.url is not None:
            return "download"
        if self.packaged is not None:
            return "environment"
        return "inside" if self.name == EMBEDDED else "package"

    @property
    def ships_inside(self) -> bool:
        """Whether the weights are part of this package."""
        return self.source == "inside"

    @property
    def atomic_numbers(self) -> frozenset[int] | None:
        """The elements it knows; None if the catalogue does not say."""
        return None if self.elements is None else parse_elements(self.elements)


@dataclass(frozen=True)
class Catalogue:
    """All potentials and families by name."""

    entries: dict[str, CatalogueEntry]
    families: dict[str, Family]


def read_families() -> dict[str, Family]:
    """Return all families by name (see `read_catalogue`)."""
    return dict(_catalogue().families)


def family_of(entry: CatalogueEntry) -> Family:
    """Return the family of a potential."""
    return _catalogue().families[entry.family]


def read_catalogue() -> dict[str, CatalogueEntry]:
    """Return all entries by name, those of the user's file (`CATALOGUE_VARIABLE`) included.

    Raises
    ------
    PotentialError
        If the user's file cannot be read or an entry in it is not complete.
    """
    return dict(_catalogue().entries)


def known_names() -> dict[str, CatalogueEntry]:
    """Return all entries by name and by alias."""
    catalogue = read_catalogue()
    return {alias: entry for entry in catalogue.values() for alias in entry.aliases} | catalogue


def find_entry(name: str) -> CatalogueEntry:
    """Return the entry called `name`, or with `name` among its aliases.

    Raises
    ------
    PotentialError
        If there is none; the message names those that are spelt alike.
    """
    wanted = name.strip().lower()
    known = known_names()
    if wanted in known:
        return known[wanted]
    alike = difflib.get_close_matches(wanted, known, n=4, cutoff=0.6)
    raise PotentialError(
        f"there is no potential called '{name}'",
        f"spelt alike are {', '.join(alike)}" if alike else "",
        "see 'mlphonon potentials list', or give the path of a file",
    )


def _catalogue() -> Catalogue:
    given = os.environ.get(CATALOGUE_VARIABLE)
    if not given:
        return _read(None, 0)
    path = Path(given).expanduser()
    try:
        stamp = path.stat().st_mtime_ns
    except OSError as error:
        raise PotentialError(
            f"cannot read the catalogue {path}",
            error.strerror or str(error),
            f"correct or unset {CATALOGUE_VARIABLE}",
        ) from error
    return _read(path, stamp)


@lru_cache(maxsize=8)
def _read(path: Path | None, stamp: int) -> Catalogue:
    """Read the built-in families and `path` over them; `stamp` tells a changed file apart."""
    tables: dict[str, Any] = {FAMILY_TABLE: {MACE: {}}}
    for file in sorted(FAMILIES.glob("*.toml"), key=lambda file: (file.stem != MACE, file.stem)):
        _merge(tables, _read_tables(file))
    if path is not None:
        _merge(tables, _read_tables(path))
    families = {
        name: _validated(Family, name, table, path)
        for name, table in tables.pop(FAMILY_TABLE).items()
    }
    entries = {
        name: _validated(CatalogueEntry, name, table, path) for name, table in tables.items()
    }
    _check_names(entries, families)
    return Catalogue(entries, families)


def _merge(tables: dict[str, Any], more: dict[str, Any]) -> None:
    """Add tables; keys of one that is there already are overridden."""
    for name, table in more.items():
        if name == FAMILY_TABLE:
            _merge(tables[FAMILY_TABLE], table)
        else:
            tables[name] = tables.get(name, {}) | table


def _read_tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PotentialError(f"cannot read the catalogue {path}", str(error)) from error
    families = tables.get(FAMILY_TABLE, {})
    for name, table in (tables | families if isinstance(families, dict) else tables).items():
        if not isinstance(table, dict):
            raise PotentialError(
                f"cannot read the catalogue {path}",
                f"'{name}' stands outside of a table",
                f"begin each potential with a line such as [{name}]",
            )
    return tables


Checked = TypeVar("Checked", CatalogueEntry, Family)


def _validated(
    model: type[Checked], name: str, table: dict[str, Any], path: Path | None
) -> Checked:
    try:
        return model.model_validate({**table, "name": name})
    except ValidationError as error:
        raise PotentialError(
            f"entry '{name}' of the catalogue {path or FAMILIES} cannot be used",
            first_fault(error),
        ) from error


def _check_names(entries: dict[str, CatalogueEntry], families: dict[str, Family]) -> None:
    """Raise `PotentialError` if a name, or a file, could mean two potentials."""
    seen = set(entries)
    for entry in entries.values():
        if entry.family not in families:
            raise PotentialError(
                f"potential '{entry.name}' is of a family '{entry.family}' that is not there",
                f"there are {', '.join(families)}",
                f"name one of them, or describe it under [{FAMILY_TABLE}.{entry.family}]",
            )
        for mark in (*entry.aliases, *([entry.filename] if entry.filename else [])):
            if mark in seen:
                raise PotentialError(
                    f"the catalogue has two potentials for '{mark}'",
                    f"one of them is '{entry.name}'",
                    "give one of them another alias or filename",
                )
            seen.add(mark)
