"""Structures -> what a potential or a DFT code says of them, second derivatives included."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import ase.io
import numpy as np

from mlphonon.errors import TrainingError
from mlphonon.force_constants.displacements import stack
from mlphonon.io.atomic_files import write_whole
from mlphonon.potentials.loading import load_potential
from mlphonon.readers.reading import reading
from mlphonon.reporter import Reporter, Silent
from mlphonon.training.data.dft import PREFIX, load_code
from mlphonon.training.data.frame import UNKNOWN, Origin, TrainingData
from mlphonon.training.data.reading import read_frame

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.potentials.potential import Evaluation, Potential, ProgressCallback

FINE_STEP = 1e-4
"""Displacement of each coordinate (root mean square, A) by which forces are differentiated."""

COARSE_STEP = 0.01
"""For potentials whose forces are rounded."""

FILES_AT_ONCE = 64
"""Files whose structures a potential is given together."""


def label(
    structures: Sequence[Atoms],
    teacher: Potential,
    directions: int = 0,
    seed: int = 1,
    progress: ProgressCallback | None = None,
) -> list[Atoms]:
    """Return copies with energies, forces, stresses, and second derivatives along directions.

    A direction moves all atoms at random at once; the change of forces along it holds a little of
    every second derivative. It is taken by differences, which any teacher can do: one-sided where
    forces have sixteen digits, else central with a longer step.

    Parameters
    ----------
    structures : sequence of Atoms
        With ``material_id`` and ``config`` in `info`.
    teacher : Potential
        Is believed.
    directions : int
        Second derivatives of each structure.
    seed : int
        Of the directions.
    progress : callable, optional
        Called with the number of evaluations that were just done.

    Returns
    -------
    list of Atoms
        ``REF_energy`` (eV), ``REF_forces`` (eV/A), ``REF_stress`` (eV/A^3, positive under tension),
        and ``REF_directions`` and ``REF_responses``, each (n_atoms, 3 n_directions): unit root mean
        square, and second derivatives times direction, eV/A^2.
    """
    info = teacher.info
    one_sided = info.dtype == "float64"
    steps = (FINE_STEP,) if one_sided else (COARSE_STEP, -COARSE_STEP)
    ways = [_directions(atoms, directions, seed) for atoms in structures]
    trials = []
    for atoms, chosen in zip(structures, ways, strict=True):
        trials.append(atoms)
        trials += stack(atoms, [step * way for way in chosen for step in steps])
    found = iter(teacher.evaluate(trials, progress))
    labelled = []
    for atoms, chosen in zip(structures, ways, strict=True):
        rest = next(found)
        responses = []
        for _ in chosen:
            ahead = next(found).forces
            behind = rest.forces if one_sided else next(found).forces
            responses.append((behind - ahead) / (len(steps) * steps[0]))
        labelled.append(_with_labels(atoms, rest, chosen, responses))
        labelled[-1].info["code"] = info.name
        if info.functional:
            labelled[-1].info["functional"] = info.functional
    return labelled


def labelled_data(
    structures: Sequence[Atoms], teacher: Potential, directions: int = 0, seed: int = 1
) -> TrainingData:
    """Return training data of what a teacher says of structures; see `label`."""
    origin = Origin("labelled in memory", UNKNOWN, teacher.info.name)
    labelled = label(structures, teacher, directions, seed)
    return TrainingData(tuple(read_frame(atoms, origin) for atoms in labelled))


def _directions(atoms: Atoms, count: int, seed: int) -> list[np.ndarray]:
    digits = [seed, *np.rint(1e4 * np.abs(atoms.positions)).astype(int).ravel().tolist()[:9]]
    rng = np.random.default_rng([*digits, len(atoms)])
    ways = []
    # One atom alone can only be shifted with all its copies, which nothing resists.
    for _ in range(count if len(atoms) > 1 else 0):
        way = rng.normal(size=(len(atoms), 3))
        way -= way.mean(axis=0)
        ways.append(way / np.sqrt(np.square(way).mean()))
    return ways


def _with_labels(
    atoms: Atoms, rest: Evaluation, directions: list[np.ndarray], responses: list[np.ndarray]
) -> Atoms:
    labelled = atoms.copy()
    labelled.info |= {"REF_energy": rest.energy, "REF_stress": rest.stress}
    labelled.arrays["REF_forces"] = rest.forces
    if directions:
        labelled.arrays["REF_directions"] = np.concatenate(directions, axis=1)
        labelled.arrays["REF_responses"] = np.concatenate(responses, axis=1)
    return labelled


def load_teacher(
    name: str, folder: Path, device: str = "auto", allow_pickle: bool = False
) -> Potential:
    """Return the potential, or the DFT code (``ase:NAME:SETTINGS.yaml``, run in `folder`)."""
    if name.startswith(PREFIX):
        return load_code(name, folder)
    return load_potential(name, device=device, allow_pickle=allow_pickle)


def files_to_label(paths: Sequence[Path]) -> list[Path]:
    """Return files, and the structures of folders.

    Raises
    ------
    TrainingError
        If there is none, or two have one name.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise TrainingError(f"there is no file {path}")
        files += sorted(path.glob("*.extxyz")) if path.is_dir() else [path]
    if not files:
        raise TrainingError(
            f"{paths[0]} holds no structures", fix="make some with 'mlphonon dataset generate'"
        )
    names = [path.stem for path in files]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise TrainingError(
            f"two files are called {twice}", fix="label them into folders of their own"
        )
    return files


def label_files(
    files: Sequence[Path],
    teacher: Potential,
    folder: Path,
    directions: int = 0,
    seed: int = 1,
    reporter: Reporter | None = None,
) -> int:
    """Label files into `folder`, each under its name; those that are there already are left.

    Returns
    -------
    int
        Number of files that were labelled now.
    """
    folder.mkdir(parents=True, exist_ok=True)
    left = [path for path in files if not (folder / f"{path.stem}.extxyz").exists()]
    # A code is slow and may fail: what it has done is kept. A potential is quick in batches.
    at_once = 1 if teacher.info.backend == "ase" else FILES_AT_ONCE
    with (reporter or Silent()).step("labelling", len(left)) as advance:
        for first in range(0, len(left), at_once):
            part = left[first : first + at_once]
            read = [_read(path) for path in part]
            every = [atoms for file in read for atoms in file]
            done = iter(label(every, teacher, directions, seed))
            for path, file in zip(part, read, strict=True):
                write_structures(folder / f"{path.stem}.extxyz", [next(done) for _ in file])
            advance(len(part))
    return len(left)


def write_structures(path: Path, structures: Sequence[Atoms]) -> None:
    """Write structures, with what is known of them, into an extended XYZ file."""
    text = io.StringIO()
    ase.io.write(text, list(structures), format="extxyz")
    write_whole(path, text.getvalue())


def _read(path: Path) -> list[Atoms]:
    with reading(path):
        found = ase.io.read(path, index=":")
    for atoms in found:
        atoms.info.setdefault("material_id", path.stem)
        atoms.info.setdefault("config", "other")
    return list(found)
