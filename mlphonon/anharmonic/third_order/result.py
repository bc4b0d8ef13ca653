"""Third-order force constants, how they were made, and what was wrong with them before repair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from phono3py import Phono3py

Route = Literal["displacements", "regression", "autodiff"]
"""Ways to third-order force constants."""


class Provenance(BaseModel):
    """How third-order force constants were made.

    Units stand in the names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    route: Route
    reason: str
    """Why this one."""

    supercell_matrix: tuple[tuple[int, int, int], ...]
    n_atoms_supercell: int
    displacement_A: float
    cutoff_A: float | None
    """Longest pair that was displaced, or longest side of a triplet; None where none was left
    out."""

    n_evaluations: int
    """Supercells whose forces were evaluated, or rows of second derivatives."""

    n_coefficients: int | None = None
    """Independent numbers, where they were counted."""

    drift_eV_per_A3: float
    """Largest violation of the acoustic sum rule before it was imposed."""

    held_out: float
    """Relative error of what is quadratic in a random displacement of all atoms, in forces that
    were not used."""

    seconds: float


@dataclass(frozen=True)
class ThirdOrder:
    """Second- and third-order force constants of a crystal.

    Attributes
    ----------
    phono3py : Phono3py
        Holds both, symmetric; the second order in the supercell of the harmonic phonons.
    provenance : Provenance
        How the third order was made.
    """

    phono3py: Phono3py
    provenance: Provenance

    @property
    def array(self) -> np.ndarray:
        """Third order, eV/A^3, shape (n_primitive or n_supercell, n, n, 3, 3, 3)."""
        return np.asarray(self.phono3py.fc3)
