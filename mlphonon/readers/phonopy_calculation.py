"""Force constants and forces as phonopy writes them, in A and eV.

Nothing is taken from the working folder, where phonopy's own loader looks for what it misses.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.force_constants.force_constants import SYMMETRISATION_ROUNDS
from mlphonon.io.phonopy_yaml import check_dataset, read_phonopy_yaml
from mlphonon.readers.force_constant_files import check_shape, read_hdf5, read_text
from mlphonon.readers.reading import reading

if TYPE_CHECKING:
    from phonopy import Phonopy


def load_phonopy(
    settings: Path, beside: Mapping[str, Path] | None = None, find_primitive: bool = True
) -> Phonopy:
    """Load a phonopy calculation with symmetrised force constants, without Born charges.

    They are the first that there are of: ``FORCE_CONSTANTS`` or ``force_constants.hdf5`` beside
    the settings, those in the settings; or made of forces: ``FORCE_SETS`` beside them, those in
    them, ``vasprun.xml*`` beside them.

    Parameters
    ----------
    settings : Path
        A YAML file of phonopy, as it is or compressed.
    beside : mapping of str to Path
        Other files of the calculation by their names.
    find_primitive : bool
        If the settings name no primitive cell, find it; else the unit cell is taken for one.

    Raises
    ------
    ResultError
        If it cannot be read, or has no forces.
    """
    from phonopy.file_IO import parse_FORCE_SETS

    beside = beside or {}
    with reading(settings):
        parsed = read_phonopy_yaml(settings)
        phonopy = start(parsed, parsed.supercell_matrix, find_primitive)
        dataset, constants = parsed.dataset, parsed.force_constants
    if path := beside.get("FORCE_CONSTANTS"):
        with reading(path):
            constants = read_text(path, phonopy)
    elif path := beside.get("force_constants.hdf5"):
        with reading(path):
            constants = read_hdf5(path, phonopy, parsed.calculator)
    elif constants is None and (path := beside.get("FORCE_SETS")):
        with reading(path):
            dataset = parse_FORCE_SETS(path, natom=len(phonopy.supercell))
            check_dataset(dataset, len(phonopy.supercell))
    with reading(settings):
        length, force = units_of(parsed)
        if constants is not None:
            return finish(phonopy, constants=np.asarray(constants) * force / length)
        if not has_forces(dataset):
            dataset = _with_forces_of_vasp(dataset, beside)
            check_dataset(dataset, len(phonopy.supercell))
        return finish(phonopy, dataset=in_angstrom(dataset, length, force))


def start(parsed: Any, supercell_matrix: np.ndarray | None, find_primitive: bool = True) -> Phonopy:
    """Make the phonopy object of cells that were parsed, in A.

    Parameters
    ----------
    parsed : PhonopyYamlData or Phono3pyYamlData
        What the settings say.
    supercell_matrix : ndarray, shape (3, 3), optional
        Of the second-order force constants.
    find_primitive : bool
        If the settings name no primitive cell, find it; else the unit cell is taken for one.
    """
    from phonopy import Phonopy
    from phonopy.structure.cells import guess_primitive_matrix

    cell = parsed.unitcell.copy()
    cell.cell = cell.cell * units_of(parsed)[0]
    primitive_matrix = parsed.primitive_matrix
    if primitive_matrix is None:
        primitive_matrix = guess_primitive_matrix(cell) if find_primitive else np.eye(3)
    return Phonopy(
        cell,
        np.eye(3, dtype=int) if supercell_matrix is None else supercell_matrix,
        primitive_matrix=primitive_matrix,
        log_level=0,
    )


def finish(
    phonopy: Phonopy, constants: np.ndarray | None = None, dataset: Mapping[str, Any] | None = None
) -> Phonopy:
    """Give a phonopy object symmetrised force constants, as they are or made of forces.

    Parameters
    ----------
    phonopy : Phonopy
        With its cells.
    constants : ndarray, shape (n or n_primitive, n, 3, 3), optional
        eV/A^2.
    dataset : mapping, optional
        phonopy's displacements (A) and forces (eV/A).

    Raises
    ------
    ValueError
        If there is neither, or not of this supercell, or not finite.
    """
    from phonopy.harmonic.force_constants import full_fc_to_compact_fc

    if constants is not None:
        check_shape(constants.shape, phonopy)
        phonopy.force_constants = constants
    elif has_forces(dataset):
        phonopy.dataset = dataset
        # Displacements of all atoms at once are beyond the solver by symmetry.
        solver = None if "first_atoms" in (dataset or {}) else "symfc"
        phonopy.produce_force_constants(
            calculate_full_force_constants=False, fc_calculator=solver, show_drift=False
        )
    else:
        raise ValueError("there are neither forces nor force constants")
    phonopy.symmetrize_force_constants(level=SYMMETRISATION_ROUNDS, show_drift=False)
    made = np.asarray(phonopy.force_constants)
    if not np.isfinite(made).all():
        raise ValueError("the force constants are not finite")
    if len(made) != len(phonopy.primitive):
        phonopy.force_constants = full_fc_to_compact_fc(phonopy.primitive, made)
    return phonopy


def units_of(parsed: Any) -> tuple[float, float]:
    """Return the A and eV/A in the units of the program that settings name."""
    from phonopy.interface.calculator import get_calculator_physical_units

    units = get_calculator_physical_units(parsed.calculator)
    return units.distance_to_A, units.force_to_eVperA


def has_forces(dataset: Mapping[str, Any] | None) -> bool:
    """Say whether a data set of phonopy or phono3py has forces and not only displacements."""
    if not dataset:
        return False
    first = dataset.get("first_atoms")
    return "forces" in dataset if first is None else all("forces" in one for one in first)


def in_angstrom(
    dataset: Mapping[str, Any] | None, length: float, force: float
) -> dict[str, Any] | None:
    """Copy what phonopy needs of displacements and forces, with `units_of` turned to A and eV/A.

    Without forces there is nothing to copy. Second displacements, which phono3py adds to the
    first, are left out.
    """
    if not dataset or not has_forces(dataset):
        return None
    if "first_atoms" not in dataset:
        return {
            "displacements": np.asarray(dataset["displacements"]) * length,
            "forces": np.asarray(dataset["forces"]) * force,
        }
    return {
        "natom": dataset["natom"],
        "first_atoms": [
            {
                "number": one["number"],
                "displacement": np.asarray(one["displacement"]) * length,
                "forces": np.asarray(one["forces"]) * force,
            }
            for one in dataset["first_atoms"]
        ],
    }


def _with_forces_of_vasp(
    dataset: Mapping[str, Any] | None, beside: Mapping[str, Path]
) -> Mapping[str, Any] | None:
    """Add the forces of ``vasprun.xml*``, in the order of their names."""
    from ase.io import read

    runs = [path for name, path in sorted(beside.items()) if name.startswith("vasprun.xml")]
    if not runs or not dataset:
        return dataset
    forces = []
    for path in runs:
        with reading(path):
            forces.append(read(path, format="vasp-xml").get_forces())
    if "first_atoms" not in dataset:
        return {**dataset, "forces": forces}
    first = dataset["first_atoms"]
    if len(first) != len(forces):
        raise ValueError(f"{len(forces)} vasprun.xml for {len(first)} displacements")
    pairs = zip(first, forces, strict=True)
    return {**dataset, "first_atoms": [{**one, "forces": found} for one, found in pairs]}
