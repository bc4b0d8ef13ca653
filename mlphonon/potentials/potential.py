"""The one protocol that every potential meets, and the capabilities that some have besides.

Nobody asks what a potential is (a MACE, a program in another environment), only what it can do:
``isinstance(potential, DifferentiablePotential)``. A wrapper can what the wrapped can
(`mlphonon.potentials.wrapper`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np

from mlphonon.errors import PotentialError

if TYPE_CHECKING:
    import torch
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from mlphonon.potentials.training_space import TrainingSpace

ProgressCallback = Callable[[int], None]
"""Called with the number of structures that were just evaluated."""


@dataclass(frozen=True)
class Evaluation:
    """Energy, forces and stress of one structure.

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
        The density functional it was trained on.
    head : str, optional
        The head that is asked, of a potential with several: each is trained on other data and
        gives other phonons. None where there is but one.
    dispersion : str, optional
        Dispersion that is added to it, as `mlphonon.with_dispersion` takes it.
    conservative : bool, optional
        Whether its forces are the slope of its energy; None if it is not known.
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
    head: str | None = None
    dispersion: str | None = None
    conservative: bool | None = None
    tested: bool = True
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """All that decides its numbers, in one line: equal identities give equal answers."""
        parts = (self.name, self.sha256, self.head, self.dispersion, self.dtype, self.kernels)
        return json.dumps([*parts, dict(sorted(self.versions.items()))])

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
class PrecisionPotential(Potential, Protocol):
    """A potential that can be had in either precision."""

    def in_precision(self, dtype: str) -> Self:
        """Return the same potential in ``"float32"`` or ``"float64"`` (itself, if it is)."""
        ...


@runtime_checkable
class MemoryPotential(Potential, Protocol):
    """A potential that can predict how much memory it takes."""

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
class DifferentiablePotential(PrecisionPotential, MemoryPotential, Protocol):
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


@runtime_checkable
class DescriptorPotential(Potential, Protocol):
    """A potential that describes environments of atoms, and may know its training domain."""

    @property
    def training_space(self) -> TrainingSpace | None:
        """The environments it was trained on; None where nobody wrote them down."""
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
            If an element is unknown.
        """
        ...


@runtime_checkable
class KernelPotential(Potential, Protocol):
    """A potential with fast kernels that can be turned off, to compare."""

    def with_plain_kernels(self) -> Potential:
        """Return the same potential with the reference arithmetic (itself, if it has that)."""
        ...


@runtime_checkable
class TrainablePotential(Potential, Protocol):
    """A potential that is a module of torch in this process, whose weights can be trained."""

    @property
    def model(self) -> torch.nn.Module:
        """The module, for those who differentiate it themselves."""
        ...

    @property
    def head(self) -> str:
        """The name of the head that is asked, also where there is but one."""
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
