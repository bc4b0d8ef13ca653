"""Training data in one HDF5 file: arrays of all frames end to end, a group for each curvature."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.errors import TrainingError
from mlphonon.training.data.frame import Curvature, Frame, Origin, TrainingData

if TYPE_CHECKING:
    from ase import Atoms

FORMAT = 1
"""Version of the layout."""

WORDS = ("crystal", "kind", "source", "functional", "code")
"""Text that each frame has."""


def write_data(data: TrainingData, path: Path) -> str:
    """Write a file that appears whole or not at all, and return its SHA-256.

    Raises
    ------
    OSError
        If it cannot be written; what was at `path` is still there then.
    """
    import h5py

    part = path.with_name(f".{path.name}.part")
    try:
        with h5py.File(part, "w", track_order=True) as file:
            file.attrs["format"] = FORMAT
            file.attrs["units"] = "A, eV, eV/A, eV/A^3 (positive under tension), eV/A^2"
            _texts(file, "held_out", sorted(data.held_out))
            _write_frames(file.create_group("frames"), data.frames)
            for number, curvature in enumerate(data.curvatures):
                _write_curvature(file.create_group(f"curvatures/{number:06d}"), curvature)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return digest(path)


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
            curvatures = [_read_curvature(group) for group in file.get("curvatures", {}).values()]
            frames = tuple(_read_frames(file["frames"]))
            return TrainingData(frames, tuple(curvatures), frozenset(_words(file["held_out"])))
    # h5py meets a damaged file with several kinds of exceptions.
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise TrainingError(
            f"cannot read training data from {path}", str(error), "make it again"
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

    ends = np.cumsum(group["counts"][:])
    arrays = {name: group[name][:] for name in ("numbers", "positions", "forces")}
    cells, energies, stresses = (group[name][:] for name in ("cells", "energies", "stresses"))
    words = {word: _words(group[word]) for word in WORDS}
    many = group["direction_counts"][:]
    along_ends = np.cumsum(many * group["counts"][:])
    along = {name: group[name][:] for name in ("directions", "responses")}
    frames = []
    for i, end in enumerate(ends):
        mine = slice(ends[i - 1] if i else 0, end)
        shape = (many[i], len(arrays["numbers"][mine]) if many[i] else 0, 3)
        curved = slice(along_ends[i - 1] if i else 0, along_ends[i])
        atoms = Atoms(arrays["numbers"][mine], arrays["positions"][mine], cell=cells[i], pbc=True)
        frames.append(
            Frame(
                atoms=atoms,
                forces=arrays["forces"][mine],
                energy=None if np.isnan(energies[i]) else float(energies[i]),
                stress=None if np.isnan(stresses[i]).any() else stresses[i],
                crystal=words["crystal"][i],
                kind=words["kind"][i],
                origin=Origin(*(words[word][i] for word in ("source", "functional", "code"))),
                directions=along["directions"][curved].reshape(shape),
                responses=along["responses"][curved].reshape(shape),
            )
        )
    return frames


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
    return Curvature(
        unitcell=Atoms(group["numbers"][:], group["positions"][:], cell=group["cell"][:], pbc=True),
        supercell_matrix=group["supercell_matrix"][:],
        primitive_matrix=group["primitive_matrix"][:],
        force_constants=group["force_constants"][:],
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
