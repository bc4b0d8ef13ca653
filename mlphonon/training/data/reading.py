"""Calculations of any kind -> frames and curvatures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.crystal.crystal import reduced_formula
from mlphonon.errors import ResultError, TrainingError
from mlphonon.force_constants.cells import to_ase
from mlphonon.force_constants.displacements import displaced_structures
from mlphonon.readers.classic_phonopy import is_archive, read_classic
from mlphonon.readers.folder import (
    holds_calculation,
    is_part_of_calculation,
    load_calculation,
    load_pairs,
)
from mlphonon.readers.phonopy_calculation import load_phonopy
from mlphonon.readers.reading import reading
from mlphonon.training.data.frame import UNKNOWN, Curvature, Frame, Origin, TrainingData
from mlphonon.training.data.store import read_data

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy

STIFFNESS = (0.01, 1000.0)
"""eV/A^2; what pulls a displaced atom back, divided by its displacement, is between these in any
crystal (0.5 in soft metals, 100 in diamond). Outside, units or signs are wrong."""


SMALL = 0.1
"""A; crystals are about harmonic for displacements of all atoms below."""


def read_sources(
    paths: list[Path], functional: str = UNKNOWN, code: str = UNKNOWN
) -> list[TrainingData]:
    """Read everything that can be learnt from in files and folders.

    Files of training data, folders of phonopy and phono3py (or one file of theirs), ASE databases,
    and whatever ASE reads with energies and forces.

    Parameters
    ----------
    paths : list of Path
        Files or folders; two files of one phonopy calculation count once.
    functional, code : str
        Of those that do not say.

    Raises
    ------
    TrainingError
        If one cannot be read or holds no labels.
    """
    found, folders = [], set()
    for path in paths:
        if not path.exists():
            raise TrainingError(f"there is no file {path}")
        folder = _calculation_folder(path)
        if folder is not None:
            if folder.resolve() in folders:
                continue
            folders.add(folder.resolve())
        try:
            found.append(_read(path, folder, Origin(str(path), functional, code)))
        except ResultError as error:
            raise TrainingError(str(error)) from error
    return found


def _calculation_folder(path: Path) -> Path | None:
    """Return the folder of the phonopy calculation that a path is, or is a part of."""
    if path.is_dir():
        return path
    return path.parent if is_part_of_calculation(path) else None


def _read(path: Path, folder: Path | None, origin: Origin) -> TrainingData:
    if folder is not None:
        if not holds_calculation(folder):
            raise TrainingError(
                f"{folder} holds no phonopy calculation",
                "there is no phonopy_params.yaml, phonopy_disp.yaml or the like in it, nor a POSCAR"
                " with FORCE_SETS",
                "give files, or the folder that holds it",
            )
        name = folder.resolve().name
        return _from_calculation(load_calculation(folder), load_pairs(folder), name, origin)
    if is_archive(path):
        classic = read_classic(path)
        return _from_calculation(classic.phonopy(), [], classic.name, origin)
    if ".yaml" in path.suffixes:
        return _from_calculation(load_phonopy(path), [], path.name.partition(".")[0], origin)
    if path.suffix in (".h5", ".hdf5"):
        return read_data(path)
    frames = tuple(read_frame(atoms, origin) for atoms in _structures(path))
    if not frames:
        raise TrainingError(f"{path} holds no structure")
    return TrainingData(frames)


def _structures(path: Path) -> Iterator[Atoms]:
    """Yield the structures of a file, with what was computed of them."""
    import ase.io

    with reading(path):
        if path.suffix == ".db":
            from ase.db import connect

            for row in connect(path).select():
                yield row.toatoms(add_additional_information=True)
            return
        yield from ase.io.iread(path, index=":")


def read_frame(atoms: Atoms, origin: Origin) -> Frame:
    """Take the labels ``REF_*`` of a structure, or what a calculator left.

    Raises
    ------
    TrainingError
        If there are no forces, or a label is not a number.
    """
    info, results = atoms.info, {} if atoms.calc is None else atoms.calc.results
    forces = atoms.arrays.get("REF_forces", results.get("forces"))
    if forces is None:
        raise TrainingError(
            f"a structure of {reduced_formula(atoms)} in {origin.source} has no forces",
            fix="label it first (mlphonon dataset label), or leave the file out",
        )
    energy = info.get("REF_energy", results.get("energy"))
    stress = info.get("REF_stress", results.get("stress"))
    bare = atoms.copy()
    bare.info, bare.constraints = {}, []
    bare.arrays = {name: atoms.arrays[name] for name in ("numbers", "positions")}
    with reading(Path(origin.source)):
        return Frame(
            atoms=bare,
            forces=np.asarray(forces, dtype=float),
            energy=None if energy is None else float(energy),
            stress=None if stress is None else _as_matrix(np.asarray(stress, dtype=float)),
            crystal=str(info.get("material_id", reduced_formula(atoms))),
            kind=str(info.get("config", "other")),
            origin=Origin(
                origin.source,
                str(info.get("functional", origin.functional)),
                str(info.get("code", origin.code)),
            ),
            directions=_per_direction(atoms, "REF_directions"),
            responses=_per_direction(atoms, "REF_responses"),
        )


def _per_direction(atoms: Atoms, name: str) -> np.ndarray:
    """Return columns (n_atoms, 3 n_directions) of a file as (n_directions, n_atoms, 3)."""
    columns = atoms.arrays.get(name)
    if columns is None:
        return np.empty((0, 0, 3))
    return np.asarray(columns, dtype=float).reshape(len(atoms), -1, 3).transpose(1, 0, 2)


def _as_matrix(stress: np.ndarray) -> np.ndarray:
    """Return a stress as a matrix, from ASE's xx, yy, zz, yz, xz, xy or nine numbers."""
    if stress.size == 6:
        return stress.ravel()[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3)
    return stress.reshape(3, 3)


