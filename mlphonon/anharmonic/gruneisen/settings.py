"""The settings of Grueneisen parameters: each default, and the reason for it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from mlphonon.settings import PhononSettings
from mlphonon.settings_base import Settings


class GruneisenSettings(Settings):
    """Everything that decides Grueneisen parameters, apart from crystal and potential."""

    words: ClassVar[str] = "Grueneisen parameters"

    phonons: PhononSettings = PhononSettings()
    """Of the crystal at rest, and of the strained ones."""

    strain: float = Field(default=0.005, gt=0, lt=0.1)
    """Relative change of the volume, either way; a second pair is twice as far apart, to see that
    frequencies answer in proportion."""

    cell: Literal["shape", "isotropic"] = "shape"
    """Whether the shape of a cell that is not cubic relaxes at its new volume."""

    third_order: bool = False
    """Compare with gamma by third-order force constants."""
