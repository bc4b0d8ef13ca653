"""Phonons on disk: force constants to be read back, and everything that others read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.errors import ResultError
from mlphonon.phonons.committee_files import member_folders, read_members, summarise_committee
from mlphonon.phonons.record import Record

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.phonons.committee import Committee
    from mlphonon.phonons.phonons import Phonons

SUMMARY_TEMPERATURE = 300.0

PARAMETERS = "phonopy_params.yaml"

COMMENT = "Tetrahedron method"
"""First line of phonopy's files of densities of states."""


def summarise(phonons: Phonons) -> dict[str, Any]:
    """Return the summary that is printed and written as phonons.json."""
    thermal = phonons.thermal([SUMMARY_TEMPERATURE])
    n, committee = thermal.n_atoms, phonons.committee
    summary = {
        "max_frequency_THz": phonons.max_frequency,
        "stability": phonons.stability.model_dump(),
        "thermal_300K": {
            "C_V_J_per_K_mol_atoms": float(thermal.heat_capacity[0]) / n,
            "S_J_per_K_mol_atoms": float(thermal.entropy[0]) / n,
            "F_kJ_per_mol_atoms": float(thermal.free_energy[0]) / n,
            "zero_point_energy_kJ_per_mol_atoms": thermal.zero_point_energy / n,
        },
        "trust": phonons.trust.summary(),
        "record": json.loads(phonons.record.model_dump_json()),
    }
    if committee is not None:
        summary["committee"] = summarise_committee(committee, SUMMARY_TEMPERATURE)
    return summary


def read_data(
    folder: Path, summary: Mapping[str, Any], load: Callable[[Path], Phonons]
) -> tuple[Phonopy, Record, tuple[Phonons, ...]]:
    """Read what `Phonons` is made of: phonopy's object, record, other members of a committee."""
    record = Record.model_validate(summary["record"])
    found = _read_phonopy(folder / PARAMETERS, record)
    names = summary["committee"]["names"] if "committee" in summary else None
    return found, record, read_members(folder, record, names, load)


def _read_phonopy(path: Path, record: Record) -> Phonopy:
    """Read cells, forces, force constants and Born charges from this file and no other.

    ``phonopy.load`` would take what it misses from files named BORN, FORCE_SETS or
    FORCE_CONSTANTS that happen to lie in the working directory.
    """
    from phonopy import Phonopy

    from mlphonon.io.phonopy_yaml import read_phonopy_yaml

    found = read_phonopy_yaml(path)
    if not np.array_equal(found.supercell_matrix, record.supercell_matrix):
        raise ValueError(f"{path.name} is of another supercell than the record")
    phonopy = Phonopy(
        found.unitcell,
        found.supercell_matrix,
        primitive_matrix=np.eye(3),
        symprec=record.settings.symprec,
        log_level=0,
    )
    if found.force_constants is None or (found.nac_params is None) == record.born_charges:
        raise ValueError(f"{path.name} is not complete")
    phonopy.dataset = found.dataset
    phonopy.force_constants = found.force_constants
    if found.nac_params is not None:
        phonopy.nac_params = found.nac_params
    return phonopy


def write_data(phonopy: Phonopy, committee: Committee | None, folder: Path) -> tuple[str, ...]:
    """Write what `read_data` reads, no more, into a folder that is there.

    Returns
    -------
    tuple of str
        Names of the files, as paths from `folder`.
    """
    phonopy.save(folder / PARAMETERS, settings={"force_constants": True})
    if committee is None:
        return (PARAMETERS,)
    places = member_folders(folder, list(committee.names))
    for member, place in zip(committee.members[1:], places, strict=True):
        place.mkdir(parents=True)
        member.write(place, figures=False)
    summaries = (place / member.summary_file() for place in places)
    return (PARAMETERS, *(str(file.relative_to(folder)) for file in summaries))


def write_for_others(phonons: Phonons, folder: Path) -> None:
    """Write bands, densities of states and thermal properties as phonopy's own programs do."""
    from phonopy.phonon.dos import write_projected_dos, write_total_dos

    projected = phonons.dos(projected=True)
    total = phonons.dos()
    write_total_dos(total.frequencies, total.total, COMMENT, folder / "total_dos.dat")
    write_projected_dos(
        projected.frequencies, projected.projected, COMMENT, folder / "projected_dos.dat"
    )
    # What these two return is written by phonopy, which keeps what it was last asked for.
    phonons.bands()
    phonons.thermal()
    phonopy = phonons.phonopy
    if phonopy.band_structure is None or phonopy.thermal_properties is None:
        raise ResultError("phonopy kept no band structure or thermal properties")
    phonopy.band_structure.write_yaml(filename=folder / "band.yaml")
    phonopy.thermal_properties.write_yaml(filename=folder / "thermal_properties.yaml")
