"""The settings of effective force constants: each default, and the reason for it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from mlphonon.anharmonic.sscha.settings import Statistics
from mlphonon.settings_base import Settings


class EffectiveSettings(Settings):
    """Everything that decides effective force constants, apart from the temperature.

    Lengths in A, frequencies in THz, times in ps.
    """

    words: ClassVar[str] = "method 'effective'"

    min_length: float | None = Field(default=None, gt=0, le=200)
    """Least height of the supercell that moves, A; 10 unless the supercell of the harmonic phonons
    was asked for, which is then used."""

    statistics: Statistics = "classical"
    """Molecular dynamics is classical. Quantum atoms are drawn from the harmonic distribution of
    the force constants found so far instead, until these stand still (stochastic TDEP), which is
    what self-consistent phonons are without weighting."""

    trajectories: int = Field(default=8, ge=4, le=1000)
    """Independent, advanced together; their spread gives the errors."""

    snapshots: int = Field(default=80, ge=8, le=100_000)
    """Taken of all trajectories together before force constants are fitted again."""

    max_rounds: int = Field(default=10, ge=1, le=1000)
    """How many times so many are taken at most."""

    tolerance: float = Field(default=0.02, gt=0)
    """Standard error of frequencies that is good enough, THz (root mean square over the wave
    vectors that fit into the supercell)."""

    time_step: float | None = Field(default=None, gt=0)
    """ps; a fifteenth of the shortest harmonic period otherwise. Positions of harmonic atoms are
    distributed exactly at any step (BAOAB), those of others to fourth order."""

    friction: float | None = Field(default=None, gt=0)
    """1/ps; the root mean square angular frequency otherwise, at which atoms forget quickest."""

    equilibration: float = Field(default=1.0, ge=0, le=1000)
    """ps that are not used; atoms start where harmonic ones would be."""

    seed: int = Field(default=20260101, ge=0)
    """Of velocities and kicks: the same seed gives the same trajectories."""
