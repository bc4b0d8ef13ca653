"""What is kept of a self-consistent calculation beside its phonons: convergence and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlphonon.anharmonic.sscha.settings import SschaSettings

if TYPE_CHECKING:
    from mlphonon.anharmonic.sscha.reference import Reference


class Step(BaseModel):
    """After one population of displaced supercells.

    Units stand in the names; energies are per primitive cell; errors are standard errors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: int
    """Number of the cell, where the cell is relaxed; from 0."""

    n_snapshots: int
    """Supercells of this cell so far."""

    n_effective: float
    """As many equal ones as they are worth, weighted."""

    settled: bool
    """Whether force constants were found that are consistent with themselves on these samples."""

    change_THz: float
    """Root mean square change of frequencies since the population before."""

    error_THz: float | None
    """Root mean square standard error of frequencies; None where nothing settled."""

    lowest_frequency_THz: float
    highest_frequency_THz: float

    free_energy_eV: float
    """Of vibrations at the wave vectors that fit into the supercell, from the crystal at rest."""

    free_energy_error_eV: float | None

    centroid_shift_A: float
    pressure_GPa: float | None
    """None where the potential gives no stress."""

    pressure_error_GPa: float | None
    volume_A3: float


class Commensurate(BaseModel):
    """Frequencies at the wave vectors that fit into the supercell, one of each star, THz."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wave_vectors: tuple[tuple[float, float, float], ...]
    """In reciprocal vectors of the primitive cell."""

    supercell_matrix: tuple[tuple[int, int, int], ...]
    """Of the supercell that was displaced, in phonopy's convention."""

    multiplicities: tuple[int, ...]
    """How many wave vectors are in each star."""

    harmonic: tuple[tuple[float, ...], ...]
    frequencies: tuple[tuple[float, ...], ...]
    errors: tuple[tuple[float, ...], ...]
    """Standard errors."""

    curvature: tuple[tuple[float, ...], ...] | None = None
    """From the Hessian of the free energy, where it was asked for."""

    @classmethod
    def of(
        cls,
        reference: Reference,
        harmonic: np.ndarray,
        frequencies: np.ndarray,
        errors: np.ndarray,
        curvature: np.ndarray | None = None,
    ) -> Commensurate:
        """Make it of arrays of shape (n_q, n_bands)."""
        points, multiplicities = reference.wave_vectors
        return cls(
            wave_vectors=points.tolist(),
            supercell_matrix=np.rint(reference.phonopy.supercell_matrix).astype(int).tolist(),
            multiplicities=multiplicities.tolist(),
            harmonic=harmonic.tolist(),
            frequencies=frequencies.tolist(),
            errors=errors.tolist(),
            curvature=None if curvature is None else curvature.tolist(),
        )

    def largest_shift(self) -> tuple[float, int, int]:
        """Find the mode that temperature changes most: by how much, THz, wave vector and band."""
        shift = np.array(self.frequencies) - np.array(self.harmonic)
        q, band = np.unravel_index(np.abs(shift).argmax(), shift.shape)
        return float(shift[q, band]), int(q), int(band)


class History(BaseModel):
    """How self-consistent phonons were found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    settings: SschaSettings
    steps: tuple[Step, ...]
    commensurate: Commensurate
    n_atoms: int
    """In a displaced supercell."""

    n_evaluations: int
    """Displaced supercells that were evaluated, those of other cells included."""
