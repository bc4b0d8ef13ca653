"""The settings of a quasi-harmonic calculation: each default, and the reason for it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from mlphonon.settings_base import checked_settings


class ExpansionSettings(BaseModel):
    """Everything that decides an expansion, apart from crystal, potential and harmonic settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    temperatures: tuple[float, float, float] = (0.0, 1000.0, 10.0)
    """First and last temperature and the step between, K. Slopes are differences over a step."""

    smallest: float = Field(default=-0.04, gt=-0.5, lt=0)
    """Relative change of the smallest volume."""

    largest: float = Field(default=0.08, gt=0, lt=1)
    """Of the largest at first; further ones are added until the volume at the last temperature
    lies among them."""

    furthest: float = Field(default=0.2, gt=0, lt=1)
    """Relative change of volume beyond which none is added."""

    volumes: int = Field(default=9, ge=5, le=50)
    """Between smallest and largest, evenly."""

    cell: Literal["shape", "isotropic"] = "shape"
    """Whether the shape of a cell that is not cubic relaxes at each volume."""

    relax_positions: bool = True
    """Relax positions in each cell. Leaving that out is right only where symmetry fixes them."""

    anisotropic: bool = False
    """Minimise the free energy over the lengths of the axes, not along the shapes that are best at
    rest: for crystals with two or three independent axes at right angles, or hexagonal ones."""

    eos: Literal["vinet", "birch_murnaghan", "murnaghan"] = "vinet"
    """Equation of state."""

    pressure: float = 0.0
    """GPa."""

    @field_validator("temperatures", mode="before")
    @classmethod
    def _parse_temperatures(cls, value: Any) -> Any:
        return tuple(value.split(":")) if isinstance(value, str) else value

    @field_validator("temperatures")
    @classmethod
    def _check_temperatures(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        first, last, step = value
        if not (0 <= first < last and 0 < step <= (last - first) / 3):
            raise ValueError("must be first:last:step with four temperatures at least")
        return value

    def grid(self) -> np.ndarray:
        """Return the temperatures, K."""
        first, last, step = self.temperatures
        return first + step * np.arange(int(np.floor((last - first) / step + 1e-9)) + 1)


def make_expansion_settings(**changes: Any) -> ExpansionSettings:
    """Return the settings with changes.

    Raises
    ------
    SettingsError
        If a value cannot be used; one line that names it.
    """
    return checked_settings(ExpansionSettings, changes)
