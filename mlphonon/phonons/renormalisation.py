"""How phonons at a temperature were made, and how far off they are."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Renormalisation(BaseModel):
    """Of phonons whose force constants are those of a temperature.

    Units stand in the names; energies are per primitive cell, errors are standard errors of what
    chance there is in the sampling.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    method: Literal["sscha", "effective"]
    """Self-consistent, or fitted to snapshots of molecular dynamics."""

    temperature_K: float

    statistics: Literal["quantum", "classical"]
    """What atoms are distributed by."""

    n_atoms: int
    """In the supercell that is displaced."""

    n_snapshots: int
    """Displaced supercells that force constants were fitted to, or drawn for that."""

    n_effective: float | None = None
    """As many independent snapshots as those used are worth (Kish), where they are weighted or
    correlated."""

    iterations: int = 1

    converged: bool = True
    """Whether the last changes were within the errors, or the limit that was asked for."""

    frequency_error_THz: float
    """Largest at the wave vectors that fit into the supercell."""

    mean_frequency_error_THz: float
    """Root mean square there."""

    free_energy_eV: float | None = None
    """Of the crystal at rest and its vibrations, anharmonic."""

    free_energy_error_eV: float | None = None

    centroid_shift_A: float = 0.0
    """Furthest that an atom's mean place is from the minimum of the potential."""

    pressure_GPa: float | None = None
    """What the cell was relaxed to; None where it is that of the minimum."""
