"""Second-order force constants of a phono3py calculation, as a phonopy object."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlphonon.calculations.phonopy_calculation import (
    finish,
    has_forces,
    in_angstrom,
    start,
    units_of,
)
from mlphonon.calculations.reading import reading

if TYPE_CHECKING:
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
    from phono3py.file_IO import (  # type: ignore[import-untyped]
        parse_FORCES_FC2,
        parse_FORCES_FC3,
        read_fc2_from_hdf5,
    )
    from phono3py.interface.phono3py_yaml import Phono3pyYaml  # type: ignore[import-untyped]

    parsed = Phono3pyYaml()
    with reading(settings):
        parsed.read(settings)
        shared = parsed.phonon_supercell_matrix is None
        matrix = parsed.supercell_matrix if shared else parsed.phonon_supercell_matrix
        phonopy = start(parsed, matrix)
        dataset = parsed.dataset if shared else parsed.phonon_dataset
    if path := beside.get("fc2.hdf5"):
        with reading(path):
            # phono3py writes it in eV/A^2, whatever the program.
            constants = read_fc2_from_hdf5(path, p2s_map=phonopy.primitive.p2s_map)
            return finish(phonopy, constants=constants)
    path = beside.get("FORCES_FC3" if shared else "FORCES_FC2")
    if path and dataset and not has_forces(dataset):
        with reading(path):
            (parse_FORCES_FC3 if shared else parse_FORCES_FC2)(dataset, path)
            # One that ends too early is left at that without an error.
            if not has_forces(dataset):
                raise ValueError("there are fewer forces than displacements")
    with reading(settings):
        if shared and dataset and "first_atoms" not in dataset:
            # A fit of the second order alone would take the third for a part of it.
            raise ValueError("random displacements for the third order need fc2.hdf5 beside them")
        return finish(phonopy, dataset=in_angstrom(dataset, *units_of(parsed)))
