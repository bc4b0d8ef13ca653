"""Summaries of phonons that earlier versions wrote, as this one reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlphonon.io.digests import digests_of


def from_format_2(folder: Path, summary: Mapping[str, Any], files: tuple[str, ...]) -> Any:
    """Return a summary of format 3.

    Format 2 (until November 2026) knew temperatures as first, last and step, and no digests: the
    files are taken as they are.

    Parameters
    ----------
    folder : Path
        Of the result.
    summary : mapping
        What its ``phonons.json`` holds.
    files : tuple of str
        That are read back.
    """
    record = dict(summary["record"])
    settings = dict(record["settings"])
    settings["temperatures"] = ":".join(f"{x:g}" for x in settings["temperatures"])
    evidence = record.get("evidence")
    if evidence is not None and "never_taught" in evidence:
        evidence = dict(evidence)
        evidence["untrained_elements"] = evidence.pop("never_taught")
    record |= {"settings": settings, "evidence": evidence}
    return {**summary, "format": 3, "record": record, "files_sha256": digests_of(folder, files)}
