"""What a fine-tuning reads: data, and the potential to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FinetuneInputs:
    """What a fine-tuning reads.

    Attributes
    ----------
    data : Path
        Data set to learn from.
    potential : str
        To begin with.
    replay : Path, optional
        Data set that is replayed, so that it is not forgotten; without one, simple crystals that
        the potential labels itself.
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
