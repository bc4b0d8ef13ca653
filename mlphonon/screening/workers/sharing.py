"""One potential for several crystals at once: their structures share batches.

A GPU is idle most of the time while one small crystal is relaxed. Here each crystal has a thread,
and the threads meet: when all wait for forces, everything they ask for is evaluated together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from mlphonon.potentials.potential import (
    DescriptorPotential,
    DifferentiablePotential,
    Evaluation,
    KernelPotential,
    MemoryPotential,
    Potential,
    PrecisionPotential,
    ProgressCallback,
)
from mlphonon.potentials.wrapper import PotentialWrapper

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms

    from mlphonon.potentials.training_space import TrainingSpace

Item = TypeVar("Item")
Result = TypeVar("Result")


def do_together(
    potential: Potential, items: Sequence[Item], work: Callable[[Potential, Item], Result]
) -> list[Result]:
    """Do `work` for all items, each in a thread, with a potential that they share.

    Parameters
    ----------
    potential : Potential
        Evaluates what all of them ask for at one time, in one call.
    items : sequence
        One for each thread.
    work : callable
        Is given the shared potential and an item.

    Returns
    -------
    list
        Results in the order of the items.

    Raises
    ------
    Exception
        The first that a thread raised, when all have ended.
    """
    if len(items) < 2:
        return [work(potential, item) for item in items]
    meeting = _Meeting(potential, len(items))
    shared = _SharedPotential.make(potential, meeting)

    def attend(item: Item) -> Result:
        try:
            return work(shared, item)
        finally:
            meeting.leave()

    with ThreadPoolExecutor(len(items)) as threads:
        return [future.result() for future in [threads.submit(attend, item) for item in items]]


@dataclass
class _Request:
    structures: Sequence[Atoms]
    found: list[Evaluation] | None = None
    error: Exception | None = None

    @property
    def answered(self) -> bool:
        return self.found is not None or self.error is not None


class _Meeting:
    """Where threads wait until all of them wait."""

    def __init__(self, potential: Potential, members: int) -> None:
        self._potential, self._members = potential, members
        self._waiting: list[_Request] = []
        self._room = threading.Condition()

    def evaluate(self, structures: Sequence[Atoms]) -> list[Evaluation]:
        request = _Request(structures)
        with self._room:
            self._waiting.append(request)
            self._answer_if_all_wait()
            while not request.answered:
                self._room.wait()
        if request.error is not None:
            raise request.error
        return request.found or []

    def alone(self, work: Callable[[], Result]) -> Result:
        """Do what cannot be shared while nobody else has the potential."""
        with self._room:
            return work()

    def leave(self) -> None:
        with self._room:
            self._members -= 1
            self._answer_if_all_wait()

    def _answer_if_all_wait(self) -> None:
        if not self._waiting or len(self._waiting) < self._members:
            return
        requests, self._waiting = self._waiting, []
        try:
            found = self._potential.evaluate([a for one in requests for a in one.structures])
            for one in requests:
                one.found, found = found[: len(one.structures)], found[len(one.structures) :]
        # Whatever it is, only the crystal that it belongs to may fail.
        except Exception:
            for one in requests:
                self._answer(one)
        self._room.notify_all()

    def _answer(self, request: _Request) -> None:
        try:
            request.found = self._potential.evaluate(request.structures)
        except Exception as error:
            request.error = error


class _SharedPotential(PotentialWrapper):
    """A potential that evaluates in a meeting; whatever else it can, one thread at a time."""

    def __init__(self, potential: Any, meeting: _Meeting) -> None:
        super().__init__(potential)
        self._meeting = meeting

    def evaluate(
        self, structures: Sequence[Atoms], progress: ProgressCallback | None = None
    ) -> list[Evaluation]:
        found = self._meeting.evaluate(structures)
        if progress is not None:
            progress(len(structures))
        return found

    def around(self, potential: Potential) -> Potential:
        """Return the same in another precision or with other kernels."""
        return _ExclusivePotential.make(potential, self._meeting)


class _ExclusivePotential(_SharedPotential):
    """A potential that one thread at a time asks."""

    def evaluate(
        self, structures: Sequence[Atoms], progress: ProgressCallback | None = None
    ) -> list[Evaluation]:
        return self._meeting.alone(lambda: self._potential.evaluate(structures, progress))


class _SharedRows(_SharedPotential):
    def hessian_rows(
        self,
        atoms: Atoms,
        displacements: Sequence[tuple[int, np.ndarray]],
        progress: ProgressCallback | None = None,
    ) -> np.ndarray:
        return self._meeting.alone(
            lambda: self._potential.hessian_rows(atoms, displacements, progress)
        )


class _SharedPrecision(_SharedPotential):
    def in_precision(self, dtype: str) -> Any:
        if dtype == self.info.dtype:
            return self
        return self.around(self._meeting.alone(lambda: self._potential.in_precision(dtype)))


class _SharedMemory(_SharedPotential):
    def memory(self, atoms: Atoms, rows: bool = False, at_once: int = 1) -> int:
        return self._meeting.alone(lambda: self._potential.memory(atoms, rows, at_once))


class _SharedKernels(_SharedPotential):
    def with_plain_kernels(self) -> Any:
        return self.around(self._meeting.alone(lambda: self._potential.with_plain_kernels()))


class _SharedDescriptors(_SharedPotential):
    @property
    def training_space(self) -> TrainingSpace | None:
        return self._potential.training_space

    def descriptors(self, atoms: Atoms) -> np.ndarray:
        return self._meeting.alone(lambda: self._potential.descriptors(atoms))


_SharedPotential.capabilities = {
    DifferentiablePotential: _SharedRows,
    PrecisionPotential: _SharedPrecision,
    MemoryPotential: _SharedMemory,
    KernelPotential: _SharedKernels,
    DescriptorPotential: _SharedDescriptors,
}
