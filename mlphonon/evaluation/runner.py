"""A potential over a set of references: one record for each crystal, resumed after any end.

A folder of results holds ``manifest.json``, which pins data, potential, protocol and versions by
digest, and ``crystals/KEY.json``. Asked again with the same manifest, only what is missing is
computed; with another, the folder is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from mlphonon.errors import ResultError
from mlphonon.evaluation.protocol import Protocol
from mlphonon.evaluation.reference import ReferenceCrystal, ReferenceSet
from mlphonon.evaluation.scores import CrystalScore, score_crystal
from mlphonon.files import write_whole
from mlphonon.potentials.potential import Potential
from mlphonon.provenance import package_versions

MANIFEST = "manifest.json"
CRYSTALS = "crystals"


class Manifest(BaseModel):
    """All that decides what a run gives.

    Attributes
    ----------
    reference : str
        Name of the set.
    reference_files : dict
        SHA-256 of its files.
    potential : dict
        See `PotentialInfo.as_dict`.
    protocol : Protocol
        How crystals were computed and compared.
    versions : dict
        Of the packages that computed it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    reference_files: dict[str, str]
    potential: dict[str, Any]
    protocol: Protocol
    versions: dict[str, str]

    def digest(self) -> str:
        """SHA-256 of all of it."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def make_manifest(reference: ReferenceSet, potential: Potential, protocol: Protocol) -> Manifest:
    """Return what pins a run."""
    described = json.loads(json.dumps(potential.info.as_dict()))
    return Manifest(
        reference=reference.name,
        reference_files=reference.files,
        potential=described,
        protocol=protocol,
        versions=package_versions(),
    )


def run(
    crystals: Iterable[ReferenceCrystal],
    potential: Potential,
    manifest: Manifest,
    folder: Path,
    progress: Callable[[CrystalScore], None] | None = None,
) -> list[CrystalScore]:
    """Score every crystal that has no record in `folder` yet; return all scores in order.

    Raises
    ------
    ResultError
        If the folder holds results of another manifest, or cannot be written or read.
    """
    _claim(folder, manifest)
    scores = []
    for crystal in crystals:
        path = folder / CRYSTALS / f"{crystal.key}.json"
        score = read_score(path) if path.is_file() else None
        if score is None:
            score = score_crystal(crystal, potential, manifest.protocol)
            _write(path, score.model_dump_json())
        scores.append(score)
        if progress is not None:
            progress(score)
    return scores


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
    except ValidationError as error:
        raise ResultError(f"cannot read {path}", str(error.errors()[0]["msg"])) from error


def read_scores(folder: Path) -> list[CrystalScore]:
    """Return the scores of a folder in the order of their keys."""
    return [read_score(path) for path in sorted((folder / CRYSTALS).glob("*.json"))]


def read_score(path: Path) -> CrystalScore:
    """Return one record.

    Raises
    ------
    ResultError
        If it cannot be read.
    """
    try:
        return CrystalScore.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise ResultError(
            f"cannot read {path}", str(error).splitlines()[0], "delete it and run again"
        ) from error


def _claim(folder: Path, manifest: Manifest) -> None:
    """Write the manifest into a new folder; refuse one with results of another."""
    if (folder / MANIFEST).is_file():
        found = read_manifest(folder)
        if found.digest() != manifest.digest():
            names = [n for n in Manifest.model_fields if getattr(found, n) != getattr(manifest, n)]
            raise ResultError(
                f"{folder} holds results of another run",
                f"{' and '.join(names)} differ",
                "choose another folder with -o, or delete this one",
            )
        return
    _write(folder / MANIFEST, manifest.model_dump_json(indent=1))


def _write(path: Path, text: str) -> None:
    """Write a file that is whole or not there, and its folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    except OSError as error:
        raise ResultError(f"cannot write {path}", error.strerror or str(error)) from error
