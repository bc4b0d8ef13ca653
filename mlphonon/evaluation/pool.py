"""Worker processes that score crystals, each with a potential of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context

from mlphonon.child_process import behave_as_child
from mlphonon.errors import ResultError
from mlphonon.evaluation.protocol import Protocol
from mlphonon.evaluation.record import CrystalScore, Curves
from mlphonon.evaluation.references.reference import ReferenceCrystal
from mlphonon.evaluation.scoring import score_crystal
from mlphonon.potentials.potential import Potential

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")

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
    # Only Linux tells how many cores this process may use.
    allowed = getattr(os, "sched_getaffinity", lambda _pid: range(os.cpu_count() or 1))
    share = str(max(1, len(allowed(0)) // workers))
    before = {name: os.environ.get(name) for name in THREADS}
    # New processes read these as they start; torch and BLAS look no later.
    os.environ.update(dict.fromkeys(THREADS, share))
    pool = ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_start, initargs=(load, protocol)
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
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def score_here(crystal: ReferenceCrystal) -> tuple[CrystalScore, Curves | None]:
    """Score one crystal with the potential of this worker."""
    if _mine is None:
        raise RuntimeError("score_here belongs into a worker of worker_pool")
    return score_crystal(crystal, *_mine)


def _start(load: Callable[[], Potential], protocol: Protocol) -> None:
    global _mine
    behave_as_child()
    _mine = (load(), protocol)
