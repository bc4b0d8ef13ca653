"""Exact second derivatives: rows of the Hessian, as few as symmetry leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.errors import PotentialError
from mlphonon.force_constants.cells import to_ase
from mlphonon.force_constants.displacements import SMALL, forces_at_rest
from mlphonon.force_constants.force_constants import ForceConstants, repair
from mlphonon.potentials.potential import DifferentiablePotential

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy

    from mlphonon.potentials.potential import Potential, ProgressCallback

UNIT = 0.01
"""Length that phonopy is told, A; the answers are exactly linear in it."""

LARGEST_ROUNDING = 1e-3
"""Relative error of a row in float32 above which all rows are made in float64. Usual is 1e-5."""

Direction = tuple[int, np.ndarray]


def from_second_derivatives(
    phonopy: Phonopy,
    potential: Potential,
    dtype: str,
    progress: ProgressCallback | None = None,
) -> ForceConstants:
    """Differentiate the forces of the undisplaced supercell and expand by symmetry.

    The answer to a displacement u is -Phi u, and phonopy makes of these answers what it makes
    of differences: all force constants by the space group. The first row in float32 is compared
    with a small displacement in float64; if it is too far off, all are made in float64.

    Parameters
    ----------
    phonopy : Phonopy
        With displacements, whose directions are taken.
    potential : Potential
        Must be a `DifferentiablePotential`.
    dtype : {"float32", "float64"}
        Precision of the rows.
    progress : callable, optional
        Told of each row.

    Raises
    ------
    PotentialError
        If the potential cannot be differentiated twice.
    """
    if not isinstance(potential, DifferentiablePotential):
        raise not_differentiable(potential.info.name)
    rest = forces_at_rest(phonopy, potential, progress)
    supercell = to_ase(phonopy.supercell)
    moved = phonopy.dataset["first_atoms"]
    directions = [(int(one["number"]), np.asarray(one["displacement"])) for one in moved]
    rows = potential.in_precision(dtype).hessian_rows(supercell, directions, progress)
    rounding = None
    if dtype == "float32":
        exact = potential.in_precision("float64")
        unmoved = rest if exact is potential else forces_at_rest(phonopy, exact)
        rounding = _rounding(exact, unmoved, supercell, directions[0], rows[0])
        # Not "> limit": that would let NaN pass.
        if not rounding <= LARGEST_ROUNDING:
            dtype, rows = "float64", exact.hessian_rows(supercell, directions)
    phonopy.forces = -rows
    phonopy.produce_force_constants(show_drift=False)
    residuals = repair(phonopy, rest, rounding=rounding)
    return ForceConstants(
        phonopy=phonopy,
        method="autodiff",
        displacement=None,
        n_displacements=len(directions),
        residuals=residuals,
        dtype=dtype,
    )


def _rounding(
    exact: DifferentiablePotential,
    rest: np.ndarray,
    supercell: Atoms,
    direction: Direction,
    row: np.ndarray,
) -> float:
    """Relative difference of a row from a displacement of `SMALL` in float64."""
    atom, vector = direction
    structure = supercell.copy()
    structure.positions[atom] += SMALL / np.linalg.norm(vector) * vector
    (moved,) = exact.evaluate([structure])
    expected = (rest - moved.forces) * np.linalg.norm(vector) / SMALL
    return float(np.linalg.norm(row - expected) / np.linalg.norm(expected))


def not_differentiable(name: str) -> PotentialError:
    """Say that a potential gives no second derivatives."""
    return PotentialError(
        f"potential '{name}' gives no second derivatives",
        "it does not run in this process as a differentiable model",
        "use the method displacements",
    )
