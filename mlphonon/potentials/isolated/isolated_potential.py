"""Any potential in a Python environment of its own, through a worker process.

One environment cannot hold mace-torch and SevenNet, NequIP or fairchem: they ask for different
versions of e3nn. Here the potential runs in its own, and structures and results travel
through a pipe (`mlphonon.potentials.isolated.worker`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import numpy as np

from mlphonon.errors import PotentialError
from mlphonon.potentials.batches import OUT_OF_MEMORY
from mlphonon.potentials.calculator import as_calculator, check_properties, right_handed
from mlphonon.potentials.isolated import worker
from mlphonon.potentials.potential import (
    Evaluation,
    PotentialInfo,
    ProgressCallback,
    check_elements,
)

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

PREFIX = "python:"
"""What the name of a potential in an environment of the user's own begins with."""

PATIENCE = 1800.0
"""Seconds without an answer after which a worker is taken to hang."""

LAST_WORDS = 300
"""How many characters of a dead worker's output an error quotes."""


@dataclass(frozen=True)
class WorkerSpec:
    """How to get an ASE calculator in another Python.

    Attributes
    ----------
    python : Path
        The interpreter.
    module : str
        Module, or path of a ``.py`` file, in that environment.
    factory : str
        Name in the module that is called for a calculator; may hold dots.
    arguments : mapping
        Keyword arguments of the call; plain types.
    packages : tuple of str
        Packages whose versions it is to report.
    """

    python: Path
    module: str
    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ("ase", "numpy", "torch", "jax")


def parse_spec(text: str, device: str) -> WorkerSpec:
    """Read ``python:ENVIRONMENT:MODULE:FACTORY?NAME=VALUE&NAME=VALUE``.

    ENVIRONMENT is a folder with ``bin/python``, or an interpreter. Values are JSON where they
    can be (``3``, ``true``, ``"3"``), else strings; ``{device}`` in them stands for `device`.

    Raises
    ------
    PotentialError
        If it has another form, or there is no such environment.
    """
    form = "write python:/path/to/env:module:factory?argument=value"
    head, _, query = text.removeprefix(PREFIX).partition("?")
    place, _, call = head.partition(":")
    module, _, factory = call.rpartition(":")
    if not (place and module and factory):
        raise PotentialError(f"'{text}' names no potential in another environment", fix=form)
    arguments = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        arguments[name] = _plain(value.replace("{device}", device))
    return WorkerSpec(find_python(Path(place).expanduser()), module, factory, arguments)


