"""Whether every potential on this machine is what it was when it was accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mlphonon.errors import PotentialError
from mlphonon.potentials.named.catalogue import CatalogueEntry, read_catalogue
from mlphonon.potentials.named.store import (
    PACKAGE_SUFFIX,
    digest_of,
    locate,
    path_of,
    recorded_digest,
    sha256_of,
    store_folder,
)

FileStatus = Literal["ok", "recorded", "changed", "unvouched", "unknown", "unreadable"]
"""What `verify` finds of a file: vouched for by the catalogue (ok) or by the digest of a trusted
download (recorded); not what it was (changed); in the catalogue without a digest and never
accepted (unvouched); none of the catalogue's (unknown); not readable (unreadable)."""

BAD: frozenset[FileStatus] = frozenset({"changed", "unvouched", "unreadable"})
"""The statuses under which a named potential would not be loaded."""


def verify() -> list[tuple[str, FileStatus]]:
    """Check every file in the store, and the potential that ships inside.

    Returns
    -------
    list of (str, FileStatus)
        Name of the potential (of the file, where the catalogue has none) and what was found.
    """
    catalogue = read_catalogue().values()
    files = {entry.filename: entry for entry in catalogue if entry.filename}
    elsewhere = [e for e in catalogue if e.source in ("inside", "environment")]
    found = [(e.name, _status(e, path_of(e))) for e in elsewhere if e.sha256 and locate(e)]
    folder = store_folder()
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith(".") or path.suffix in (".sha256", PACKAGE_SUFFIX):
            continue
        entry = files.get(path.name)
        if path.is_file() or (entry is not None and entry.contents):
            found.append((entry.name if entry else path.name, _status(entry, path)))
    return found


def _status(entry: CatalogueEntry | None, path: Path) -> FileStatus:
    try:
        digest = sha256_of(path) if entry is None else digest_of(entry)
        recorded = recorded_digest(path)
    except PotentialError:
        return "unreadable"
    if entry is not None and entry.sha256 is not None:
        return "ok" if digest == entry.sha256 else "changed"
    if recorded is not None:
        return "recorded" if digest == recorded else "changed"
    return "unknown" if entry is None else "unvouched"
