"""The named potentials: where each comes from, its SHA-256, its licence, what it was trained on."""

from __future__ import annotations

import difflib
import os
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mlphonon.errors import PotentialError

BUILT_IN = Path(__file__).with_name("catalogue.toml")

CATALOGUE_VARIABLE = "MLPHONON_CATALOGUE"
"""Environment variable: a TOML file that adds entries, or overrides keys of those built in."""

EMBEDDED = "embedded"
"""Name of the one potential that ships inside."""

SHA256_PATTERN = r"^[0-9a-f]{64}$"


class CatalogueEntry(BaseModel):
    """One named potential.

    Attributes
    ----------
    name : str
        What it is called here.
    aliases : tuple of str
        Other names it is found by.
    backend : {"mace"}
        The program that evaluates it.
    url, filename : str, optional
        Where its weights are and what the file is called; neither, if it ships inside.
    sha256 : str, optional
        Digest of the file; of a folder, see `mlphonon.potentials.store.sha256_of`. Without
        it a download is only accepted from a user who trusts it.
    size_bytes : int, optional
        Size of the file.
    licence : str
        Licence of the weights.
    reference : str
        The paper to cite.
    training_set, functional : str
        What it learnt from.
    heads : tuple of str
        The heads of a multi-head model, each with a functional of its own.
    default_head : str, optional
        The head used when none is named.
    parameters : int, optional
        Number of trained parameters.
    note : str
        What a user should know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    aliases: tuple[str, ...] = ()
    backend: Literal["mace"] = "mace"
    url: str | None = Field(default=None, pattern=r"^https?://")
    filename: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$")
    sha256: str | None = Field(default=None, pattern=SHA256_PATTERN)
    size_bytes: int | None = Field(default=None, gt=0)
    licence: str
    reference: str
    training_set: str
    functional: str
    heads: tuple[str, ...] = ()
    default_head: str | None = None
    parameters: int | None = Field(default=None, gt=0)
    note: str = ""

    @model_validator(mode="after")
    def _check(self) -> CatalogueEntry:
        if (self.url is None) != (self.filename is None):
            raise ValueError("url and filename go together")
        if self.url is None and self.name != EMBEDDED:
            raise ValueError("url and filename are missing")
        if self.heads and self.default_head not in self.heads:
            raise ValueError(f"default_head must be one of {', '.join(self.heads)}")
        return self

    @property
    def ships_inside(self) -> bool:
        """Whether the weights are part of this package."""
        return self.url is None


def read_catalogue() -> dict[str, CatalogueEntry]:
    """Return all entries by name, those of the user's file (`CATALOGUE_VARIABLE`) included.

    Raises
    ------
    PotentialError
        If the user's file cannot be read or an entry in it is not complete.
    """
    given = os.environ.get(CATALOGUE_VARIABLE)
    if not given:
        return dict(_read(None, 0))
    path = Path(given).expanduser()
    try:
        stamp = path.stat().st_mtime_ns
    except OSError as error:
        raise PotentialError(
            f"cannot read the catalogue {path}",
            error.strerror or str(error),
            f"correct or unset {CATALOGUE_VARIABLE}",
        ) from error
    return dict(_read(path, stamp))


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


@lru_cache(maxsize=8)
def _read(path: Path | None, stamp: int) -> dict[str, CatalogueEntry]:
    """Read the built-in catalogue and `path` over it; `stamp` tells a changed file apart."""
    tables: dict[str, Any] = tomllib.loads(BUILT_IN.read_text(encoding="utf-8"))
    if path is not None:
        for name, table in _read_tables(path).items():
            tables[name] = tables.get(name, {}) | table
    catalogue = {name: _entry(name, table, path) for name, table in tables.items()}
    _check_names(catalogue)
    return catalogue


def _read_tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PotentialError(f"cannot read the catalogue {path}", str(error)) from error
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise PotentialError(
                f"cannot read the catalogue {path}",
                f"'{name}' stands outside of a table",
                f"begin each potential with a line such as [{name}]",
            )
    return tables


def _entry(name: str, table: dict[str, Any], path: Path | None) -> CatalogueEntry:
    try:
        return CatalogueEntry.model_validate({**table, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the entry"
        raise PotentialError(
            f"entry '{name}' of the catalogue {path or BUILT_IN} cannot be used",
            f"{key}: {first['msg'].removeprefix('Value error, ')}",
        ) from error


def _check_names(catalogue: dict[str, CatalogueEntry]) -> None:
    """Raise `PotentialError` if a name, or a file, could mean two potentials."""
    seen = set(catalogue)
    for entry in catalogue.values():
        for mark in (*entry.aliases, *([entry.filename] if entry.filename else [])):
            if mark in seen:
                raise PotentialError(
                    f"the catalogue has two potentials for '{mark}'",
                    f"one of them is '{entry.name}'",
                    "give one of them another alias or filename",
                )
            seen.add(mark)
