"""Which way to the force constants is the cheapest for this crystal and this potential."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from mlphonon.errors import SettingsError
from mlphonon.force_constants.autodiff import from_second_derivatives, plan_rows
from mlphonon.force_constants.displacements import (
    SMALL,
    from_displacements,
    make_supercell,
    plan_displacements,
)
from mlphonon.force_constants.force_constants import ForceConstants
from mlphonon.force_constants.regression import (
    Snapshots,
    count_snapshots,
    from_regression,
)
from mlphonon.settings import Method, PhononSettings

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.potentials.potential import Potential, PotentialInfo, ProgressCallback


@dataclass(frozen=True)
class Plan:
    """What is to be done for the force constants.

    Attributes
    ----------
    phonopy : Phonopy
        With the supercell and, but for a regression, its displacements.
    method : {"displacements", "autodiff", "regression"}
        How.
    n_evaluations : int
        Supercells or rows; one more step is that at rest.
    what : str
        The same in words, e.g. ``"2 displacements of 0.01 A"``.
    reason : str
        Why this method.
    run : callable
        From a potential and a callback to the force constants.
    """

    phonopy: Phonopy
    method: Method
    n_evaluations: int
    what: str
    reason: str
    run: Callable[[Potential, ProgressCallback | None], ForceConstants]

    def compute(
        self, potential: Potential, progress: ProgressCallback | None = None
    ) -> ForceConstants:
        """Do it."""
        return replace(self.run(potential, progress), reason=self.reason)


def plan_force_constants(
    atoms: Atoms, supercell_matrix: np.ndarray, info: PotentialInfo, settings: PhononSettings
) -> Plan:
    """Choose a way to the force constants, or take the one that was asked for.

    Parameters
    ----------
    atoms : Atoms
        Primitive cell, at its minimum.
    supercell_matrix : ndarray of int, shape (3, 3)
        In phonopy's convention (columns).
    info : PotentialInfo
        Of the potential: its precision, and whether it can be differentiated.
    settings : PhononSettings
        ``method``, ``protocol``, ``displacement`` and ``symprec`` are used.

    Raises
    ------
    SettingsError
        If small displacements are asked of a potential whose forces are not float64, or a
        regression of a crystal that is too large for it.
    """
    if settings.method == "autodiff":
        return _autodiff(atoms, supercell_matrix, settings, "asked for")
    if settings.method == "regression":
        _require_float64(info)
        phonopy = make_supercell(atoms, supercell_matrix, settings.symprec)
        return _regression(phonopy, count_snapshots(phonopy), "asked for")
    if settings.method == "displacements":
        if settings.protocol == "small":
            _require_float64(info)
        return _displacements(atoms, supercell_matrix, settings, "asked for")
    return _cheapest(atoms, supercell_matrix, info, settings)


def _cheapest(
    atoms: Atoms, matrix: np.ndarray, info: PotentialInfo, settings: PhononSettings
) -> Plan:
    """Choose by precision first, since it decides what a difference is worth, then by count."""
    if info.dtype != "float64":
        if info.differentiable:
            why = f"rows of the Hessian are precise in {info.dtype}, small differences are not"
            return _autodiff(atoms, matrix, settings, why)
        field = settings.model_copy(update={"protocol": "field"})
        why = f"forces are {info.dtype}, too coarse for small differences"
        return _displacements(atoms, matrix, field, why)
    # Not a regression: to find how many supercells it takes costs 20 s for 432 atoms.
    small = settings.model_copy(update={"protocol": "small"})
    why = "one-sided differences are precise in float64"
    return _displacements(atoms, matrix, small, why)


def _displacements(atoms: Atoms, matrix: np.ndarray, settings: PhononSettings, reason: str) -> Plan:
    phonopy = plan_displacements(atoms, matrix, settings)
    small = settings.protocol == "small"
    n_displaced = len(phonopy.supercells_with_displacements or [])
    length = SMALL if small else settings.displacement
    return Plan(
        phonopy=phonopy,
        method="displacements",
        n_evaluations=n_displaced + small,
        what=f"{n_displaced} displacement{'' if n_displaced == 1 else 's'} of {length:g} A",
        reason=reason,
        run=lambda potential, progress: from_displacements(phonopy, potential, settings, progress),
    )


def _autodiff(atoms: Atoms, matrix: np.ndarray, settings: PhononSettings, reason: str) -> Plan:
    phonopy = make_supercell(atoms, matrix, settings.symprec)
    plan_rows(phonopy)
    n_rows = len(phonopy.dataset["first_atoms"])
    return Plan(
        phonopy=phonopy,
        method="autodiff",
        n_evaluations=n_rows,
        what=f"{n_rows} row{'' if n_rows == 1 else 's'} of second derivatives",
        reason=reason,
        run=lambda potential, progress: from_second_derivatives(phonopy, potential, progress),
    )


def _regression(phonopy: Phonopy, snapshots: Snapshots, reason: str) -> Plan:
    return Plan(
        phonopy=phonopy,
        method="regression",
        n_evaluations=snapshots.number + 1,
        what=f"{snapshots.number + 1} random displacements for"
        f" {snapshots.n_coefficients} coefficients",
        reason=reason,
        run=lambda potential, progress: from_regression(phonopy, potential, snapshots, progress),
    )


def _require_float64(info: PotentialInfo) -> None:
    if info.dtype != "float64":
        raise SettingsError(
            f"small displacements need forces in float64, those of '{info.name}' are {info.dtype}",
            fix="use --dtype float64, or the protocol field",
        )
