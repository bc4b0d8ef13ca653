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
    find_calculations,
    holds_calculation,
    is_part_of_calculation,
    load_calculation,
    load_pairs,
)
from mlphonon.readers.phonopy_calculation import load_phonopy
from mlphonon.readers.reading import reading
from mlphonon.readers.structures import iterate_structures
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
    """Read everything that can be learned from in files and folders.

    Files of training data, folders of phonopy and phono3py (or one file of theirs), ASE databases,
    and whatever ASE reads with energies and forces.

    Parameters
    ----------
    paths : list of Path
        Files or folders, which are searched at any depth; two files of one phonopy calculation
        count once.
    functional, code : str
        Of those that do not say.

    Raises
    ------
    TrainingError
        If one cannot be read or holds no labels.
    """
    found: list[TrainingData] = []
    seen: set[Path] = set()
    for path in paths:
        if not (path.is_file() or path.is_dir()):
            raise TrainingError(f"there is no file {path}")
        try:
            if path.is_dir() or is_part_of_calculation(path):
                for name, place in _calculations(path):
                    if place.resolve() not in seen:
                        seen.add(place.resolve())
                        origin = Origin(str(place), functional, code)
                        phonopy, pairs = load_calculation(place), load_pairs(place)
                        found.append(_from_calculation(phonopy, pairs, name, origin))
            else:
                found.append(_read_file(path, Origin(str(path), functional, code)))
        except ResultError as error:
            raise TrainingError(str(error)) from error
    return found


def _calculations(path: Path) -> list[tuple[str, Path]]:
    """Return names and folders of the calculations in a folder, or of that a file is part of.

    Raises
    ------
    TrainingError
        If there is none.
    """
    folder = path if path.is_dir() else path.parent
    places = find_calculations(folder) if path.is_dir() else [folder]
    if not places or not holds_calculation(places[0]):
        raise TrainingError(
            f"{folder} holds no phonopy calculation",
            "there is no phonopy_params.yaml, phonopy_disp.yaml or the like, nor a POSCAR with"
            " FORCE_SETS, in it" + (" or in a folder in it" if path.is_dir() else ""),
            "give files, or the folder that holds it",
        )
    own = folder.resolve().name
    return [("/".join(place.relative_to(folder).parts) or own, place) for place in places]


def _read_file(path: Path, origin: Origin) -> TrainingData:
    if is_archive(path):
        classic = read_classic(path)
        return _from_calculation(classic.phonopy(), [], classic.name, origin)
    if ".yaml" in path.suffixes:
        return _from_calculation(load_phonopy(path), [], path.name.partition(".")[0], origin)
    if path.suffix in (".h5", ".hdf5"):
        return read_data(path)
    frames = tuple(read_frame(atoms, origin) for atoms in iterate_structures(path))
    if not frames:
        raise TrainingError(f"{path} holds no structure")
    return TrainingData(frames)


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
    moved = [*_displaced(phonopy, origin), *pairs]
    dataset = phonopy.dataset or {}
    kind = "finite" if "first_atoms" in dataset else "random"
    with reading(Path(origin.source)):
        curvature = Curvature(
            unitcell=to_ase(phonopy.unitcell),
            supercell_matrix=np.asarray(phonopy.supercell_matrix),
            primitive_matrix=np.asarray(phonopy.primitive_matrix),
            force_constants=np.asarray(phonopy.force_constants),
            crystal=name,
            origin=origin,
        )
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
            f"between {STIFFNESS[0]:g} and {STIFFNESS[1]:g} is physical; units or signs are wrong",
            "look at the file, or leave it out",
        )
