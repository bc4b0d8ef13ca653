"""Second-order force constants, how they were made, and what was wrong with them before repair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from phonopy import Phonopy


class Residuals(BaseModel):
    """What the raw force constants violated, before they were symmetrised.

    A potential with exact symmetries and precise forces leaves these near zero; large
    values mean that the structure was not at rest or the forces are noisy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    undisplaced_force: float
    """Largest force in the undisplaced supercell, eV/A (subtracted from all others)."""

    drift: float
    """Largest violation of the acoustic sum rule, |sum_j Phi_ij|, eV/A^2."""

    asymmetry: float
    """Largest |Phi_ij - Phi_ji^T|, eV/A^2."""


@dataclass(frozen=True)
class ForceConstants:
    """Force constants of a supercell.

    Attributes
    ----------
    phonopy : Phonopy
        Holds the cells, the displacements and forces, and the symmetrised force constants.
    method : str
        How they were made: ``"displacements"``.
    displacement : float
        Length of the displacements, A.
    n_displacements : int
        Displaced supercells that were evaluated.
    residuals : Residuals
        Violations before symmetrisation.
    """

    phonopy: Phonopy
    method: str
    displacement: float
    n_displacements: int
    residuals: Residuals

    @property
    def array(self) -> np.ndarray:
        """Force constants, eV/A^2, shape (n_primitive, n_supercell, 3, 3)."""
        return np.asarray(self.phonopy.force_constants)
