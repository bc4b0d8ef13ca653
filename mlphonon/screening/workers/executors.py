"""What runs a campaign's work: processes of this machine, or a cluster through Parsl.

Both are executors of `concurrent.futures`, as are those of Dask, Ray and mpi4py.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlphonon.errors import SettingsError
from mlphonon.screening.site import ParslSettings, Site
from mlphonon.system.child_process import behave_as_child
from mlphonon.system.threads import THREAD_VARIABLES, cores_each, limit_threads

if TYPE_CHECKING:
    from parsl.config import Config

PROVIDERS = {
    "local": "LocalProvider",
    "slurm": "SlurmProvider",
    "pbs": "PBSProProvider",
    "torque": "TorqueProvider",
    "lsf": "LSFProvider",
    "grid-engine": "GridEngineProvider",
    "kubernetes": "KubernetesProvider",
}
"""Parsl's classes."""


@contextmanager
def executor_of(site: Site) -> Iterator[Executor]:
    """Start what a site describes, and end it.

    Raises
    ------
    SettingsError
        If a cluster's options are not Parsl's, or Parsl is not here.
    """
    if site.parsl is None:
        with local_workers(site.workers, site.threads) as local:
            yield local
        return
    config = parsl_config(site, site.parsl)
    with _quiet_parsl(), _started(config, site.parsl) as executor:
        yield executor


@contextmanager
def local_workers(workers: int, threads: int | None = None) -> Iterator[LocalWorkers]:
    """Start processes of this machine, and end them, whatever they do then."""
    local = LocalWorkers(workers, threads)
    try:
        yield local
    finally:
        local.shutdown(cancel_futures=True)


class LocalWorkers(Executor):
    """Processes of this machine, each in a pool of its own.

    When a process dies only its own work is lost, and it is known under what it died; the next
    piece of work gets a new one. In one common pool all work in flight would be lost, and the
    pool with it.

    Parameters
    ----------
    workers : int
        How many.
    threads : int, optional
        Of each; an even share of the cores by default.
    """

    def __init__(self, workers: int, threads: int | None = None) -> None:
        self._threads = threads or cores_each(workers)
        self._slots = ThreadPoolExecutor(workers, "worker")
        self._mine = threading.local()
        self._pools: set[ProcessPoolExecutor] = set()
        self._closed = threading.Event()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a function run by the next process that is free."""
        return self._slots.submit(self._run, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all processes; with `cancel_futures`, also those that work."""
        self._slots.shutdown(wait=False, cancel_futures=cancel_futures)
        if cancel_futures:
            self._closed.set()
            for pool in tuple(self._pools):
                _kill(pool)
        self._slots.shutdown(wait=wait)
        for pool in tuple(self._pools):
            pool.shutdown(wait=wait)

    def _run(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._closed.is_set():
            raise BrokenProcessPool("the workers were ended")
        pool = getattr(self._mine, "pool", None)
        if pool is None:
            pool = self._mine.pool = ProcessPoolExecutor(
                1, get_context("spawn"), initializer=_start, initargs=(self._threads,)
            )
            self._pools.add(pool)
        try:
            future = pool.submit(fn, *args, **kwargs)
            if self._closed.is_set():
                # In between, when it had no process that could have been ended.
                _kill(pool)
            return future.result()
        except BrokenProcessPool:
            self._mine.pool = None
            self._pools.discard(pool)
            pool.shutdown(wait=False)
            raise


def _kill(pool: ProcessPoolExecutor) -> None:
    """End the process of a pool, whatever it does."""
    for process in tuple((getattr(pool, "_processes", None) or {}).values()):
        process.kill()


def _start(threads: int) -> None:
    """Begin as a worker: end with the parent, and use no more threads than are its share."""
    behave_as_child()
    limit_threads(threads)


@contextmanager
def _quiet_parsl() -> Iterator[None]:
    import logging

    logger = logging.getLogger("parsl")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def parsl_config(site: Site, settings: ParslSettings) -> Config:
    """Return what Parsl needs to know of a cluster.

    Raises
    ------
    SettingsError
        If Parsl is not here, or its provider does not know an option.
    """
    import inspect

    try:
        import parsl.providers
        from parsl.config import Config
        from parsl.executors import HighThroughputExecutor
    except ModuleNotFoundError as error:
        raise SettingsError(
            "clusters need Parsl",
            f"there is no {error.name} here",
            "pip install 'mlphonon[cluster]'",
        ) from error
    provider = getattr(parsl.providers, PROVIDERS[settings.provider])
    known = set(inspect.signature(provider).parameters)
    if unknown := sorted(set(settings.options) - known):
        raise SettingsError(
            f"Parsl's {provider.__name__} has no option '{unknown[0]}'",
            fix=f"its options are {', '.join(sorted(known))}",
        )
    options = dict(settings.options)
    exports = "; ".join(f"export {name}={site.threads or 1}" for name in THREAD_VARIABLES)
    # Parsl's programs stand beside Python, which may have been called without its environment.
    programs = Path(sys.executable).parent
    path = f'export PATH="{programs}:$PATH"'
    options["worker_init"] = "; ".join(filter(None, [path, options.get("worker_init"), exports]))
    try:
        executor = HighThroughputExecutor(
            label="mlphonon",
            max_workers_per_node=site.workers,
            available_accelerators=settings.accelerators or [],
            provider=provider(**options),
            interchange_launch_cmd=[sys.executable, str(programs / "interchange.py")],
            **({} if settings.address is None else {"address": settings.address}),
        )
    # Parsl checks its options with exceptions of any kind.
    except Exception as error:
        raise _refusal(settings, error) from error
    return Config(
        executors=[executor],
        # What failed is judged by what the worker left behind, and tried again from here.
        retries=0,
        run_dir=os.environ.get("MLPHONON_PARSL_LOGS", "parsl-logs"),
        initialize_logging=False,
    )


def _refusal(settings: ParslSettings, error: Exception) -> SettingsError:
    reason = str(error).partition("\n")[0] or type(error).__name__
    return SettingsError(
        f"Parsl cannot use this description of a cluster ({settings.provider})",
        reason,
        "see its options and address",
    )


@contextmanager
def _started(config: Config, settings: ParslSettings) -> Iterator[Executor]:
    from parsl.concurrent import ParslPoolExecutor

    try:
        executor = ParslPoolExecutor(config)
    except Exception as error:
        raise _refusal(settings, error) from error
    try:
        yield executor
    except BaseException:
        # What runs is not waited for, which may take hours: others take it over.
        executor.shutdown(wait=False)
        raise
    executor.shutdown()
