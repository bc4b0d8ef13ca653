"""A potential that keeps its answers on disk, so that long work goes on where it was ended."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.errors import PotentialError
from mlphonon.potentials.potential import (
    DescribedPotential,
    DifferentiablePotential,
    Evaluation,
    Potential,
    PotentialInfo,
    ProgressCallback,
)

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from mlphonon.potentials.training_space import TrainingSpace

SECONDS = 10.0
"""Answers are written about this often."""

Direction = tuple[int, np.ndarray]


def remember(potential: Potential, folder: Path) -> Potential:
    """Return a potential that writes its answers into `folder`, and finds them there.

    Answers are found by the structure (to 1e-8 A) and by name, digest and precision of the
    potential. One without a digest, such as an ASE calculator, may change under the same name
    and is returned as it is.

    Parameters
    ----------
    potential : Potential
        Answers what is not found.
    folder : Path
        Made with the first answer; whoever has a result deletes it.
    """
    if potential.info.sha256 is None:
        return potential
    if isinstance(potential, DifferentiablePotential):
        return _RememberedRows(potential, folder)
    return _Remembered(potential, folder)


class _Remembered:
    """Energies, forces and stresses on disk."""

    def __init__(self, potential: Any, folder: Path) -> None:
        self._potential = potential
        self._folder = folder
        self._known: dict[str, np.ndarray] | None = None

    @property
    def info(self) -> PotentialInfo:
        """What the engine must know of the potential."""
        return self._potential.info

    def calculator(self) -> Calculator:
        """Return an ASE calculator, whose answers are not kept."""
        return self._potential.calculator()

    @property
    def training_space(self) -> TrainingSpace | None:
        """The environments it was taught; None where nobody wrote them down."""
        described = isinstance(self._potential, DescribedPotential)
        return self._potential.training_space if described else None

    def descriptors(self, atoms: Atoms) -> np.ndarray:
        """Describe the environment of each atom (see `DescribedPotential.descriptors`)."""
        if not isinstance(self._potential, DescribedPotential):
            raise PotentialError(f"potential '{self.info.name}' gives no descriptors")
        return self._potential.descriptors(atoms)

    def evaluate(
        self, structures: Sequence[Atoms], progress: ProgressCallback | None = None
    ) -> list[Evaluation]:
        """Evaluate what is not on disk (see `Potential.evaluate`)."""
        keys = [self._key("forces", atoms) for atoms in structures]
        numbers = dict(zip(keys, structures, strict=True))

        def answer(wanted: Sequence[str]) -> list[np.ndarray]:
            found = self._potential.evaluate([numbers[key] for key in wanted], progress)
            return [_packed(one) for one in found]

        return [_unpacked(one) for one in self._find(keys, answer, progress)]

    def _key(self, kind: str, atoms: Atoms, *more: Any) -> str:
        info, digest = self.info, hashlib.sha256()
        digest.update(f"{kind} {info.name} {info.sha256} {info.dtype}".encode())
        for array in (atoms.numbers, atoms.cell.array, atoms.positions, *more):
            # Adding zero turns -0.0 into 0.0.
            digest.update((np.round(np.asarray(array, dtype=float), 8) + 0.0).tobytes())
        return digest.hexdigest()[:32]

    def _find(
        self,
        keys: Sequence[str],
        answer: Callable[[Sequence[str]], list[np.ndarray]],
        progress: ProgressCallback | None,
    ) -> list[np.ndarray]:
        """Return an array for each key; what is missing is asked for and written in parts."""
        known = self._read()
        missing = [key for key in dict.fromkeys(keys) if key not in known]
        if progress is not None and len(keys) > len(missing):
            progress(len(keys) - len(missing))
        size = 8
        while missing:
            now, missing = missing[:size], missing[size:]
            begun = time.perf_counter()
            found = dict(zip(now, answer(now), strict=True))
            self._write(found)
            known |= found
            # Larger parts fill a GPU; smaller ones lose less.
            taken = time.perf_counter() - begun
            size = max(1, min(1024, int(size * np.clip(SECONDS / max(taken, 1e-9), 0.5, 4.0))))
        return [known[key] for key in keys]

    def _read(self) -> dict[str, np.ndarray]:
        if self._known is None:
            self._known = {}
            for file in sorted(self._folder.glob("*.npz")):
                with np.load(file, allow_pickle=False) as found:
                    self._known |= {key: found[key] for key in found.files}
        return self._known

    def _write(self, found: dict[str, np.ndarray]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = next(iter(found))
        part = self._folder / f".{name}.part"
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **found)
        part.replace(self._folder / f"{name}.npz")


class _RememberedRows(_Remembered):
    """Rows of second derivatives as well."""

    def hessian_rows(
        self,
        atoms: Atoms,
        displacements: Sequence[Direction],
        progress: ProgressCallback | None = None,
    ) -> np.ndarray:
        """Differentiate what is not on disk (see `DifferentiablePotential.hessian_rows`)."""
        keys = [self._key("row", atoms, *one) for one in displacements]
        directions = dict(zip(keys, displacements, strict=True))

        def answer(wanted: Sequence[str]) -> list[np.ndarray]:
            rows = self._potential.hessian_rows(
                atoms, [directions[key] for key in wanted], progress
            )
            return list(rows)

        return np.array(self._find(keys, answer, progress)).reshape(-1, len(atoms), 3)

    def in_precision(self, dtype: str) -> DifferentiablePotential:
        """Return the same potential in another precision, with the same folder."""
        if dtype == self.info.dtype:
            return self
        return _RememberedRows(self._potential.in_precision(dtype), self._folder)

    def memory(self, atoms: Atoms, rows: bool = False, at_once: int = 1) -> int:
        """Predict the most memory of a calculation (see `DifferentiablePotential.memory`)."""
        return self._potential.memory(atoms, rows, at_once)


def _packed(found: Evaluation) -> np.ndarray:
    """Put energy, stress and forces into one array."""
    return np.concatenate([[found.energy], found.stress.ravel(), found.forces.ravel()])


def _unpacked(array: np.ndarray) -> Evaluation:
    return Evaluation(float(array[0]), array[10:].reshape(-1, 3), array[1:10].reshape(3, 3))
