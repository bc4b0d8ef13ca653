"""Potentials around others: what a wrapper does not change, it passes on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

from mlphonon.potentials.calculator import as_calculator
from mlphonon.potentials.potential import (
    DescriptorPotential,
    Evaluation,
    KernelPotential,
    MemoryPotential,
    Potential,
    PotentialInfo,
    PrecisionPotential,
    ProgressCallback,
)

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from mlphonon.potentials.training_space import TrainingSpace


class PotentialWrapper(ABC):
    """A potential around another.

    Capabilities of the wrapped potential (`mlphonon.potentials.potential`) are passed on by the
    classes in `capabilities`, each mixed in by `make` only where the wrapped has it: a wrapper
    offers nothing that would fail when it is asked.

    Parameters
    ----------
    potential : Potential
        The one that is wrapped.
    """

    capabilities: ClassVar[dict[type, type]] = {}
    """For each capability that is not lost in this wrapper, the class that passes it on."""

    def __init__(self, potential: Any) -> None:
        self._potential = potential

    @classmethod
    def make(cls, potential: Potential, *more: Any) -> Self:
        """Wrap `potential`, with as many of its capabilities as this wrapper keeps.

        Parameters
        ----------
        potential : Potential
            The one that is wrapped.
        *more
            What the constructor takes besides.
        """
        parts = [part for kind, part in cls.capabilities.items() if isinstance(potential, kind)]
        return _combined(cls, *parts)(potential, *more)

    @property
    def info(self) -> PotentialInfo:
        """What the engine must know of this potential."""
        return self._potential.info

    @abstractmethod
    def evaluate(
        self, structures: Sequence[Atoms], progress: ProgressCallback | None = None
    ) -> list[Evaluation]:
        """Evaluate energy, forces and stress (see `Potential.evaluate`)."""

    @abstractmethod
    def around(self, potential: Any) -> Any:
        """Return a wrapper of the same kind around another potential."""

    def calculator(self) -> Calculator:
        """Return an ASE calculator that gives the same numbers."""
        return as_calculator(self)


class DescriptorMixin(PotentialWrapper):
    """Descriptors and training domain are those of the wrapped potential."""

    @property
    def training_space(self) -> TrainingSpace | None:
        """The environments that the wrapped potential was trained on."""
        return self._potential.training_space

    def descriptors(self, atoms: Atoms) -> np.ndarray:
        """Describe the environment of each atom (see `DescriptorPotential.descriptors`)."""
        return self._potential.descriptors(atoms)


class PrecisionMixin(PotentialWrapper):
    """The precision is that of the wrapped potential."""

    def in_precision(self, dtype: str) -> Any:
        """Return the same potential in another precision, wrapped alike."""
        other = self._potential.in_precision(dtype)
        return self if other is self._potential else self.around(other)


class MemoryMixin(PotentialWrapper):
    """The memory is that of the wrapped potential."""

    def memory(self, atoms: Atoms, rows: bool = False, at_once: int = 1) -> int:
        """Predict the most memory of a calculation (see `MemoryPotential.memory`)."""
        return self._potential.memory(atoms, rows, at_once)


class KernelMixin(PotentialWrapper):
    """The kernels are those of the wrapped potential."""

    def with_plain_kernels(self) -> Any:
        """Return the same potential with the reference arithmetic, wrapped alike."""
        plain = self._potential.with_plain_kernels()
        return self if plain is self._potential else self.around(plain)


MIXINS: dict[type, type] = {
    DescriptorPotential: DescriptorMixin,
    PrecisionPotential: PrecisionMixin,
    MemoryPotential: MemoryMixin,
    KernelPotential: KernelMixin,
}
"""Capabilities that any wrapper may pass on."""


@cache
def _combined(kind: type, *parts: type) -> type[Any]:
    return type(kind.__name__, (*parts, kind), {"__module__": kind.__module__})
