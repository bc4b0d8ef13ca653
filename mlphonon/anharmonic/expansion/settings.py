"""The settings of a thermal expansion: each default, and the reason for it."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from mlphonon.settings import PhononSettings
from mlphonon.settings_base import Settings
from mlphonon.temperatures import TemperatureGrid

STEP = 10.0
"""K; slopes by differences over longer steps are wrong at low temperatures, where the expansion
sets in: by a fifth at 100 K with steps of 100 K."""

FEWEST = 4
"""Steps: phonopy's slopes take three temperatures."""


class ThermalExpansionSettings(Settings):
    """Everything that decides a thermal expansion, apart from crystal and potential."""

    words: ClassVar[str] = "the thermal expansion"

    phonons: PhononSettings = PhononSettings()
    """Of the crystal at rest, and at every volume."""

    temperatures: TemperatureGrid = TemperatureGrid("0:1000:10")
    """K. Slopes are differences over a finer grid of its own (`fine_grid`)."""

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

    def fine_grid(self) -> np.ndarray:
        """Return temperatures in even steps of at most `STEP`, K, from zero to the last.

        Every temperature of an even grid that begins at a multiple of its step is among them.
        """
        wanted = self.temperatures.values
        last = float(wanted[-1])
        steps = np.diff(wanted)
        step = float(steps.min()) if len(steps) else STEP
        step /= np.ceil(step / STEP - 1e-9)
        count = max(int(np.ceil(last / step - 1e-9)), FEWEST)
        return step * np.arange(count + 1)
