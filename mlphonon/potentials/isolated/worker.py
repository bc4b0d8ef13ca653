"""What runs in the other Python: loads one calculator and answers requests over a pipe.

This file is started by its path in an environment that has ASE and the potential's own
packages, and nothing of mlphonon. It must go on working with the oldest Python a potential
needs (3.9). See `mlphonon.potentials.isolated.isolated_potential` for the side that asks.

A message is a header in JSON and arrays as they lie in memory: eight bytes for the length of
the header (little-endian), the header, the arrays end to end. The header's ``arrays`` names
each array with its dtype and shape.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # The folder of this file would otherwise lend its mace.py to "import mace".
    del sys.path[0]

import importlib
import importlib.metadata
import importlib.util
import json
import math
import os
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np

Crystal = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Atomic numbers, positions (A), cell (A)."""

Result = tuple[float, np.ndarray, np.ndarray]
"""Energy (eV), forces (eV/A), stress (3x3, eV/A^3)."""


MAX_HEADER = 1 << 24
"""Bytes of a header; none has more than some thousands."""

MAX_ARRAY = 1 << 36
"""Bytes of an array."""

MAX_ERROR = 500
"""Characters of an error that are reported."""

DESCRIPTION = ("batched", "properties", "versions")
"""What a worker reports of its calculator."""


class MessageError(Exception):
    """What came through the pipe is no message; the text says why."""


def write_message(
    stream: IO[bytes], header: dict[str, Any], arrays: dict[str, np.ndarray] | None = None
) -> None:
    """Write a header and named arrays to a binary stream."""
    arrays = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    layout = [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()]
    text = json.dumps(dict(header, arrays=layout)).encode()
    stream.write(struct.pack("<Q", len(text)) + text)
    for array in arrays.values():
        stream.write(array.tobytes())
    stream.flush()


