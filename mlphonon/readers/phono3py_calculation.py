"""A phono3py calculation: its second order as a phonopy object, its displaced supercells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.force_constants.cells import to_ase
from mlphonon.io.phonopy_yaml import check_dataset, read_phono3py_yaml
from mlphonon.readers.force_constant_files import read_hdf5
from mlphonon.readers.phonopy_calculation import (
    finish,
    has_forces,
    in_angstrom,
    start,
    units_of,
)
from mlphonon.readers.reading import reading

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy


def load_phono3py(settings: Path, beside: Mapping[str, Path]) -> Phonopy:
    """Load the second-order force constants of phono3py, symmetrised, without Born charges.

    They are those of ``fc2.hdf5`` beside the settings; or made of the forces in the settings, or
    in ``FORCES_FC2`` (or, if the orders share a supercell, ``FORCES_FC3``) beside them.

    Parameters
    ----------
    settings : Path
        A YAML file of phono3py, as it is or compressed.
    beside : mapping of str to Path
        Other files of the calculation by their names.

    Raises
    ------
    ResultError
        If it cannot be read, or has no forces.
    """
    from phono3py.file_IO import parse_FORCES_FC2, parse_FORCES_FC3

    with reading(settings):
        parsed = read_phono3py_yaml(settings)
        shared = parsed.phonon_supercell_matrix is None
        matrix = parsed.supercell_matrix if shared else parsed.phonon_supercell_matrix
        phonopy = start(parsed, matrix)
        dataset = parsed.dataset if shared else parsed.phonon_dataset
    if path := beside.get("fc2.hdf5"):
        with reading(path):
            # phono3py writes it in eV/A^2, whatever the program.
            return finish(phonopy, constants=read_hdf5(path, phonopy, "vasp"))
    path = beside.get("FORCES_FC3" if shared else "FORCES_FC2")
    if path and dataset and not has_forces(dataset):
        with reading(path):
            (parse_FORCES_FC3 if shared else parse_FORCES_FC2)(dataset, path)
            # One that ends too early is left at that without an error.
            if not has_forces(dataset):
                raise ValueError("there are fewer forces than displacements")
            check_dataset(dataset, len(phonopy.supercell))
    with reading(settings):
        if shared and dataset and "first_atoms" not in dataset:
            # A fit of the second order alone would take the third for a part of it.
            raise ValueError("random displacements for the third order need fc2.hdf5 beside them")
        return finish(phonopy, dataset=in_angstrom(dataset, *units_of(parsed)))


def displaced_pairs(settings: Path, beside: Mapping[str, Path]) -> list[tuple[Atoms, np.ndarray]]:
    """Return the supercells of the third order with their forces, eV/A; none if there are none.

    Parameters
    ----------
    settings : Path
        A YAML file of phono3py, as it is or compressed.
    beside : mapping of str to Path
        Other files of the calculation by their names; ``FORCES_FC3`` is looked for.

    Raises
    ------
    ResultError
        If a file cannot be read.
    """
    from phono3py.file_IO import parse_FORCES_FC3

    with reading(settings):
        parsed = read_phono3py_yaml(settings)
        dataset = parsed.dataset
        supercell = to_ase(start(parsed, parsed.supercell_matrix).supercell)
        length, force = units_of(parsed)
    if dataset and not has_forces(dataset) and (path := beside.get("FORCES_FC3")):
        with reading(path):
            parse_FORCES_FC3(dataset, path)
            check_dataset(dataset, len(supercell))
    if not dataset or not has_forces(dataset):
        return []
    found = []
    for displacements, forces in _moved(dataset, len(supercell)):
        moved = supercell.copy()
        moved.positions += length * displacements
        found.append((moved, force * forces))
    return found


def _moved(dataset: Mapping[str, Any], n_atoms: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield displacements of all atoms and their forces, in the program's units."""
    if "first_atoms" not in dataset:
        yield from zip(dataset["displacements"], np.asarray(dataset["forces"]), strict=True)
        return
    for one in dataset["first_atoms"]:
        first = np.zeros((n_atoms, 3))
        first[one["number"]] = one["displacement"]
        yield first, np.asarray(one["forces"])
        for other in one.get("second_atoms", ()):
            # Of pairs beyond the cutoff nothing was computed; phono3py writes zeros for them.
            if np.any(other.get("forces", 0)):
                both = first.copy()
                both[other["number"]] += other["displacement"]
                yield both, np.asarray(other["forces"])
