"""Threads: of BLAS, kept out of each other's way, and of processes that share a machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
)
"""From which libraries read, as they are loaded, how many threads they may use."""


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS to one thread: many small matrices on many threads run up to 100 times slower."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def cores_each(workers: int) -> int:
    """Return how many cores each of several processes may use, one at least."""
    # Only Linux tells how many cores this process may use.
    allowed = getattr(os, "sched_getaffinity", lambda _pid: range(os.cpu_count() or 1))
    return max(1, len(allowed(0)) // workers)


def limit_threads(number: int) -> None:
    """Have the libraries of this process use no more threads; torch must not be loaded yet."""
    from threadpoolctl import threadpool_limits

    # Some libraries are loaded by now; the others will read their number from here.
    threadpool_limits(number)
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(number)))
