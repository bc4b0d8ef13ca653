"""The one door for YAML of phonopy and phono3py: parsed here, checked, then handed to them.

Their own readers build any Python object that a file names, which runs code. Their loaders take
what was parsed already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.io.plain_yaml import read_yaml

if TYPE_CHECKING:
    from phono3py.interface.phono3py_yaml import Phono3pyYamlData
    from phonopy.interface.phonopy_yaml import PhonopyYamlData

MAX_ATOMS = 10_000
"""In a supercell; phonopy builds any that is asked for, until memory ends."""

MAX_FRAME = 100 * MAX_ATOMS
"""Atoms in the box around a supercell; phonopy fills that first."""

SMALLEST_VOLUME = 1e-3
"""Of a unit cell, in the cube of the program's unit of length."""


def read_phonopy_yaml(path: Path) -> PhonopyYamlData:
    """Read a YAML file of phonopy, as it is or compressed.

    Raises
    ------
    Exception
        Of any kind, if it cannot be read, or holds what cannot be; see `readers.reading`.
    """
    from phonopy.interface.phonopy_yaml import load_phonopy_yaml

    parsed = load_phonopy_yaml(_read_mapping(path))
    n_atoms = _check_cells(parsed, parsed.supercell_matrix, parsed.supercell)
    check_dataset(parsed.dataset, n_atoms)
    if (constants := parsed.force_constants) is not None:
        if not 0 < len(constants) <= n_atoms:
            raise ValueError(f"force constants of {len(constants)} atoms of {n_atoms}")
        _check_numbers("the force constants", constants, (len(constants), n_atoms, 3, 3))
    _check_born(parsed.nac_params)
    return parsed


def read_phono3py_yaml(path: Path) -> Phono3pyYamlData:
    """Read a YAML file of phono3py, as it is or compressed.

    Raises
    ------
    Exception
        Of any kind, if it cannot be read, or holds what cannot be; see `readers.reading`.
    """
    from phono3py.interface.phono3py_yaml import Phono3pyYamlLoader

    parsed = Phono3pyYamlLoader(_read_mapping(path)).parse().data
    n_atoms = _check_cells(parsed, parsed.supercell_matrix, parsed.supercell)
    check_dataset(parsed.dataset, n_atoms)
    if parsed.phonon_supercell_matrix is not None:
        n_atoms = _check_cells(parsed, parsed.phonon_supercell_matrix, parsed.phonon_supercell)
    check_dataset(parsed.phonon_dataset, n_atoms)
    _check_born(parsed.nac_params)
    return parsed


def _read_mapping(path: Path) -> dict[str, Any]:
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ValueError("it is no mapping of names to values")
    for name in ("supercell_matrix", "phonon_supercell_matrix"):
        # They become whole numbers whatever they are.
        matrix = values.get(name)
        if matrix is not None and np.any(np.asarray(matrix, dtype=float) % 1):
            raise ValueError(f"{name} is not of whole numbers")
    return values


def _check_cells(parsed: Any, matrix: np.ndarray | None, supercell: Any) -> int:
    """Check the unit cell and what is to be made of it; return the atoms of the supercell."""
    cell = parsed.unitcell
    if cell is None:
        raise ValueError("there is no unit cell")
    _check_numbers("the unit cell", cell.cell, (3, 3))
    _check_numbers("the positions", cell.scaled_positions, (len(cell), 3))
    _check_numbers("the masses", cell.masses, (len(cell),))
    if abs(np.linalg.det(cell.cell)) < SMALLEST_VOLUME:
        raise ValueError("the unit cell has no volume")
    if np.min(cell.masses) <= 0:
        raise ValueError("a mass is not positive")
    if parsed.primitive_matrix is not None:
        _check_numbers("primitive_matrix", parsed.primitive_matrix, (3, 3))
    size = 1.0
    if matrix is not None:
        _check_numbers("supercell_matrix", matrix, (3, 3))
        size = abs(np.linalg.det(matrix))
    n_atoms = round(len(cell) * size)
    if not 0 < n_atoms <= MAX_ATOMS:
        raise ValueError(f"a supercell of {n_atoms} atoms; 1 to {MAX_ATOMS} are possible")
    if (
        matrix is not None
        and len(cell) * np.prod(np.abs(np.asarray(matrix, dtype=float)).sum(axis=1)) > MAX_FRAME
    ):
        raise ValueError("the supercell is too sheared; reduce its vectors")
    if supercell is not None and len(supercell) != n_atoms:
        raise ValueError(f"a supercell of {len(supercell)} atoms where {n_atoms} are to be")
    return n_atoms


def check_dataset(dataset: Mapping[str, Any] | None, n_atoms: int) -> None:
    """Raise `ValueError` unless displacements and forces, if any, are of `n_atoms` and finite."""
    if not dataset:
        return
    if "first_atoms" not in dataset:
        shape = (len(dataset["displacements"]), n_atoms, 3)
        for name in ("displacements", "forces"):
            if name in dataset:
                _check_numbers(f"the {name}", dataset[name], shape)
        return
    if dataset["natom"] != n_atoms:
        raise ValueError(f"displacements of {dataset['natom']} atoms in a cell of {n_atoms}")
    for one in _single_displacements(dataset):
        if not 0 <= one["number"] < n_atoms:
            raise ValueError(f"atom {one['number'] + 1} of {n_atoms} is displaced")
        _check_numbers("a displacement", one["displacement"], (3,))
        if "forces" in one:
            _check_numbers("the forces", one["forces"], (n_atoms, 3))


def _single_displacements(dataset: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for one in dataset["first_atoms"]:
        yield one
        yield from one.get("second_atoms", ())


def _check_born(born: Mapping[str, Any] | None) -> None:
    if born is not None:
        _check_numbers("the Born charges", born["born"], (len(born["born"]), 3, 3))
        _check_numbers("the dielectric constant", born["dielectric"], (3, 3))
        _check_numbers("the unit conversion factor", born.get("factor", 1.0), ())


def _check_numbers(name: str, values: Any, shape: tuple[int, ...]) -> None:
    numbers = np.asarray(values, dtype=float)
    if numbers.shape != shape:
        raise ValueError(f"{name} have the shape {numbers.shape}, not {shape}")
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} are not finite")
