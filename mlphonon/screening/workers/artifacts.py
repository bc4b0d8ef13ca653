"""Phonons of a campaign's crystals on disk: folders named by what is in them."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlphonon.screening.workers.outcome import Artifact, Folder

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons


def keep(phonons: Phonons, folder: Folder, beyond: Mapping[str, Phonons]) -> Artifact:
    """Write phonons (what `Phonons.load` needs, no figures) below their digest.

    Those that are `beyond` the harmonic ones go into folders of their own in that folder.

    The folder appears whole or not at all; if it is there already, it is the same.

    Raises
    ------
    OSError
        If there is no room.
    """
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=folder.artifacts))
    try:
        phonons.write(part, figures=False)
        for name, other in beyond.items():
            (part / name).mkdir()
            other.write(part / name, figures=False)
        part.chmod(0o755)
        digest, size = folder_digest(part)
        home = folder.artifacts / digest[:2] / digest
        home.parent.mkdir(exist_ok=True)
        if not home.exists():
            part.rename(home)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Artifact(sha256=digest, path=str(home.relative_to(folder.path)), bytes=size)


def folder_digest(folder: Path) -> tuple[str, int]:
    """Return the SHA-256 over names and contents of all files, and how many bytes they have."""
    digest, size = hashlib.sha256(), 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(data)}\n".encode())
        digest.update(data)
        size += len(data)
    return digest.hexdigest(), size
