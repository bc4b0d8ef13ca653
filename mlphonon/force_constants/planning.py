"""Which way to the force constants is the cheapest for this crystal and this potential."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from mlphonon.errors import PotentialError, SettingsError
from mlphonon.force_constants.autodiff import UNIT, from_second_derivatives, not_differentiable
from mlphonon.force_constants.cells import to_ase
from mlphonon.force_constants.displacements import (
    SMALL,
    Moves,
    NoisyForcesError,
    find_moves,
    from_displacements,
    make_supercell,
    set_displacements,
)
from mlphonon.force_constants.force_constants import ForceConstants
from mlphonon.force_constants.regression import count_snapshots, from_regression
from mlphonon.potentials.memory import GIGABYTE, available_memory
from mlphonon.potentials.potential import DifferentiablePotential
from mlphonon.settings import Method, PhononSettings

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.potentials.potential import Potential, PotentialInfo, ProgressCallback

ROW = 1.2
"""What a row of second derivatives costs, and the forces that all rows start from, in force calls
of the same precision (1.1 to 1.5; 2.4 for a large model in float32: ``benchmarks/methods.md``)."""

SINGLE = 0.5
"""What a call in float32 costs, in calls in float64."""

WORTH_ROUNDING = 0.9
"""Rows in float32 are taken for a potential in float64 if they cost less than this share of
displacements in float64. They are no less precise: ten crystals' frequencies were within 2e-4 THz
of the exact ones, those of the field's 0.01 A in float64 within 2e-2."""

PROBE_ATOMS = 64
"""Of the crystal that is timed before long work: smaller ones are not a fair sample."""

LONG = 40 * PROBE_ATOMS
"""Atoms times evaluations from which on the time is predicted: the probe is then a small part."""


