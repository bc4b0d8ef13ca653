"""Second-order force constants, how they were made, and what was wrong with them before repair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlphonon.settings import Method

if TYPE_CHECKING:
    from phonopy import Phonopy

SYMMETRISATION_ROUNDS = 3
"""Translation and index permutation spoil each other slightly; after three rounds the sum
rule holds to rounding, at no cost that can be measured."""


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

    nonlinearity: float | None = None
    """|F(2u) - 2 F(u)| / |2 F(u)| of one displacement, where it was measured: the relative error
    of a one-sided difference."""

    held_out: float | None = None
    """Relative error of the forces of a displaced supercell that a regression has not seen."""

    rounding: float | None = None
    """Relative difference of a row of second derivatives in float32 from a small displacement in
    float64."""


@dataclass(frozen=True)
class ForceConstants:
    """Force constants of a supercell.

    Attributes
    ----------
    phonopy : Phonopy
        Holds the cells, the displacements and forces, and the symmetrised force constants.
    method : {"displacements", "autodiff", "regression"}
        How they were made.
    displacement : float, optional
        Length of the displacements, A (of each atom's, for a regression: root mean square); None
        where there were none.
    n_displacements : int
        Displaced supercells that were evaluated, or rows of second derivatives.
    residuals : Residuals
        Violations before symmetrisation.
    dtype : str
        Precision of the forces or rows.
    reason : str
        Why this method.
    n_coefficients : int, optional
        Independent numbers in the force constants, where they were counted.
    """

    phonopy: Phonopy
    method: Method
    displacement: float | None
    n_displacements: int
    residuals: Residuals
    dtype: str = "unknown"
    reason: str = ""
    n_coefficients: int | None = None

    @property
    def array(self) -> np.ndarray:
        """Force constants, eV/A^2, shape (n_primitive, n_supercell, 3, 3)."""
        return np.asarray(self.phonopy.force_constants)


def repair(phonopy: Phonopy, rest: np.ndarray, **measured: float | None) -> Residuals:
    """Symmetrise full force constants in place and keep the rows of the primitive cell.

    Parameters
    ----------
    phonopy : Phonopy
        With its raw force constants.
    rest : ndarray, shape (n_supercell, 3)
        Forces in the undisplaced supercell, eV/A.
    **measured : float or None
        What else was measured of them, by the names of `Residuals`.

    Returns
    -------
    Residuals
        What was wrong with them before.
    """
    from phonopy.harmonic.force_constants import full_fc_to_compact_fc

    raw = np.asarray(phonopy.force_constants)
    before = Residuals(
        undisplaced_force=float(np.linalg.norm(rest, axis=1).max()),
        drift=drift(raw),
        asymmetry=asymmetry(raw),
        **measured,
    )
    phonopy.symmetrize_force_constants(level=SYMMETRISATION_ROUNDS, show_drift=False)
    # Rows of the primitive cell's atoms hold all there is, in files a hundredth of the size.
    phonopy.force_constants = full_fc_to_compact_fc(phonopy.primitive, phonopy.force_constants)
    return before


def drift(force_constants: np.ndarray) -> float:
    """Largest |sum_j Phi_ij| of full force constants, shape (n, n, 3, 3), eV/A^2."""
    return float(np.abs(force_constants.sum(axis=1)).max())


def asymmetry(force_constants: np.ndarray) -> float:
    """Largest |Phi_ij - Phi_ji^T| of full force constants, shape (n, n, 3, 3), eV/A^2."""
    return float(np.abs(force_constants - force_constants.transpose(1, 0, 3, 2)).max())
