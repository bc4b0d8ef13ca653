"""Which way to the third order is the cheapest for this crystal and this potential."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.anharmonic.third_order.autodiff import STEP, displace_atoms, solve_rows
from mlphonon.anharmonic.third_order.displacements import (
    FIELD,
    SMALL,
    displace_pairs,
    solve_pairs,
    visible_length,
)
from mlphonon.anharmonic.third_order.regression import (
    AMPLITUDE,
    MOST_COEFFICIENTS,
    Space,
    measure_space,
    solve_regression,
)
from mlphonon.anharmonic.third_order.result import Route
from mlphonon.errors import PotentialError, SettingsError
from mlphonon.force_constants.autodiff import not_differentiable
from mlphonon.force_constants.cells import to_ase
from mlphonon.force_constants.planning import ROW, SINGLE
from mlphonon.potentials.memory import GIGABYTE, available_memory
from mlphonon.potentials.potential import DifferentiablePotential

if TYPE_CHECKING:
    from phono3py import Phono3py

    from mlphonon.anharmonic.third_order.settings import ThirdOrderSettings
    from mlphonon.potentials.potential import Potential, ProgressCallback

CALL_SECONDS = 1e-3
"""What a force call is taken to cost for each atom where it is weighed against algebra: about the
embedded potential on two cores. Not measured, so that the same work is always planned alike."""

Fit = tuple[int, int | None]
"""How many were evaluated, and how many coefficients were fitted, if they were."""


@dataclass(frozen=True)
class ThirdOrderPlan:
    """What is to be done for the third order.

    Attributes
    ----------
    route : Route
        How.
    n_evaluations : int
        Supercells or rows.
    cost : float
        In force calls of the potential as it is.
    displacement : float
        Length, A.
    run : callable
        Does it, given the forces at rest; leaves the third order in the phono3py object.
    """

    route: Route
    n_evaluations: int
    cost: float
    displacement: float
    run: Callable[[np.ndarray, ProgressCallback | None], Fit]
    reason: str = "asked for"


@dataclass(frozen=True)
class Planner:
    """Makes the plans for one crystal; that which is run last must be the one made last."""

    phono3py: Phono3py
    potential: Potential
    settings: ThirdOrderSettings

    @property
    def _precise(self) -> bool:
        return self.potential.info.dtype == "float64"

    def choose(self) -> ThirdOrderPlan:
        """Return the plan that was asked for, or the cheapest.

        Raises
        ------
        PotentialError
            If rows are asked of a potential that cannot be differentiated.
        SettingsError
            If a regression is asked of a crystal that has too many coefficients.
        """
        makers = {
            "displacements": self.pairs,
            "autodiff": self.rows,
            "regression": self.regression,
        }
        if self.settings.method != "auto":
            return makers[self.settings.method]()
        found = [self.pairs()]
        if isinstance(self.potential, DifferentiablePotential) and self._rows_fit():
            found.append(self.rows())
        if self._space().n_estimated <= MOST_COEFFICIENTS:
            found.append(self.regression())
        best = min(found, key=lambda plan: plan.cost)
        others = ", ".join(f"{p.route} {p.cost:.0f}" for p in found if p is not best)
        reason = f"costs {best.cost:.0f} force calls" + (f" ({others})" if others else "")
        # Pairs and rows leave their displacements in the phono3py object.
        again = makers[best.route]()
        return ThirdOrderPlan(
            again.route, again.n_evaluations, again.cost, again.displacement, again.run, reason
        )

    def pairs(self) -> ThirdOrderPlan:
        """Displaced pairs."""
        usual = SMALL if self._precise else FIELD
        length = visible_length(self.phono3py, usual, self.settings.displacement)
        number = displace_pairs(self.phono3py, length, self.settings.cutoff)

        def run(rest: np.ndarray, progress: ProgressCallback | None) -> Fit:
            solve_pairs(self.phono3py, self.potential, rest, progress)
            return number, None

        return ThirdOrderPlan("displacements", number, float(number), length, run)

    def rows(self) -> ThirdOrderPlan:
        """Second derivatives of displaced crystals."""
        if not isinstance(self.potential, DifferentiablePotential):
            raise not_differentiable(self.potential.info.name)
        engine = self.potential.in_precision(self.settings.row_dtype)
        usual = STEP[self.settings.row_dtype]
        length = visible_length(self.phono3py, usual, self.settings.displacement)
        number = displace_atoms(self.phono3py, length, self.settings.cutoff)
        if not self._rows_fit():
            raise PotentialError(
                "second derivatives take more memory than there is",
                f"{available_memory(self.potential.info.device) / GIGABYTE:.2g} GB are free",
                "use the method displacements or a smaller supercell",
            )

        def run(_rest: np.ndarray, progress: ProgressCallback | None) -> Fit:
            solve_rows(self.phono3py, engine, progress)
            return number, None

        single = self._precise and self.settings.row_dtype == "float32"
        cost = number * ROW * (SINGLE if single else 1.0)
        return ThirdOrderPlan("autodiff", number, cost, length, run)

    def regression(self) -> ThirdOrderPlan:
        """Random displacements of all atoms."""
        space, n_atoms = self._space(), len(self.phono3py.supercell)
        if space.n_estimated > MOST_COEFFICIENTS:
            raise SettingsError(
                f"a regression of about {space.n_estimated} coefficients would take gigabytes",
                f"{MOST_COEFFICIENTS} are the most that it is used for",
                "give a cutoff, or use another method for the third order",
            )
        amplitude = self.settings.displacement or AMPLITUDE[self._precise]

        def run(rest: np.ndarray, progress: ProgressCallback | None) -> Fit:
            evaluated, coefficients, _ = solve_regression(
                self.phono3py, self.potential, rest, space, amplitude, progress
            )
            return evaluated, coefficients

        cost = space.n_evaluations + _algebra_seconds(space) / (CALL_SECONDS * n_atoms)
        return ThirdOrderPlan("regression", space.n_evaluations, cost, amplitude, run)

    def _space(self) -> Space:
        return measure_space(self.phono3py, self.settings.cutoff, self._precise)

    def _rows_fit(self) -> bool:
        if not isinstance(self.potential, DifferentiablePotential):
            return False
        engine = self.potential.in_precision(self.settings.row_dtype)
        needed = engine.memory(to_ase(self.phono3py.supercell), rows=True)
        return needed <= available_memory(self.potential.info.device)


def _algebra_seconds(space: Space) -> float:
    """Predict how long symfc takes: 1.5 s for 770 coefficients, 53 s for 8,600."""
    return 1.0 + 53.0 * (space.n_estimated / 8600) ** 2
