"""Any ASE calculator as a potential."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.errors import PotentialError
from mlphonon.potentials.potential import (
    Evaluation,
    PotentialInfo,
    ProgressCallback,
    check_elements,
)

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


class AsePotential:
    """A potential that asks an ASE calculator, one structure after another.

    Parameters
    ----------
    calculator : Calculator
        Must give energy and forces; stress too if the cell is to be relaxed.
    name : str, optional
        How it is called in results; the class name by default.
    """

    def __init__(self, calculator: Calculator, name: str | None = None) -> None:
        properties = set(calculator.implemented_properties)
        if missing := {"energy", "forces"} - properties:
            raise PotentialError(
                f"calculator {type(calculator).__name__} gives no"
                f" {' and no '.join(sorted(missing))}",
                fix="use a calculator that implements energy and forces",
            )
        self._calculator = calculator
        self._has_stress = "stress" in properties
        self._info = PotentialInfo(
            name=name or type(calculator).__name__,
            backend="ase",
            dtype="unknown",
            device="unknown",
        )

    @property
    def info(self) -> PotentialInfo:
        """What the engine must know of this potential."""
        return self._info

    def evaluate(
        self, structures: Sequence[Atoms], progress: ProgressCallback | None = None
    ) -> list[Evaluation]:
        """Evaluate structures one by one (see `Potential.evaluate`).

        A calculator without stress gives a stress of NaN, which a relaxation of the cell
        refuses.
        """
        check_elements(self._info, structures)
        results = []
        for atoms in structures:
            copy = atoms.copy()
            copy.calc = self._calculator
            forces = np.array(copy.get_forces(), dtype=float)
            stress = np.full((3, 3), np.nan)
            if self._has_stress:
                stress = np.array(copy.get_stress(voigt=False), dtype=float)
            results.append(Evaluation(float(copy.get_potential_energy()), forces, stress))
            if progress is not None:
                progress(1)
        return results

    def calculator(self) -> Calculator:
        """Return the calculator itself."""
        return self._calculator
