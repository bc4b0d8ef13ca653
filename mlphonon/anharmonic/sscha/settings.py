"""The settings of self-consistent phonons: each default, and the reason for it."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

from mlphonon.errors import SettingsError
from mlphonon.settings_base import Settings

Statistics = Literal["quantum", "classical"]

HOTTEST = 1e5
"""K; no crystal is a tenth as hot."""


class SschaSettings(Settings):
    """Everything that decides what self-consistent phonons are, apart from the temperature.

    Lengths in A, frequencies in THz, pressures in GPa.
    """

    words: ClassVar[str] = "method 'sscha'"

    min_length: float | None = Field(default=None, gt=0, le=200)
    """Least height of the supercell that is displaced, A; 10 unless the supercell of the harmonic
    phonons was asked for, which is then used. What temperature changes in a smaller supercell is
    added to the harmonic force constants of a larger one."""

    statistics: Statistics = "quantum"
    """What atoms are distributed by; classical atoms come to rest at 0 K."""

    snapshots: int = Field(default=100, ge=8, le=100_000)
    """Displaced supercells that are drawn and evaluated together, in pairs of opposites: what is
    odd in a displacement then falls out of the averages of what is even, and the other way
    round."""

    max_populations: int = Field(default=12, ge=1, le=1000)
    """How many times so many are drawn at most."""

    tolerance: float = Field(default=0.02, gt=0)
    """Standard error of frequencies that is good enough, THz (root mean square over the wave
    vectors that fit into the supercell); changes below it count as none."""

    min_effective: float = Field(default=0.5, gt=0, le=1)
    """New supercells are drawn when those there are, weighted, are worth fewer than this share of
    one drawing (Kish)."""

    mixing: float = Field(default=0.5, gt=0, le=1)
    """Share of the new force constants in the next ones. In a purely quartic classical well the
    steps would not get smaller with all of it, and converge best with a half."""

    reweight: bool = True
    """Use supercells that were drawn from other force constants, weighted; otherwise each drawing
    is used once, as phonopy does."""

    centroids: bool = True
    """Move the mean places of atoms, within the space group, to where the mean force vanishes."""

    pressure: float | None = None
    """Relax the cell until the mean stress is this pressure, GPa; None keeps the cell of the
    minimum of the potential."""

    stress_tolerance: float = Field(default=0.05, gt=0)
    """Of that pressure, GPa: with a bulk modulus of 50 GPa, a thousandth of the volume."""

    max_cell_steps: int = Field(default=10, ge=1, le=1000)
    """Cells that are tried at most."""

    hessian: bool = False
    """Also find the curvature of the free energy, whose imaginary modes are instabilities."""

    hessian_cutoff: float | None = Field(default=None, gt=0)
    """Distance of atoms beyond which third-order force constants are left out, A; none are left
    out otherwise."""

    seed: int = Field(default=20260101, ge=0)
    """Of the random displacements: the same seed gives the same answer."""

    @field_validator("snapshots")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even: displacements are drawn in pairs of opposites")
        return value


def check_temperature(temperature: float, statistics: Statistics) -> None:
    """Raise `SettingsError` if there are no such atoms at a temperature, K."""
    if not 0 <= temperature <= HOTTEST:
        raise SettingsError(
            f"temperature {temperature:g} K cannot be used", fix=f"give 0 to {HOTTEST:g}"
        )
    if temperature == 0 and statistics == "classical":
        raise SettingsError(
            "classical atoms do not move at 0 K",
            "their phonons there are the harmonic ones",
            "take quantum statistics, or a temperature",
        )