def _from_calculation(
    phonopy: Phonopy, pairs: list[tuple[Atoms, np.ndarray]], name: str, origin: Origin
) -> TrainingData:
    """Take the displaced supercells of a calculation, where it has forces, and its curvature."""
    curvature = Curvature(
        unitcell=to_ase(phonopy.unitcell),
        supercell_matrix=np.asarray(phonopy.supercell_matrix),
        primitive_matrix=np.asarray(phonopy.primitive_matrix),
        force_constants=np.asarray(phonopy.force_constants),
        crystal=name,
        origin=origin,
    )
    moved = [*_displaced(phonopy, origin), *pairs]
    dataset = phonopy.dataset or {}
    kind = "finite" if "first_atoms" in dataset else "random"
    frames = [Frame(atoms, forces, None, None, name, kind, origin) for atoms, forces in moved]
    # Where both orders share a supercell, the single displacements come from both.
    once = {frame.fingerprint(): frame for frame in frames}
    # What is fitted to large displacements is an average, not the second derivative at rest.
    largest = np.linalg.norm(dataset.get("displacements", np.zeros((1, 1, 3))), axis=2).max()
    return TrainingData(tuple(once.values()), (curvature,) if largest < SMALL else ())


def _displaced(phonopy: Phonopy, origin: Origin) -> Iterator[tuple[Atoms, np.ndarray]]:
    """Yield the displaced supercells of the second order and their forces."""
    dataset = phonopy.dataset or {}
    forces = phonopy.forces if dataset else None
    if forces is None:
        return
    for one in dataset.get("first_atoms", ()):
        _check_response(one, origin)
    yield from zip(displaced_structures(phonopy), map(np.asarray, forces), strict=True)


def _check_response(one: dict[str, Any], origin: Origin) -> None:
    """Refuse forces that push a displaced atom on, or pull it back beyond belief."""
    moved, force = np.asarray(one["displacement"]), np.asarray(one["forces"])[one["number"]]
    stiffness = -float(moved @ force / (moved @ moved))
    if not STIFFNESS[0] < stiffness < STIFFNESS[1]:
        raise TrainingError(
            f"a displaced atom in {origin.source} is pulled back by {stiffness:.3g} eV/A^2",
            f"between {STIFFNESS[0]:g} and {STIFFNESS[1]:g} is believed; units or signs are wrong",
            "look at the file, or leave it out",
        )