def read_message(stream: IO[bytes]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a header and its arrays.

    Raises EOFError if the other side is gone, and MessageError if it writes something else.
    """
    (length,) = struct.unpack("<Q", _read_exactly(stream, 8))
    if length > MAX_HEADER:
        raise MessageError("it begins with no length of a header")
    arrays = {}
    try:
        header = json.loads(_read_exactly(stream, length))
        for name, dtype, shape in header.pop("arrays"):
            size = math.prod(shape) * np.dtype(dtype).itemsize
            if not 0 <= size <= MAX_ARRAY:
                raise MessageError(f"an array has {size} bytes")
            flat = np.frombuffer(_read_exactly(stream, size), dtype=dtype)
            arrays[name] = flat.reshape(shape)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise MessageError("a header cannot be read: " + type(error).__name__) from error
    return header, arrays


def _read_exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the pipe was closed")
    return data


def load_factory(module: str, factory: str) -> Any:
    """Return an attribute of a module, given by its name or as the path of a .py file."""
    is_file = module.endswith(".py")
    loaded = load_file(module, "user_module") if is_file else importlib.import_module(module)
    for name in factory.split("."):
        loaded = getattr(loaded, name)
    return loaded


def load_file(path: str, name: str) -> Any:
    """Load a module from a .py file, under a name that no package has."""
    spec = importlib.util.spec_from_file_location("mlphonon_" + name, path)
    if spec is None or spec.loader is None or not os.path.isfile(path):
        raise FileNotFoundError("there is no file " + path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def describe(evaluator: Any, packages: list[str]) -> dict[str, Any]:
    """Say what can be known of an evaluator without running it."""
    versions = {"python": sys.version.split()[0]}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue  # not one of this environment's
    return {
        "kind": "ready",
        "batched": isinstance(evaluator, BatchEvaluator),
        "properties": evaluator.implemented_properties,
        "versions": versions,
    }


def evaluate_one(
    calculator: Any, numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return energy, forces and stress (NaN where the calculator has none) of one crystal."""
    from ase import Atoms

    atoms = Atoms(numbers=numbers, positions=positions, cell=cell, pbc=True)
    atoms.calc = calculator
    energy = float(atoms.get_potential_energy())
    forces = np.array(atoms.get_forces(), dtype=np.float64)
    stress = np.full((3, 3), np.nan)
    if "stress" in calculator.implemented_properties:
        stress = np.array(atoms.get_stress(voigt=False), dtype=np.float64)
    return energy, forces, stress


class SingleEvaluator:
    """An ASE calculator as an evaluator: each crystal is a batch."""

    def __init__(self, calculator: Any) -> None:
        self.calculator = calculator
        self.implemented_properties = list(calculator.implemented_properties)

    def run(self, crystals: Iterable[Crystal]) -> Iterator[list[Result]]:
        """Evaluate crystals one after another."""
        for crystal in crystals:
            yield [evaluate_one(self.calculator, *crystal)]


class BatchEvaluator:
    """A family's own evaluator of batches.

    It has ``implemented_properties``, ``prepare(atoms)``, ``edges(prepared)``,
    ``evaluate(list of prepared)`` with energies (eV), forces (eV/A) and stresses (3x3, eV/A^3),
    and ``device``.
    """

    def __init__(self, evaluator: Any) -> None:
        self.evaluator = evaluator
        self.implemented_properties = list(evaluator.implemented_properties)
        above = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        batches = load_file(os.path.join(above, "batches.py"), "batches")
        on_gpu = str(evaluator.device).startswith("cuda") and "torch" in sys.modules
        self.batcher = batches.Batcher(batches.CudaMemory(evaluator.device) if on_gpu else None)

    def run(self, crystals: Iterable[Crystal]) -> Iterator[list[Result]]:
        """Evaluate crystals in batches that fit."""
        from ase import Atoms

        prepared = (
            self.evaluator.prepare(Atoms(numbers, positions, cell=cell, pbc=True))
            for numbers, positions, cell in crystals
        )
        yield from self.batcher.run(prepared, self.evaluator.edges, self.evaluator.evaluate)


def make_evaluator(made: Any) -> Any:
    """Wrap what a factory returned."""
    return BatchEvaluator(made) if hasattr(made, "prepare") else SingleEvaluator(made)


def answer(evaluator: Any, arrays: dict[str, np.ndarray], stream: IO[bytes]) -> None:
    """Evaluate the crystals of a request, one result message for each."""
    for results in evaluator.run(unpack(arrays)):
        for energy, forces, stress in results:
            header = {"kind": "result", "energy": float(energy)}
            found = {"f": np.asarray(forces, float), "s": np.asarray(stress, float)}
            write_message(stream, header, found)


def unpack(arrays: dict[str, np.ndarray]) -> Iterator[Crystal]:
    """Return numbers, positions and cell of each crystal of a request."""
    ends = np.cumsum(arrays["counts"])
    for cell, count, end in zip(arrays["cells"], arrays["counts"], ends):  # noqa: B905 (3.9)
        part = slice(end - count, end)
        yield arrays["numbers"][part], arrays["positions"][part], cell


def explain(error: Exception) -> dict[str, Any]:
    """Turn an exception into a header."""
    first = (str(error).splitlines() or [""])[0][:MAX_ERROR]
    return {"kind": "error", "error": (type(error).__name__ + ": " + first).rstrip(": ")}


def leave_with(parent: int) -> None:
    """End this process when its parent has gone, even in the middle of a long evaluation."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def main() -> None:
    """Take over stdin and stdout for messages, load the calculator, and serve until the end."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever libraries print goes to stderr, of which the parent quotes the end.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    threading.Thread(target=leave_with, args=(os.getppid(),), daemon=True).start()
    try:
        header, _ = read_message(requests)
        try:
            factory = load_factory(header["module"], header["factory"])
            evaluator = make_evaluator(factory(**header["arguments"]))
            write_message(answers, describe(evaluator, header["packages"]))
        except Exception as error:  # loading may raise anything; the parent says what it was
            write_message(answers, explain(error))
            return
        while True:
            _, arrays = read_message(requests)
            try:
                answer(evaluator, arrays, answers)
            except Exception as error:  # calculators too
                write_message(answers, explain(error))
    except (EOFError, BrokenPipeError):
        return


if __name__ == "__main__":
    main()