def _plain(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def find_python(place: Path) -> Path:
    """Return the interpreter of an environment, given by its folder or by itself."""
    candidates = [place / "bin" / "python", place / "Scripts" / "python.exe", place]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            # Not resolved: a virtual environment's python is a link, and knows it by its place.
            return candidate.absolute()
    raise PotentialError(
        f"there is no Python environment at {place}",
        f"neither {candidates[0]} nor itself can be run",
        "give the folder that holds bin/python, or the interpreter",
    )


class _Worker:
    """A running worker process and its two pipes."""

    def __init__(self, spec: WorkerSpec, name: str, patience: float) -> None:
        self._name, self._patience = name, patience
        self._hung = False
        self.log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the worker
        # -E and -s: neither PYTHONPATH nor the user's site-packages leak into the environment.
        self.process = subprocess.Popen(
            [str(spec.python), "-E", "-s", worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
        )
        request = {
            "module": spec.module,
            "factory": spec.factory,
            "arguments": dict(spec.arguments),
            "packages": list(spec.packages),
        }
        try:
            self.send(request, {})
            self.hello, _ = self.receive("load")
        except BaseException:
            self.close()
            raise

    def send(self, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Send a request; a worker that is gone is noticed when its answer is awaited."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            worker.write_message(self.process.stdin, header, arrays)

    def receive(self, doing: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Wait for one message.

        Raises
        ------
        PotentialError
            If the worker reports an error, has died, or does not answer in time.
        """
        try:
            assert self.process.stdout is not None
            with self._killed_when_late():
                header, arrays = worker.read_message(self.process.stdout)
        except EOFError:
            raise self._obituary(doing) from None
        if header["kind"] == "error":
            raise PotentialError(
                f"potential '{self._name}' could not {doing}",
                header["error"],
                _advice(doing, header["error"]),
            )
        return header, arrays

    @contextmanager
    def _killed_when_late(self) -> Iterator[None]:
        def kill() -> None:
            self._hung = True
            self.process.kill()

        timer = threading.Timer(self._patience, kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _obituary(self, doing: str) -> PotentialError:
        """Say how the worker died, with its last words."""
        code = self.process.wait()
        if self._hung:
            how = f"it did not answer for {self._patience:g} s and was ended"
        elif code == -signal.SIGKILL:
            how = "it was killed, as the system does when memory runs out"
        elif code < 0:
            how = f"it was ended by signal {-code} ({signal.Signals(-code).name})"
        else:
            how = f"it left with exit code {code}"
        self.log.seek(0)
        words = " ".join(self.log.read().decode(errors="replace").split())[-LAST_WORDS:]
        return PotentialError(
            f"the worker of potential '{self._name}' died while it was to {doing}",
            how + (f"; its last words: {words}" if words else ""),
            "ask again for a fresh worker, with smaller structures if memory ran out",
        )

    def close(self) -> None:
        """End the process."""
        close_process(self.process, self.log)


def close_process(process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    """End a worker: it leaves by itself when its pipe is closed, or is made to."""
    if process.stdin is not None and process.poll() is None:
        with suppress(BrokenPipeError):  # it may have gone first
            process.stdin.close()
        try:
            process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
    log.close()


def _advice(doing: str, error: str) -> str:
    if OUT_OF_MEMORY.search(error):
        return "use a smaller supercell, --dtype float32 or --device cpu"
    if doing == "load":
        return "look at the module, the factory and its arguments, and at that environment"
    return "choose one that knows these elements, or look at the structure"


class IsolatedPotential:
    """A potential that a worker in another Python environment evaluates.

    The worker is started at once, so that what is wrong with it shows early; if it dies, the
    evaluation under way fails and the next starts a new one.

    Parameters
    ----------
    spec : WorkerSpec
        Where and what.
    name : str
        How it is called in results.
    info : PotentialInfo, optional
        What is known of it; by default next to nothing.
    patience : float
        Seconds without an answer after which a worker is taken to hang.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        name: str,
        info: PotentialInfo | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._spec, self._name, self._patience = spec, name, patience
        self._lock = threading.Lock()
        self._info = info or PotentialInfo(name, "isolated", "unknown", "unknown")
        self._worker: _Worker | None = None
        hello = self._start().hello
        self._info = replace(self._info, versions=hello["versions"], batched=hello["batched"])

    def _start(self) -> _Worker:
        self._worker = _Worker(self._spec, self._name, self._patience)
        weakref.finalize(self, close_process, self._worker.process, self._worker.log)
        try:
            check_properties(self._name, self._worker.hello["properties"])
        except PotentialError:
            self.close()
            raise
        return self._worker

    @property
    def info(self) -> PotentialInfo:
        """What the engine must know of this potential."""
        return self._info

    def evaluate(
        self, structures: Sequence[Atoms], progress: ProgressCallback | None = None
    ) -> list[Evaluation]:
        """Evaluate structures in the worker (see `Potential.evaluate`)."""
        check_elements(self._info, structures)
        if not structures:
            return []
        results = []
        with self._lock:
            running = self._worker or self._start()
            try:
                running.send({"kind": "evaluate"}, pack(structures))
                for atoms in structures:
                    doing = f"evaluate {atoms.get_chemical_formula()}"
                    header, arrays = running.receive(doing)
                    results.append(Evaluation(header["energy"], arrays["f"], arrays["s"]))
                    if progress is not None:
                        progress(1)
            except BaseException:
                # Answers may still be on their way; a fresh worker has none.
                self.close()
                raise
        return results

    def calculator(self) -> Calculator:
        """Return an ASE calculator that asks the worker."""
        return as_calculator(self)

    def close(self) -> None:
        """End the worker; the next evaluation starts another."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None


def pack(structures: Sequence[Atoms]) -> dict[str, np.ndarray]:
    """Lay structures end to end: numbers, positions (A), cells (A), atoms of each."""
    return {
        "counts": np.array([len(atoms) for atoms in structures]),
        "numbers": np.concatenate([atoms.numbers for atoms in structures]).astype(np.int32),
        "positions": np.concatenate([atoms.positions for atoms in structures]),
        "cells": np.array([right_handed(atoms.cell.array) for atoms in structures]),
    }
