"""Training data in one HDF5 file: arrays of all frames end to end, a group for each curvature."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.errors import TrainingError
from mlphonon.io.atomic_files import write_whole
from mlphonon.training.data.frame import Curvature, Frame, Origin, TrainingData

if TYPE_CHECKING:
    from ase import Atoms

FORMAT = 1
"""Version of the layout."""

WORDS = ("crystal", "kind", "source", "functional", "code")
"""Text that each frame has."""


def write_data(data: TrainingData, path: Path) -> str:
    """Write a file that appears whole or not at all, and return its SHA-256.

    It is made in memory: HDF5 that meets a full disk ends the process.

    Raises
    ------
    OSError
        If it cannot be written; what was at `path` is still there then.
    """
    import h5py

    with h5py.File("memory", "w", driver="core", backing_store=False, track_order=True) as file:
        file.attrs["format"] = FORMAT
        file.attrs["units"] = "A, eV, eV/A, eV/A^3 (positive under tension), eV/A^2"
        _texts(file, "held_out", sorted(data.held_out))
        _write_frames(file.create_group("frames"), data.frames)
        for number, curvature in enumerate(data.curvatures):
            _write_curvature(file.create_group(f"curvatures/{number:06d}"), curvature)
        file.flush()
        content = file.id.get_file_image()
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_data(path: Path) -> TrainingData:
    """Read a file of `write_data`.

    Raises
    ------
    TrainingError
        If it is none, or damaged.
    """
    import h5py

    if not path.is_file():
        raise TrainingError(f"there is no file {path}", fix="make one with mlphonon dataset build")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise ValueError(f"its format is {file.attrs.get('format')}, not {FORMAT}")
            groups = file["curvatures"].values() if "curvatures" in file else ()
            curvatures = [_read_curvature(group) for group in groups]
            frames = tuple(_read_frames(file["frames"]))
            return TrainingData(frames, tuple(curvatures), frozenset(_words(file["held_out"])))
    # h5py meets a damaged file with any exception there is.
    except Exception as error:
        raise TrainingError(
            f"cannot read training data from {path}",
            (str(error).splitlines() or [type(error).__name__])[0],
            "make it again",
        ) from error


def _write_frames(group: Any, frames: tuple[Frame, ...]) -> None:
    atoms = [frame.atoms for frame in frames]
    nothing = np.full((3, 3), np.nan)
    group["counts"] = np.array([len(one) for one in atoms], dtype=int)
    group["numbers"] = _stacked([one.numbers for one in atoms], (0,)).astype(int)
    group["positions"] = _stacked([one.positions for one in atoms], (0, 3))
    group["cells"] = _stacked([one.cell.array[None] for one in atoms], (0, 3, 3))
    group["forces"] = _stacked([frame.forces for frame in frames], (0, 3))
    energies = [np.nan if frame.energy is None else frame.energy for frame in frames]
    group["energies"] = np.array(energies, dtype=float)
    stresses = [nothing if frame.stress is None else frame.stress for frame in frames]
    group["stresses"] = _stacked([stress[None] for stress in stresses], (0, 3, 3))
    group["direction_counts"] = np.array([len(frame.directions) for frame in frames], dtype=int)
    for name in ("directions", "responses"):
        group[name] = _stacked([getattr(f, name).reshape(-1, 3) for f in frames], (0, 3))
    for word in WORDS:
        owner = (lambda f: f) if word in ("crystal", "kind") else (lambda f: f.origin)
        _texts(group, word, [getattr(owner(frame), word) for frame in frames])


def _read_frames(group: Any) -> list[Frame]:
    from ase import Atoms

    columns = _columns(group)
    ends, bends = np.cumsum(columns["counts"]), np.cumsum(_n_rows(columns))
    frames = []
    for i, (end, bend) in enumerate(zip(ends, bends, strict=True)):
        mine = slice(ends[i - 1] if i else 0, end)
        curved = slice(bends[i - 1] if i else 0, bend)
        many, n_atoms = columns["direction_counts"][i], columns["counts"][i]
        shape = (many, n_atoms if many else 0, 3)
        energy, stress = columns["energies"][i], columns["stresses"][i]
        numbers, positions = columns["numbers"][mine], columns["positions"][mine]
        frames.append(
            Frame(
                atoms=Atoms(numbers, positions, cell=columns["cells"][i], pbc=True),
                forces=columns["forces"][mine],
                energy=None if np.isnan(energy) else float(energy),
                stress=None if np.isnan(stress).any() else stress,
                crystal=columns["crystal"][i],
                kind=columns["kind"][i],
                origin=Origin(*(columns[word][i] for word in ("source", "functional", "code"))),
                directions=columns["directions"][curved].reshape(shape),
                responses=columns["responses"][curved].reshape(shape),
            )
        )
    return frames


def _columns(group: Any) -> dict[str, Any]:
    """Return the columns of all frames, once they are as long and of the types they must be.

    Raises
    ------
    ValueError
        With the name of one that is not.
    """
    columns: dict[str, Any] = {word: _words(group[word]) for word in WORDS}
    for name in ("counts", "direction_counts", "numbers"):
        columns[name] = _array(group[name], np.integer)
    for name in ("positions", "forces", "cells", "energies", "stresses", "directions", "responses"):
        columns[name] = _array(group[name], np.floating)
    counts, many = columns["counts"], columns["direction_counts"]
    n_frames, most = len(counts), len(columns["numbers"])
    # Compared one by one first: sums of numbers this large would wrap around.
    if n_frames and not (1 <= counts.min() <= counts.max() <= most):
        raise ValueError("the numbers of atoms are not those of its structures")
    if len(many) != n_frames or (
        n_frames and not 0 <= many.min() <= many.max() <= len(columns["directions"])
    ):
        raise ValueError("the numbers of directions are not those of its structures")
    n_atoms, n_rows = int(counts.sum()), int(_n_rows(columns).sum())
    shapes = {
        "numbers": (n_atoms,),
        "positions": (n_atoms, 3),
        "forces": (n_atoms, 3),
        "cells": (n_frames, 3, 3),
        "energies": (n_frames,),
        "stresses": (n_frames, 3, 3),
        "directions": (n_rows, 3),
        "responses": (n_rows, 3),
    }
    for name, shape in shapes.items():
        if columns[name].shape != shape:
            raise ValueError(f"{name} has shape {columns[name].shape}, not {shape}")
    for word in WORDS:
        if len(columns[word]) != n_frames:
            raise ValueError(f"{word} has {len(columns[word])} entries, not {n_frames}")
    return columns


def _n_rows(columns: dict[str, Any]) -> Any:
    """Return how many rows of ``directions`` belong to each frame."""
    return columns["direction_counts"] * columns["counts"]


def _array(dataset: Any, kind: type) -> Any:
    """Return an array of integers or of floating-point numbers as int64 or float64.

    Raises
    ------
    ValueError
        If it is of another type, or says it is larger than what is stored of it.
    """
    if not np.issubdtype(dataset.dtype, kind):
        raise ValueError(f"{dataset.name} holds {dataset.dtype}")
    if dataset.size and dataset.id.get_storage_size() < dataset.nbytes:
        raise ValueError(f"{dataset.name} is not complete")
    return dataset[:].astype(np.int64 if kind is np.integer else np.float64)


def _write_curvature(group: Any, curvature: Curvature) -> None:
    cell: Atoms = curvature.unitcell
    group["numbers"], group["positions"] = cell.numbers, cell.positions
    group["cell"] = cell.cell.array
    group["supercell_matrix"] = np.asarray(curvature.supercell_matrix, dtype=int)
    group["primitive_matrix"] = curvature.primitive_matrix
    group["force_constants"] = curvature.force_constants
    group.attrs["crystal"] = curvature.crystal
    for word in ("source", "functional", "code"):
        group.attrs[word] = getattr(curvature.origin, word)


def _read_curvature(group: Any) -> Curvature:
    from ase import Atoms

    words = [str(group.attrs[word]) for word in ("source", "functional", "code")]
    numbers = _array(group["numbers"], np.integer)
    positions, cell = (_array(group[name], np.floating) for name in ("positions", "cell"))
    return Curvature(
        unitcell=Atoms(numbers, positions, cell=cell, pbc=True),
        supercell_matrix=_array(group["supercell_matrix"], np.integer),
        primitive_matrix=_array(group["primitive_matrix"], np.floating),
        force_constants=_array(group["force_constants"], np.floating),
        crystal=str(group.attrs["crystal"]),
        origin=Origin(*words),
    )


def _stacked(arrays: list[np.ndarray], empty: tuple[int, ...]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(empty)


def _texts(group: Any, name: str, texts: list[str]) -> None:
    import h5py

    group.create_dataset(name, data=np.array(texts, dtype=object), dtype=h5py.string_dtype())


def _words(texts: Any) -> list[str]:
    return [str(text) for text in texts.asstr()[:]]
