"""A result on disk: a folder that appears whole or not at all, in formats others read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.crystal.structure_json import to_atoms
from mlphonon.errors import ResultError
from mlphonon.instabilities.explanation import Explanation
from mlphonon.io.atomic_files import write_folder
from mlphonon.phonons.committee_files import member_folders, read_members, summarise_committee
from mlphonon.phonons.record import Record

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.phonons.phonons import Phonons

FORMAT = 2
"""Version of the layout of phonons.json."""

SUMMARY_TEMPERATURE = 300.0

SUMMARY = "phonons.json"
PARAMETERS = "phonopy_params.yaml"
EXPLANATION = "explanation.json"

COMMENT = "Tetrahedron method"
"""First line of phonopy's files of densities of states."""


def summarise(phonons: Phonons) -> dict[str, Any]:
    """Return the summary that is printed and written as phonons.json."""
    thermal = phonons.thermal([SUMMARY_TEMPERATURE])
    n, committee = thermal.n_atoms, phonons.committee
    summary = {
        "format": FORMAT,
        "max_frequency_THz": float(max(f.max() for f in phonons.bands().frequencies)),
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


def save(phonons: Phonons, folder: Path) -> Path:
    """Write every file of a result (see `Phonons.save`)."""
    return write_folder(folder, SUMMARY, lambda part: write_files(phonons, part))


def load(folder: Path) -> tuple[Phonopy, Record, tuple[Phonons, ...], Explanation | None]:
    """Read the parts of a result back (see `Phonons.load`).

    Its own two, other members of a committee, and what is said of imaginary modes.
    """
    try:
        summary = json.loads((folder / SUMMARY).read_text())
        record = Record.model_validate(summary["record"])
        loaded = _read_phonopy(folder / PARAMETERS, record)
        names = summary["committee"]["names"] if "committee" in summary else None
        others = read_members(folder, record, names)
        explained = folder / EXPLANATION
        explanation = None
        if explained.exists():
            explanation = Explanation.model_validate_json(explained.read_text())
    # Damaged YAML meets phonopy's parser with any exception there is.
    except Exception as error:
        raise ResultError(
            f"{folder} does not hold a whole result",
            str(error).splitlines()[0] if str(error) else type(error).__name__,
            "give a folder that 'mlphonon phonons' or Phonons.save wrote",
        ) from error
    return loaded, record, others, explanation


def _read_phonopy(path: Path, record: Record) -> Phonopy:
    """Read cells, forces, force constants and Born charges from this file and no other.

    ``phonopy.load`` would take what it misses from files named BORN, FORCE_SETS or
    FORCE_CONSTANTS that happen to lie in the working directory.
    """
    from phonopy import Phonopy
    from phonopy.interface.phonopy_yaml import PhonopyYaml

    found = PhonopyYaml()
    found.read(path)
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


def write_data(phonons: Phonons, folder: Path) -> None:
    """Write what `load` reads, no more, into a folder that is there."""
    phonons.phonopy.save(folder / PARAMETERS, settings={"force_constants": True})
    text = json.dumps(summarise(phonons), indent=1) + "\n"
    (folder / SUMMARY).write_text(text)
    if phonons.explanation is not None:
        (folder / EXPLANATION).write_text(phonons.explanation.model_dump_json(indent=1) + "\n")
    if phonons.committee is not None:
        others = phonons.committee.members[1:]
        places = member_folders(folder, list(phonons.committee.names))
        for member, place in zip(others, places, strict=True):
            place.mkdir(parents=True)
            write_data(member, place)


def write_files(phonons: Phonons, folder: Path) -> None:
    """Write all files of a result, one by one, into a folder that is there."""
    from phonopy.phonon.dos import write_projected_dos, write_total_dos

    ph = phonons.phonopy
    write_data(phonons, folder)
    dos = phonons.dos(projected=True)
    # What these two return is written by phonopy, which keeps what it was last asked for.
    phonons.bands()
    phonons.thermal()
    if ph.band_structure is None or ph.thermal_properties is None:
        raise ResultError("phonopy kept no band structure or thermal properties")
    ph.band_structure.write_yaml(filename=folder / "band.yaml")
    ph.thermal_properties.write_yaml(filename=folder / "thermal_properties.yaml")
    total = phonons.dos()
    write_total_dos(total.frequencies, total.total, COMMENT, folder / "total_dos.dat")
    write_projected_dos(dos.frequencies, dos.projected, COMMENT, folder / "projected_dos.dat")
    phonons.plot(folder / "bands_dos.png")
    phonons.plot_thermal(folder / "thermal.png")
    if phonons.explanation is not None and phonons.explanation.family:
        _write_family(phonons.explanation, folder)


def _write_family(explanation: Explanation, folder: Path) -> None:
    """Write the crystals that imaginary modes lead to, for all programs, and their figure."""
    import ase.io

    from mlphonon.report.family import plot_family
    from mlphonon.report.figures import save_figure

    children = folder / "family"
    children.mkdir()
    for member in explanation.family:
        file = children / f"{member.name.replace('/', '_')}.vasp"
        ase.io.write(file, to_atoms(member.structure), sort=True, direct=True)
    save_figure(plot_family(explanation), folder / "family.png")
