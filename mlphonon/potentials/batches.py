"""How much fits into one batch: measured on the device at hand, and by failures.

Memory grows with the edges of the neighbour graphs (atoms times neighbours), whatever the
crystals are, so a batch is measured in edges.

This file is also loaded by its path in the environments of other programs
(`mlphonon.potentials.isolated.worker`): it needs nothing of mlphonon, and Python 3.9.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

CPU_EDGES = 12_000
"""On two cores larger batches gained nothing: the work is then bound by the caches."""

FIRST_EDGES = 20_000
"""Of the batch that the memory of one edge is measured on, on a GPU."""

SHARE = 0.7
"""Of the free memory that a batch may take: what it was measured on is not the worst case."""

OUT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|cannot allocate|not fit into memory|RESOURCE_EXHAUSTED",
    re.IGNORECASE,
)


class TooLargeError(Exception):
    """One crystal alone does not fit into memory; the message says how large it is."""


Apply = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""As ``map``: a function and what it is applied to; results in order."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class DeviceMemory(Protocol):
    """The memory of a GPU, in bytes."""

    def start(self) -> None:
        """Begin to watch the peak."""
        ...

    def peak(self) -> int:
        """Return the most that was taken since `start`, on top of what was taken then."""
        ...

    def free(self) -> int:
        """Return what could be taken now."""
        ...

    def release(self) -> None:
        """Give back what a failed batch left behind."""
        ...


class CudaMemory:
    """Memory as torch sees it.

    Parameters
    ----------
    device : str
        A torch device.
    """

    def __init__(self, device: str) -> None:
        self._device, self._before = device, 0

    def start(self) -> None:
        """Begin to watch the peak."""
        import torch

        torch.cuda.reset_peak_memory_stats(self._device)
        self._before = torch.cuda.memory_allocated(self._device)

    def peak(self) -> int:
        """Return the most that was taken since `start`, on top of what was taken then."""
        import torch

        return int(torch.cuda.max_memory_allocated(self._device)) - self._before

    def free(self) -> int:
        """Return what the driver has left and what torch keeps without using it."""
        import torch

        unused = torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(
            self._device
        )
        return int(torch.cuda.mem_get_info(self._device)[0]) + int(unused)

    def release(self) -> None:
        """Give back what a failed batch left behind."""
        import torch

        torch.cuda.empty_cache()


class Batcher:
    """Splits work into batches that fit, and notes what fitted.

    Parameters
    ----------
    memory : DeviceMemory, optional
        Of the GPU; None on a CPU, where batches have a fixed size.
    """

    def __init__(self, memory: DeviceMemory | None) -> None:
        self._memory = memory
        self._measured = memory is None
        self.edges = CPU_EDGES if memory is None else FIRST_EDGES

    def run(
        self,
        work: Iterable[Item],
        size: Callable[[Item], int],
        evaluate: Callable[[list[Item]], list[Result]],
        at_once: int = 1,
        apply: Apply = map,
    ) -> Iterator[list[Result]]:
        """Evaluate in order, a batch at a time, or several side by side.

        Parameters
        ----------
        work : iterable
            What to evaluate; made as late as it can be, since graphs are large.
        size : callable
            Edges of one of them.
        evaluate : callable
            Evaluates a batch.
        at_once : int
            Batches that are evaluated side by side.
        apply : callable
            As ``map``, for the batches that are evaluated side by side.

        Raises
        ------
        TooLargeError
            If one of them alone does not fit.
        """
        source, waiting = iter(work), deque[Item]()
        while items := self._take(source, waiting, size, at_once):
            batches = _share(items, at_once)
            found = list(apply(lambda batch: self._attempt(batch, size, evaluate), batches))
            done = 0
            for results in itertools.takewhile(lambda results: results is not None, found):
                done += len(results)
                yield results
            if done == len(items):
                continue
            edges = sum(size(item) for item in items)
            if len(items) == 1:
                raise TooLargeError(
                    f"a crystal with {edges} pairs of neighbours does not fit into memory"
                )
            self.edges, self._measured, at_once = max(1, edges // 2), True, 1
            # What came after the failure is done again, so that the order is kept.
            waiting.extendleft(reversed(items[done:]))
            if self._memory is not None:
                # Only now: the exception held on to what the batch had taken.
                self._memory.release()

    def _take(
        self,
        source: Iterator[Item],
        waiting: deque[Item],
        size: Callable[[Item], int],
        at_once: int,
    ) -> list[Item]:
        """Take what is evaluated next: one for each place at least, more as long as they fit."""
        items: list[Item] = []
        edges = 0
        while waiting or (following := list(itertools.islice(source, 1))):
            if not waiting:
                waiting.extend(following)
            edges += size(waiting[0])
            if len(items) >= at_once and edges > self.edges:
                break
            items.append(waiting.popleft())
        return items

    def _attempt(
        self,
        batch: list[Item],
        size: Callable[[Item], int],
        evaluate: Callable[[list[Item]], list[Result]],
    ) -> list[Result] | None:
        """Evaluate a batch, or return None where memory ran out."""
        try:
            return self._evaluate(batch, sum(size(item) for item in batch), evaluate)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _evaluate(
        self, batch: list[Item], edges: int, evaluate: Callable[[list[Item]], list[Result]]
    ) -> list[Result]:
        if self._measured or self._memory is None:
            return evaluate(batch)
        self._memory.start()
        results = evaluate(batch)
        each = self._memory.peak() / max(edges, 1)
        if each > 0:
            self.edges, self._measured = max(edges, int(SHARE * self._memory.free() / each)), True
        return results


def _share(items: list[Item], at_once: int) -> list[list[Item]]:
    """Split into as many batches as are evaluated side by side, or fewer, in order."""
    number = min(at_once, len(items))
    ends = [len(items) * k // number for k in range(number + 1)]
    return [items[first:last] for first, last in zip(ends, ends[1:])]  # noqa: B905, RUF007 (3.9)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out, on a GPU or on the host."""
    return isinstance(error, MemoryError) or OUT_OF_MEMORY.search(str(error)) is not None
