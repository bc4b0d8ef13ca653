"""The one protocol that every potential meets, and what an evaluation returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from mlphonon.errors import PotentialError

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from mlphonon.potentials.training_space import TrainingSpace

ProgressCallback = Callable[[int], None]
"""Called with the number of structures that were just evaluated."""


@dataclass(frozen=True)
class Evaluation:
    """What a potential says about one structure.

    Attributes
    ----------
    energy : float
        Potential energy of the cell, eV.
    forces : ndarray, shape (n_atoms, 3)
        Forces, eV/A.
    stress : ndarray, shape (3, 3)
        Stress tensor, eV/A^3, positive under tension (ASE's sign).
    """

    energy: float
    forces: np.ndarray
    stress: np.ndarray

    def __post_init__(self) -> None:
        if self.forces.ndim != 2 or self.forces.shape[1] != 3:
            raise ValueError(f"forces must have shape (n_atoms, 3), not {self.forces.shape}")
        if self.stress.shape != (3, 3):
            raise ValueError(f"stress must have shape (3, 3), not {self.stress.shape}")
        if not (np.isfinite(self.energy) and np.isfinite(self.forces).all()):
            raise PotentialError(
                "the potential returned an energy or a force that is not a number",
                fix="look at the structure for atoms that are too close",
            )


@dataclass(frozen=True)
class PotentialInfo:
    """What the engine must know of a potential.

    Attributes
    ----------
    name : str
        Name in the catalogue, file name, or class of the calculator.
    backend : str
        ``"mace"``, ``"ase"`` or ``"isolated"``.
    dtype : str
        Precision of positions and forces: ``"float32"``, ``"float64"`` or ``"unknown"``.
    native_dtype : str, optional
        Precision its weights were published in.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"unknown"``.
    elements : frozenset of int, optional
        Atomic numbers it knows; None if it does not say.
    cutoff : float, optional
        Radius of one neighbourhood, A.
    receptive_field : float, optional
        Distance beyond which an atom cannot feel another, A.
    batched : bool
        Whether several structures are evaluated at once.
    differentiable : bool
        Whether forces can be differentiated again in this process.
    sha256 : str, optional
        Digest of the weights.
    kernels : str, optional
        Whose arithmetic is used, where there is a choice: ``"e3nn"`` (mace's own),
        ``"matmul"`` (ours, `mlphonon.potentials.mace.fused`), ``"cuequivariance"``.
    functional : str, optional
        The density functional it was taught.
    conservative : bool, optional
        Whether its forces are the slope of its energy; None if nobody said.
    tested : bool
        Whether it was run by those who put it into the catalogue.
    versions : mapping
        Versions of the packages that evaluate it, where they are not those of this process.
    """

    name: str
    backend: str
    dtype: str
    device: str
    elements: frozenset[int] | None = None
    cutoff: float | None = None
    receptive_field: float | None = None
    batched: bool = False
    differentiable: bool = False
    sha256: str | None = None
    kernels: str | None = None
    native_dtype: str | None = None
    functional: str | None = None
    conservative: bool | None = None
    tested: bool = True
    versions: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain types for provenance records (without the list of elements)."""
        record = asdict(self)
        record["n_elements"] = None if self.elements is None else len(self.elements)
        del record["elements"]
        return record


@runtime_checkable
class Potential(Protocol):
    """Positions, cell and species in; energy, forces and stress out.

    An implementation must leave its inputs unchanged, return results in the order of the
    inputs, and give the same numbers for a structure alone and in a batch.
    """

    @property
    def info(self) -> PotentialInfo:
        """What the engine must know of this potential."""
        ...

    def evaluate(
        self, structures: Sequence[Atoms], progress: ProgressCallback | None = None
    ) -> list[Evaluation]:
        """Evaluate energy, forces and stress of periodic structures.

        Parameters
        ----------
        structures : sequence of Atoms
            Periodic in three directions; sizes and species may differ.
        progress : callable, optional
            Called with the number of structures that were just done.

        Raises
        ------
        PotentialError
            If an element is unknown or a result is not finite.
        """
        ...

    def calculator(self) -> Calculator:
        """Return an ASE calculator that gives the same numbers."""
        ...


@runtime_checkable
class DifferentiablePotential(Potential, Protocol):
    """A potential whose forces can be differentiated again, in either precision."""

    def hessian_rows(
        self,
        atoms: Atoms,
        displacements: Sequence[tuple[int, np.ndarray]],
        progress: ProgressCallback | None = None,
    ) -> np.ndarray:
        """Second derivatives of the energy, each contracted with one atom's displacement.

        Parameters
        ----------
        atoms : Atoms
            A periodic structure.
        displacements : sequence of (int, ndarray of shape (3,))
            Index of an atom and a vector, A.
        progress : callable, optional
            Called with the number of rows that were just done.

        Returns
        -------
        ndarray, shape (n_displacements, n_atoms, 3)
            Minus the change of all forces to first order in the displacement, eV/A.
        """
        ...

    def in_precision(self, dtype: str) -> DifferentiablePotential:
        """Return the same potential in ``"float32"`` or ``"float64"`` (itself, if it is)."""
        ...

    def memory(self, atoms: Atoms, rows: bool = False, at_once: int = 1) -> int:
        """Predict the most memory that a calculation takes, without doing it.

        Parameters
        ----------
        atoms : Atoms
            A periodic structure.
        rows : bool
            Second derivatives, instead of forces alone.
        at_once : int
            Calculations that run side by side.

        Returns
        -------
        int
            Bytes.
        """
        ...


@runtime_checkable
class DescribedPotential(Potential, Protocol):
    """A potential that describes environments of atoms, and may know which it was taught."""

    @property
    def training_space(self) -> TrainingSpace | None:
        """The environments it was taught; None where nobody wrote them down."""
        ...

    def descriptors(self, atoms: Atoms) -> np.ndarray:
        """Describe the environment of each atom by numbers that no rotation changes.

        Parameters
        ----------
        atoms : Atoms
            A periodic structure.

        Returns
        -------
        ndarray of float64, shape (n_atoms, n_features)
            No unit.

        Raises
        ------
        PotentialError
            If an element is unknown, or it gives no descriptors.
        """
        ...


def check_elements(info: PotentialInfo, structures: Sequence[Atoms]) -> None:
    """Raise `PotentialError` if a structure holds an element the potential does not know."""
    if info.elements is None:
        return
    from ase.data import chemical_symbols

    present = {int(z) for atoms in structures for z in atoms.numbers}
    if unknown := sorted(present - info.elements):
        symbols = ", ".join(chemical_symbols[z] for z in unknown)
        raise PotentialError(
            f"potential '{info.name}' does not know {symbols}",
            f"it was trained on {len(info.elements)} elements",
            "choose another with --potential (see 'mlphonon potentials list')",
        )


def check_conservative(info: PotentialInfo, allowed: bool) -> None:
    """Raise `PotentialError` if forces are known to be the slope of no energy."""
    if info.conservative is False and not allowed:
        raise PotentialError(
            f"the forces of potential '{info.name}' are the slope of no energy",
            "they are predicted directly, so force constants made of them are not symmetric",
            "choose a conservative potential, or insist with --allow-nonconservative"
            " (allow_nonconservative=True)",
        )
