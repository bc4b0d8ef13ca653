"""Names of crystals: fit for file names, unique in a set, and in an order that is fair."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from mlphonon.errors import ResultError
from mlphonon.evaluation.references.reference import Crystals, ReferenceCrystal


def make_key(text: str) -> str:
    """Make a name that can be that of a file anywhere: letters, digits, dot, dash, underscore."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip(".") or "_"


def by_key(found: Iterable[tuple[str, Callable[[], ReferenceCrystal]]], place: Path) -> Crystals:
    """Gather what reads each crystal under its key.

    Parameters
    ----------
    found : iterable of (str, callable)
        Keys and readers.
    place : Path
        The file or folder that they are from, for the message.

    Raises
    ------
    ResultError
        If two have the same key.
    """
    crystals: dict[str, Callable[[], ReferenceCrystal]] = {}
    for key, read in found:
        if key in crystals:
            raise ResultError(
                f"two crystals in {place} are called {key}",
                fix="take one of them away, or give it another name",
            )
        crystals[key] = read
    return crystals


def in_fair_order(keys: Iterable[str]) -> list[str]:
    """Sort keys by their SHA-256, so that the first n are a fair sample of all, for any n.

    Samples are nested, and the same wherever and in whatever order the crystals are read.
    """
    return sorted(keys, key=lambda key: hashlib.sha256(key.encode()).digest())
