"""Any potential in a Python environment of its own, through a worker process.

One environment cannot hold mace-torch and SevenNet, NequIP or fairchem: they ask for different
versions of e3nn. Here the potential runs in its own, and structures and results travel
through a pipe (`mlphonon.potentials.isolated.worker`).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.errors import PotentialError
from mlphonon.potentials.calculator import as_calculator, check_properties, right_handed
from mlphonon.potentials.isolated.process import WorkerProcess, close_process
from mlphonon.potentials.isolated.spec import WorkerSpec
from mlphonon.potentials.potential import (
    Evaluation,
    PotentialInfo,
    ProgressCallback,
    check_elements,
)

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

TIMEOUT = 1800.0
"""Seconds without an answer after which a worker is taken to hang."""


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
    timeout : float
        Seconds without an answer after which a worker is taken to hang.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        name: str,
        info: PotentialInfo | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self._spec, self._name, self._timeout = spec, name, timeout
        self._lock = threading.Lock()
        self._info = info or PotentialInfo(name, "isolated", "unknown", "unknown")
        self._worker: WorkerProcess | None = None
        description = self._start().description
        self._info = replace(
            self._info, versions=description["versions"], batched=description["batched"]
        )

    def _start(self) -> WorkerProcess:
        self._worker = WorkerProcess(self._spec, self._name, self._timeout)
        weakref.finalize(self, close_process, self._worker.process, self._worker.log)
        try:
            check_properties(self._name, self._worker.description["properties"])
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
                    results.append(self._evaluation(header, arrays, len(atoms)))
                    if progress is not None:
                        progress(1)
            except BaseException:
                # Answers may still be on their way; a fresh worker has none.
                self.close()
                raise
        return results

    def _evaluation(
        self, header: dict[str, Any], arrays: dict[str, np.ndarray], n_atoms: int
    ) -> Evaluation:
        """Return what a worker answered; it comes from a program that nobody here has checked."""
        energy, forces, stress = header.get("energy"), arrays.get("f"), arrays.get("s")
        if not isinstance(energy, float) or forces is None or stress is None:
            raise PotentialError(f"potential '{self._name}' answered without energy or forces")
        if forces.shape != (n_atoms, 3) or stress.shape != (3, 3):
            raise PotentialError(
                f"potential '{self._name}' answered with arrays of wrong shapes",
                f"forces {forces.shape}, stress {stress.shape} for {n_atoms} atoms",
            )
        return Evaluation(energy, forces, stress)

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
