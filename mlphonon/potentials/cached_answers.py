"""A potential that keeps its answers on disk, so that long work goes on where it was ended."""

from __future__ import annotations

import hashlib
import io
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.errors import first_line
from mlphonon.io.atomic_files import write_whole
from mlphonon.io.npz import NpzError, read_npz
from mlphonon.potentials.potential import (
    DifferentiablePotential,
    Evaluation,
    Potential,
    ProgressCallback,
)
from mlphonon.potentials.wrapper import MIXINS, PotentialWrapper

if TYPE_CHECKING:
    from ase import Atoms

SECONDS = 10.0
"""Answers are written about this often."""

_log = logging.getLogger(__name__)


def cache_answers(potential: Potential, folder: Path) -> Potential:
    """Return a potential that writes its answers into `folder`, and finds them there.

    Answers are found by the structure (to 1e-8 A) and by the identity of the potential
    (`PotentialInfo.identity`). One without a digest, such as an ASE calculator, may change under
    the same name and is returned as it is. Answers that are damaged are computed again.

    Parameters
    ----------
    potential : Potential
        Is asked for what is not found.
    folder : Path
        Made with the first answer; whoever has a result deletes it.
    """
    if potential.info.sha256 is None:
        return potential
    return CachedPotential.make(potential, folder)


@dataclass(frozen=True)
class _Query:
    """What is looked for: a key, and how many numbers an answer has."""

    key: str
    size: int


class CachedPotential(PotentialWrapper):
    """Energies, forces and stresses on disk.

    Parameters
    ----------
    potential : Potential
        Is asked for what is not on disk; with a digest of its weights.
    folder : Path
        Of the answers.
    """

    def __init__(self, potential: Any, folder: Path) -> None:
        super().__init__(potential)
        self._folder = folder
        self._known: dict[str, np.ndarray] | None = None

    def around(self, potential: Potential) -> Potential:
        """Return another potential with its answers in the same folder."""
        return cache_answers(potential, self._folder)

    def evaluate(
        self, structures: Sequence[Atoms], progress: ProgressCallback | None = None
    ) -> list[Evaluation]:
        """Evaluate what is not on disk (see `Potential.evaluate`)."""
        queries = [_Query(self._key("forces", a), 10 + 3 * len(a)) for a in structures]
        by_key = {query.key: atoms for query, atoms in zip(queries, structures, strict=True)}

        def ask(keys: Sequence[str]) -> list[np.ndarray]:
            found = self._potential.evaluate([by_key[key] for key in keys], progress)
            return [_packed(one) for one in found]

        return [_unpacked(one) for one in self._find(queries, ask, progress)]

    def _key(self, kind: str, atoms: Atoms, *more: Any) -> str:
        digest = hashlib.sha256(f"{kind} {self.info.identity}".encode())
        for array in (atoms.numbers, atoms.cell.array, atoms.positions, *more):
            # Adding zero turns -0.0 into 0.0.
            digest.update((np.round(np.asarray(array, dtype=float), 8) + 0.0).tobytes())
        return digest.hexdigest()[:32]

    def _find(
        self,
        queries: Sequence[_Query],
        ask: Callable[[Sequence[str]], list[np.ndarray]],
        progress: ProgressCallback | None,
    ) -> list[np.ndarray]:
        """Return an array for each query; what is missing is asked for and written in parts."""
        known = self._read()
        sizes = {query.key: query.size for query in queries}
        missing = [key for key, size in sizes.items() if not _is_answer(known.get(key), size)]
        if progress is not None and len(queries) > len(missing):
            progress(len(queries) - len(missing))
        size = 8
        while missing:
            now, missing = missing[:size], missing[size:]
            begun = time.perf_counter()
            found = dict(zip(now, ask(now), strict=True))
            self._write(found)
            known |= found
            # Larger parts fill a GPU; smaller ones lose less.
            taken = time.perf_counter() - begun
            size = max(1, min(1024, int(size * np.clip(SECONDS / max(taken, 1e-9), 0.5, 4.0))))
        return [known[query.key] for query in queries]

    def _read(self) -> dict[str, np.ndarray]:
        """Return what is on disk; a file that is damaged is passed over with a warning."""
        if self._known is None:
            self._known = {}
            for path in sorted(self._folder.glob("*.npz")):
                try:
                    self._known |= read_npz(path)
                except (NpzError, OSError) as error:
                    _log.warning(
                        "%s is damaged (%s): what it held is computed again",
                        path,
                        first_line(error),
                    )
        return self._known

    def _write(self, found: dict[str, np.ndarray]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **found)
        write_whole(self._folder / f"{next(iter(found))}.npz", buffer.getvalue())


class _RowMixin(CachedPotential):
    """Rows of second derivatives as well."""

    def hessian_rows(
        self,
        atoms: Atoms,
        displacements: Sequence[tuple[int, np.ndarray]],
        progress: ProgressCallback | None = None,
    ) -> np.ndarray:
        """Differentiate what is not on disk (see `DifferentiablePotential.hessian_rows`)."""
        queries = [_Query(self._key("row", atoms, *one), 3 * len(atoms)) for one in displacements]
        by_key = {query.key: one for query, one in zip(queries, displacements, strict=True)}

        def ask(keys: Sequence[str]) -> list[np.ndarray]:
            rows = self._potential.hessian_rows(atoms, [by_key[key] for key in keys], progress)
            return list(rows.reshape(len(keys), -1))

        return np.array(self._find(queries, ask, progress)).reshape(-1, len(atoms), 3)


CachedPotential.capabilities = {**MIXINS, DifferentiablePotential: _RowMixin}


def _packed(found: Evaluation) -> np.ndarray:
    """Put energy, stress and forces into one array."""
    return np.concatenate([[found.energy], found.stress.ravel(), found.forces.ravel()])


def _unpacked(array: np.ndarray) -> Evaluation:
    return Evaluation(float(array[0]), array[10:].reshape(-1, 3), array[1:10].reshape(3, 3))


def _is_answer(array: np.ndarray | None, size: int) -> bool:
    """Whether this is an answer of so many numbers, not nothing and not something else."""
    return array is not None and array.shape == (size,) and array.dtype == np.float64