@dataclass(frozen=True)
class ForceConstantPlan:
    """What is to be done for the force constants.

    Attributes
    ----------
    phonopy : Phonopy
        With the supercell and, but for a regression, its displacements.
    method : {"displacements", "autodiff", "regression"}
        How.
    dtype : str
        Precision of the forces or rows.
    n_evaluations : int
        Supercells or rows; one more step is that at rest.
    what : str
        The same in words, e.g. ``"2 displacements of 0.01 A"``.
    reason : str
        Why this method.
    memory : int, optional
        Predicted, bytes; None where the potential does not say.
    run : callable
        From a potential and a callback to the force constants.
    """

    phonopy: Phonopy
    method: Method
    dtype: str
    n_evaluations: int
    what: str
    reason: str
    memory: int | None
    run: Callable[[Potential, ProgressCallback | None], ForceConstants]

    def compute(
        self, potential: Potential, progress: ProgressCallback | None = None
    ) -> ForceConstants:
        """Do it."""
        found = self.run(potential, progress)
        return replace(found, reason=f"{self.reason}{found.reason and ', but '}{found.reason}")

    def describe(self, potential: Potential) -> str:
        """Say how large the work is: atoms, evaluations, memory and, where it is long, time."""
        text = [f"supercell of {len(self.phonopy.supercell)} atoms", self.what]
        if self.memory is not None:
            text.append(f"about {self.memory / GIGABYTE:.2g} GB")
        seconds = self.predict_seconds(potential)
        if seconds is not None:
            text.append(f"about {describe_duration(seconds)}")
        return ", ".join(text)

    def predict_seconds(self, potential: Potential) -> float | None:
        """Time a small piece of the crystal and scale it up.

        None where the work is short, or where time does not simply grow with the number of atoms
        because the potential is not local.
        """
        n_atoms = len(self.phonopy.supercell)
        if potential.info.cutoff is None or self.n_evaluations * n_atoms < LONG:
            return None
        primitive = to_ase(self.phonopy.primitive)
        probe = primitive.repeat((-(-PROBE_ATOMS // len(primitive)), 1, 1))
        engine = potential
        if self.method == "autodiff" and isinstance(potential, DifferentiablePotential):
            engine = potential.in_precision(self.dtype)
        engine.evaluate([probe])  # the first of its size is slower
        begun = time.perf_counter()
        engine.evaluate([probe, probe])
        each = (time.perf_counter() - begun) / 2 * (ROW if self.method == "autodiff" else 1)
        return each * n_atoms / len(probe) * (self.n_evaluations + 1)


def describe_duration(seconds: float) -> str:
    """Return a duration in words, rounded."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def check_method(info: PotentialInfo, settings: PhononSettings) -> None:
    """Raise if a potential cannot do what the settings ask for.

    Raises
    ------
    PotentialError
        If second derivatives are asked of a potential that cannot be differentiated.
    SettingsError
        If small displacements are asked of a potential whose forces are not float64.
    """
    if settings.method == "autodiff" and not info.differentiable:
        raise not_differentiable(info.name)
    small = settings.method == "displacements" and settings.protocol == "small"
    if (small or settings.method == "regression") and info.dtype != "float64":
        raise SettingsError(
            f"small displacements need forces in float64, those of '{info.name}' are {info.dtype}",
            fix="use --dtype float64, or the protocol field",
        )


def plan_force_constants(
    atoms: Atoms, supercell_matrix: np.ndarray, potential: Potential, settings: PhononSettings
) -> ForceConstantPlan:
    """Choose a way to the force constants, or take the one that was asked for.

    Parameters
    ----------
    atoms : Atoms
        Primitive cell, at its minimum.
    supercell_matrix : ndarray of int, shape (3, 3)
        In phonopy's convention (columns).
    potential : Potential
        Its precision counts, whether it can be differentiated, and what memory it takes.
    settings : PhononSettings
        ``method``, ``row_dtype``, ``protocol``, ``displacement`` and ``symprec`` are used.

    Raises
    ------
    PotentialError, SettingsError
        See `check_method`; or if a regression is asked of a crystal that is too large for it, or
        the memory there is will not do.
    """
    check_method(potential.info, settings)
    phonopy = make_supercell(atoms, supercell_matrix, settings.symprec)
    crystal = _Supercell(phonopy, find_moves(phonopy), potential, settings)
    makers = {
        "auto": lambda: _cheapest(crystal),
        "autodiff": lambda: crystal.rows(settings.row_dtype, "asked for"),
        "regression": lambda: crystal.regression("asked for"),
        "displacements": lambda: crystal.displacements(settings.protocol, "asked for"),
    }
    plan = makers[settings.method]()
    if not crystal.fits(plan):
        raise crystal.does_not_fit(plan)
    return plan


def _cheapest(crystal: _Supercell) -> ForceConstantPlan:
    """Choose by precision first, since it decides what a difference is worth, then by cost.

    A regression is never the cheapest: it takes as many supercells as modes of one wave vector
    and one symmetry are coupled, two thirds of the displacements at best, and its own algebra.
    """
    info = crystal.potential.info
    precise = info.dtype == "float64"
    number = len(crystal.moves.one_way)
    # The row that is checked costs a call more.
    share = (1 + SINGLE * ROW * (number + 1)) / (number + crystal.is_checked)

    def rows() -> ForceConstantPlan:
        if precise:
            why = f"rows in float32 cost {100 * share:.0f} % of one-sided differences in float64"
            return crystal.rows("float32", why)
        return crystal.rows("own", f"rows are precise in {info.dtype}, differences are not")

    def differences() -> ForceConstantPlan:
        if precise:
            return crystal.displacements("small", "one-sided differences are precise in float64")
        why = f"forces are {info.dtype}, too coarse for small differences"
        return crystal.displacements("field", why)

    if not info.differentiable:
        return differences()
    by_preference = [rows, differences]
    if precise and share > WORTH_ROUNDING:
        by_preference.reverse()
    first = by_preference[0]()
    return first if crystal.fits(first) else by_preference[1]()


@dataclass(frozen=True)
class _Supercell:
    """A supercell of a crystal and whose force constants are wanted; makes the plans.

    Plans share the phonopy object: that which was made last holds.
    """

    phonopy: Phonopy
    moves: Moves
    potential: Potential
    settings: PhononSettings

    @property
    def is_checked(self) -> bool:
        """Whether small displacements are checked for linearity and noise.

        Not those of a model that can be differentiated, which is smooth, where symmetry makes
        every displacement equal to its opposite.
        """
        return self.moves.opposites_differ or not self.potential.info.differentiable

    def displacements(self, protocol: str, reason: str) -> ForceConstantPlan:
        """Finite displacements of a protocol."""
        phonopy, dtype = self.phonopy, self.potential.info.dtype
        small = protocol == "small"
        moves = self.moves.one_way if small else self.moves.both_ways
        length, number = SMALL if small else self.settings.displacement, len(moves)
        check = small and self.is_checked
        set_displacements(phonopy, moves, length)

        def run(potential: Potential, progress: ProgressCallback | None) -> ForceConstants:
            try:
                return from_displacements(phonopy, potential, check, progress)
            except NoisyForcesError as error:
                if self.settings.method != "auto":
                    raise
                field = self.displacements("field", "").compute(potential, progress)
                return replace(field, reason=str(error).partition(";")[0])

        return ForceConstantPlan(
            phonopy=phonopy,
            method="displacements",
            dtype=dtype,
            n_evaluations=number + check,
            what=f"{number} displacement{'' if number == 1 else 's'} of {length:g} A",
            reason=reason,
            memory=self._memory(dtype, rows=False),
            run=run,
        )

    def rows(self, dtype: str, reason: str) -> ForceConstantPlan:
        """Second derivatives in a precision (``"own"``: that of the potential)."""
        phonopy = self.phonopy
        dtype = self.potential.info.dtype if dtype == "own" else dtype
        set_displacements(phonopy, self.moves.one_way, UNIT)
        number = len(self.moves.one_way)
        return ForceConstantPlan(
            phonopy=phonopy,
            method="autodiff",
            dtype=dtype,
            n_evaluations=number,
            what=f"{number} row{'' if number == 1 else 's'} of second derivatives in {dtype}",
            reason=reason,
            memory=self._memory(dtype, rows=True),
            run=lambda potential, progress: from_second_derivatives(
                phonopy, potential, dtype, progress
            ),
        )

    def regression(self, reason: str) -> ForceConstantPlan:
        """Random displacements of all atoms."""
        phonopy = self.phonopy
        snapshots = count_snapshots(phonopy)
        number = snapshots.number + 1
        return ForceConstantPlan(
            phonopy=phonopy,
            method="regression",
            dtype=self.potential.info.dtype,
            n_evaluations=number,
            what=f"{number} random displacements for {snapshots.n_coefficients} coefficients",
            reason=reason,
            memory=self._memory(self.potential.info.dtype, rows=False),
            run=lambda potential, progress: from_regression(
                phonopy, potential, snapshots, progress
            ),
        )

    def _memory(self, dtype: str, rows: bool) -> int | None:
        if not isinstance(self.potential, DifferentiablePotential):
            return None
        return self.potential.in_precision(dtype).memory(to_ase(self.phonopy.supercell), rows)

    def fits(self, plan: ForceConstantPlan) -> bool:
        """Whether a plan will do with the memory there is."""
        if plan.memory is None:
            return True
        return plan.memory <= available_memory(self.potential.info.device)

    def does_not_fit(self, plan: ForceConstantPlan) -> PotentialError:
        """Say that a plan takes more memory than there is."""
        free = available_memory(self.potential.info.device)
        return PotentialError(
            f"{plan.what} would take about {(plan.memory or 0) / GIGABYTE:.2g} GB",
            f"{free / GIGABYTE:.2g} GB are free on {self.potential.info.device}",
            "use a smaller supercell, --method auto, --dtype float32 or another device",
        )
