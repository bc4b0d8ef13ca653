"""Worker processes that score crystals, each with a potential of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context

from mlphonon.errors import ResultError
from mlphonon.evaluation.protocol import Protocol
from mlphonon.evaluation.record import CrystalScore, Curves
from mlphonon.evaluation.references.reference import ReferenceCrystal
from mlphonon.evaluation.scoring import score_crystal
from mlphonon.potentials.potential import Potential
from mlphonon.system.child_process import behave_as_child
from mlphonon.system.threads import cores_each, limit_threads

_mine: tuple[Potential, Protocol] | None = None
"""Of a worker: its potential and the protocol."""


@contextmanager
def worker_pool(
    workers: int, load: Callable[[], Potential], protocol: Protocol
) -> Iterator[ProcessPoolExecutor]:
    """Start `workers` processes for `score_here`, with the cores shared out between them.

    Raises
    ------
    ResultError
        If one of them dies, e.g. because memory runs out.
    """
    pool = ProcessPoolExecutor(
        workers,
        get_context("spawn"),
        initializer=_start,
        initargs=(cores_each(workers), load, protocol),
    )
    try:
        yield pool
    except BrokenProcessPool as error:
        raise ResultError(
            "a worker process ended before its crystal was done",
            "it may have run out of memory",
            "run again, with fewer --workers; what is done is kept",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def score_here(crystal: ReferenceCrystal) -> tuple[CrystalScore, Curves | None]:
    """Score one crystal with the potential of this worker."""
    if _mine is None:
        raise RuntimeError("score_here belongs into a worker of worker_pool")
    return score_crystal(crystal, *_mine)


def _start(threads: int, load: Callable[[], Potential], protocol: Protocol) -> None:
    global _mine
    behave_as_child()
    limit_threads(threads)
    _mine = (load(), protocol)
