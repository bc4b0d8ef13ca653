"""What a fine-tuning is asked for: data, and the potential to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """What a fine-tuning is asked for.

    Attributes
    ----------
    data : Path
        Data set to learn.
    potential : str
        To begin with.
    replay : Path, optional
        Data set that must not be forgotten; without one the potential's own opinion of simple
        crystals is.
    head : str, optional
        Of a potential with several.
    allow_pickle : bool
        Load a pickled potential that nothing vouches for.
    """

    data: Path
    potential: str = "embedded"
    replay: Path | None = None
    head: str | None = None
    allow_pickle: bool = False
