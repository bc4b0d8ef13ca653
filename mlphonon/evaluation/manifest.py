"""What a run is pinned to: data, potential, protocol, code and versions, each by digest."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mlphonon.errors import ResultError
from mlphonon.evaluation.protocol import Protocol
from mlphonon.io.atomic_files import write_whole
from mlphonon.phonons.record import package_versions
from mlphonon.potentials.potential import Potential

MANIFEST = "manifest.json"

PRESENTATION = ("cli", "report", "training")
"""Rooms of the package that no number comes from."""


class Manifest(BaseModel):
    """All that decides what a run gives.

    Attributes
    ----------
    reference : str
        Name of the set.
    reference_files : dict
        SHA-256 of its files, by their paths.
    potential : dict
        See `PotentialInfo.as_dict`.
    protocol : Protocol
        How crystals were computed and compared.
    code : str
        See `code_digest`.
    versions : dict
        Of the packages that computed it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    reference_files: dict[str, str]
    potential: dict[str, Any]
    protocol: Protocol
    code: str
    versions: dict[str, str]

    def digest(self) -> str:
        """SHA-256 of all of it."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def make_manifest(
    reference: str, files: dict[str, str], potential: Potential, protocol: Protocol
) -> Manifest:
    """Return what pins a run.

    Parameters
    ----------
    reference : str
        Name of the set.
    files : dict
        SHA-256 of its files.
    potential : Potential
        What is judged.
    protocol : Protocol
        How.
    """
    return Manifest(
        reference=reference,
        reference_files=files,
        potential=json.loads(json.dumps(potential.info.as_dict())),
        protocol=protocol,
        code=code_digest(),
        versions=package_versions(),
    )


def read_manifest(folder: Path) -> Manifest:
    """Return what pins the results of a folder.

    Raises
    ------
    ResultError
        If there are none.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(
            f"{folder} holds no results",
            error.strerror or str(error),
            "give a folder that 'mlphonon benchmark run' wrote",
        ) from error
    except ValueError as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ResultError(
            f"cannot read {path}", reason, "results of another version; run again"
        ) from error


def claim(folder: Path, manifest: Manifest) -> None:
    """Write the manifest into a new folder, or see that the one there is the same.

    Raises
    ------
    ResultError
        If the folder holds results of another manifest, or cannot be written.
    """
    if not (folder / MANIFEST).is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / MANIFEST, manifest.model_dump_json(indent=1))
        except OSError as error:
            raise ResultError(f"cannot write {folder}", error.strerror or str(error)) from error
        return
    found = read_manifest(folder)
    if found.digest() != manifest.digest():
        names = [n for n in Manifest.model_fields if getattr(found, n) != getattr(manifest, n)]
        raise ResultError(
            f"{folder} holds results of another run",
            f"{' and '.join(names)} differ",
            "choose another folder with -o, or delete this one",
        )


@cache
def code_digest() -> str:
    """SHA-256 of the package's source, but for what only shows results."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        if place.parts[0] not in PRESENTATION:
            digest.update(place.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
