"""Any ASE calculator as a potential, and any potential as an ASE calculator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

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

    from mlphonon.potentials.potential import Potential


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
        check_properties(type(calculator).__name__, calculator.implemented_properties)
        self._calculator = calculator
        self._has_stress = "stress" in calculator.implemented_properties
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
            results.append(self._evaluate_one(atoms))
            if progress is not None:
                progress(1)
        return results

    def _evaluate_one(self, atoms: Atoms) -> Evaluation:
        copy = atoms.copy()
        copy.set_cell(right_handed(atoms.cell.array))
        copy.calc = self._calculator
        stress = np.full((3, 3), np.nan)
        try:
            energy = float(copy.get_potential_energy())
            # A constraint on the structure does not change what the potential says.
            forces = np.array(copy.get_forces(apply_constraint=False), dtype=float)
            if self._has_stress:
                found = copy.get_stress(voigt=False, apply_constraint=False)
                stress = np.array(found, dtype=float)
        # Calculators meet what they cannot do with any exception there is.
        except Exception as error:
            lines = str(error).splitlines() or [type(error).__name__]
            raise PotentialError(
                f"calculator {self._info.name} failed on {atoms.get_chemical_formula()}",
                lines[0],
                "choose one that knows these elements, or look at the structure",
            ) from error
        return Evaluation(energy, forces, stress)

    def calculator(self) -> Calculator:
        """Return the calculator itself."""
        return self._calculator


def right_handed(cell: np.ndarray) -> np.ndarray:
    """Return vectors of the same lattice that are right-handed, shape (3, 3), A.

    Programs that divide by a determinant instead of a volume (CHGNet 0.4.2, SevenNet 0.13)
    give the stress of left-handed cells the wrong sign.
    """
    return -cell if np.linalg.det(cell) < 0 else cell


def check_properties(name: str, properties: Iterable[str]) -> None:
    """Raise `PotentialError` if a calculator with these properties cannot be a potential."""
    if missing := {"energy", "forces"} - set(properties):
        raise PotentialError(
            f"calculator {name} gives no {' and no '.join(sorted(missing))}",
            fix="use a calculator that implements energy and forces",
        )


def as_calculator(potential: Potential) -> Calculator:
    """Wrap `potential` as a calculator that asks `Potential.evaluate`, so that both agree."""
    from ase.calculators.calculator import Calculator, all_changes

    class PotentialCalculator(Calculator):
        implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

        def calculate(
            self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes
        ) -> None:
            super().calculate(atoms, properties, system_changes)
            found = potential.evaluate([atoms])[0]
            self.results = {
                "energy": found.energy,
                "free_energy": found.energy,
                "forces": found.forces,
            }
            if np.isfinite(found.stress).all():
                self.results["stress"] = found.stress.ravel()[[0, 4, 8, 5, 2, 1]]
            elif "stress" in (properties or ()):
                raise PotentialError(
                    f"potential '{potential.info.name}' gives no stress",
                    "the cell cannot be relaxed without",
                    "use --no-relax on a structure that is at the potential's minimum",
                )

    return PotentialCalculator()
