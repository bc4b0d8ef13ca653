"""Exact second derivatives: rows of the Hessian, as few as symmetry leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.errors import PotentialError
from mlphonon.force_constants.cells import to_ase
from mlphonon.force_constants.displacements import forces_at_rest
from mlphonon.force_constants.force_constants import ForceConstants, repair
from mlphonon.potentials.potential import DifferentiablePotential

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.potentials.potential import Potential, ProgressCallback

UNIT = 0.01
"""Length that phonopy is told, A; the answers are exactly linear in it."""


def plan_rows(phonopy: Phonopy) -> None:
    """Let phonopy choose the inequivalent atoms and the directions their sites leave open."""
    phonopy.generate_displacements(distance=UNIT, is_plusminus=False)


def from_second_derivatives(
    phonopy: Phonopy, potential: Potential, progress: ProgressCallback | None = None
) -> ForceConstants:
    """Differentiate the forces of the undisplaced supercell and expand by symmetry.

    The answer to a displacement u is -Phi u, and phonopy makes of these answers what it makes
    of differences: all force constants by the space group.

    Raises
    ------
    PotentialError
        If the potential cannot be differentiated twice.
    """
    if not isinstance(potential, DifferentiablePotential):
        raise PotentialError(
            f"potential '{potential.info.name}' gives no second derivatives",
            "it does not run in this process as a differentiable model",
            "use the method displacements",
        )
    rest = forces_at_rest(phonopy, potential, progress)
    moved = phonopy.dataset["first_atoms"]
    directions = [(int(one["number"]), np.asarray(one["displacement"])) for one in moved]
    rows = potential.hessian_rows(to_ase(phonopy.supercell), directions, progress)
    phonopy.forces = -rows
    phonopy.produce_force_constants(show_drift=False)
    residuals = repair(phonopy, rest)
    return ForceConstants(
        phonopy=phonopy,
        method="autodiff",
        displacement=None,
        n_displacements=len(directions),
        residuals=residuals,
    )
