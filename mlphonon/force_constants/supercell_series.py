"""The supercell grown on purpose, until frequencies stand still."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlphonon.crystal.supercell import perpendicular_heights
from mlphonon.errors import SettingsError

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.force_constants import ForceConstants

FIRST_HEIGHT = 7.0
"""A; the first supercell. Less is below the reach of any potential."""

GROWTH = 1.2
"""Of the least height, from one supercell to the next: below, few crystals have another."""

MOST_POINTS = 300
"""q-points at which two supercells are compared."""


class SupercellStep(BaseModel):
    """One supercell of a series.

    Attributes
    ----------
    n_atoms : int
        In it.
    height_A : float
        Its least perpendicular height.
    change_THz : float, optional
        Largest change of a frequency from the one before; None for the first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_atoms: int
    height_A: float
    change_THz: float | None


def grow_supercell(
    choose: Callable[[float], np.ndarray],
    solve: Callable[[np.ndarray], ForceConstants],
    tolerance: float,
) -> tuple[ForceConstants, tuple[SupercellStep, ...]]:
    """Return force constants of the first supercell that changes no frequency by more.

    Parameters
    ----------
    choose : callable
        From a least height (A) to a supercell matrix; raises SettingsError if it is too large.
    solve : callable
        From a supercell matrix to force constants.
    tolerance : float
        THz.

    Returns
    -------
    constants : ForceConstants
        Of the last and largest supercell.
    steps : tuple of SupercellStep
        The series.

    Raises
    ------
    SettingsError
        If the next supercell would be too large; the message says how far it came.
    """
    found = solve(choose(FIRST_HEIGHT))
    steps = [_describe(found.phonopy, None)]
    while steps[-1].change_THz is None or steps[-1].change_THz > tolerance:
        try:
            matrix = choose(GROWTH * steps[-1].height_A)
        except SettingsError as error:
            raise SettingsError(
                f"the supercell is not converged to {tolerance:g} THz: {describe_series(steps)}",
                str(error).partition(";")[0],
                "raise max_atoms or the tolerance",
            ) from error
        before, found = found, solve(matrix)
        change = largest_change(before.phonopy, found.phonopy)
        steps.append(_describe(found.phonopy, change))
    return found, tuple(steps)


def largest_change(small: Phonopy, large: Phonopy) -> float:
    """Return by how much frequencies of two supercells of one crystal differ at most, THz."""
    return float(frequency_changes(small, large).max())


def frequency_changes(small: Phonopy, large: Phonopy) -> np.ndarray:
    """Return by how much frequencies of two supercells of one crystal differ, THz, (n, n_bands).

    At the wave vectors that fit into the larger, and half-way from them to Gamma.
    """
    from phonopy.harmonic.dynmat_to_fc import get_commensurate_points

    fitting = get_commensurate_points(np.asarray(large.supercell_matrix))
    points = np.concatenate([fitting, fitting / 2])
    points = points[:: max(1, len(points) // MOST_POINTS)]
    one, other = (np.asarray(p.run_qpoints(points).frequencies) for p in (small, large))
    return np.abs(one - other)


def _describe(phonopy: Phonopy, change: float | None) -> SupercellStep:
    height = float(perpendicular_heights(phonopy.supercell.cell).min())
    return SupercellStep(n_atoms=len(phonopy.supercell), height_A=height, change_THz=change)


def describe_series(steps: Sequence[SupercellStep]) -> str:
    """Say the sizes of the supercells and what each changed, in words."""
    texts = [
        f"{step.n_atoms} atoms"
        + ("" if step.change_THz is None else f" (changed by {step.change_THz:.2g} THz)")
        for step in steps
    ]
    return ", ".join(texts)
