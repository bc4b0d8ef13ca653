"""Pieces of work side by side on the cores of a CPU.

Several pieces on one thread each are done sooner than one after the other on all threads: small
tensors leave the second thread with little to do (measured in ``benchmarks/methods.md``). Threads
of this process serve as well as processes, since torch lets go of Python's lock in its kernels,
and they load no second copy of torch and of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from mlphonon.potentials.batches import Apply


def cores() -> int:
    """Return how many threads torch may use (``OMP_NUM_THREADS``, or the cores there are)."""
    import torch

    return int(torch.get_num_threads())


@contextmanager
def side_by_side(at_once: int) -> Iterator[Apply]:
    """Share torch's threads among pieces of work that run at once.

    Parameters
    ----------
    at_once : int
        Pieces that run at once; with one, it has all threads.

    Yields
    ------
    callable
        As ``map``, but side by side.
    """
    import torch

    if at_once <= 1:
        yield map
        return
    threads = cores()
    share = max(1, threads // at_once)

    def apply(function: Callable[[Any], Any], pieces: Iterable[Any]) -> Iterable[Any]:
        def one(piece: Any) -> Any:
            torch.set_num_threads(share)  # of this thread of Python
            return function(piece)

        return _pool(at_once).map(one, pieces)

    try:
        yield apply
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def _pool(size: int) -> ThreadPoolExecutor:
    """Return threads that stay: new ones take twice as long for the memory of their first piece."""
    return ThreadPoolExecutor(size, thread_name_prefix="mlphonon")
