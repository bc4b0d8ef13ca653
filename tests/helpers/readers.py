"""Every reader of files that strangers send, by the name of a file that it reads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from mlphonon import Phonons
from mlphonon.crystal.crystal import make_crystal, read_crystals
from mlphonon.errors import MlphononError
from mlphonon.force_constants.born import read_born
from mlphonon.io.plain_yaml import read_settings_file
from mlphonon.readers.folder import load_calculation, load_pairs
from mlphonon.readers.phonopy_calculation import load_phonopy
from mlphonon.screening.crystals.sources import read_sources as read_crystal_sources
from mlphonon.training.data.reading import read_sources
from mlphonon.training.data.store import read_data


def _pairs(folder: Path) -> None:
    with suppress(MlphononError):
        load_calculation(folder)
    load_pairs(folder)


def _born(folder: Path) -> None:
    (given,) = read_crystals(folder / "crystal.vasp")
    read_born(folder / "BORN", make_crystal(given.given), 1e-5)


READERS: dict[str, Callable[[Path], object]] = {
    "phonopy_params.yaml:result": Phonons.load,
    "phonons.json:result": Phonons.load,
    "phonopy_disp.yaml:phonopy": load_calculation,
    "FORCE_SETS:phonopy": load_calculation,
    "FORCE_CONSTANTS:constants": load_calculation,
    "force_constants.hdf5:hdf5": load_calculation,
    "packed.yaml.xz:packed": lambda folder: load_phonopy(folder / "packed.yaml.xz"),
    "packed.yaml.gz:packed": lambda folder: load_phonopy(folder / "packed.yaml.gz"),
    "phono3py_disp.yaml:phono3py": _pairs,
    "FORCES_FC3:phono3py": _pairs,
    "settings.yaml:settings": lambda folder: read_settings_file(folder / "settings.yaml"),
    "BORN:born": _born,
    "crystal.vasp:crystals": lambda folder: read_crystals(folder / "crystal.vasp"),
    "crystal.cif:crystals": lambda folder: read_crystals(folder / "crystal.cif"),
    "crystal.extxyz:crystals": lambda folder: read_crystals(folder / "crystal.extxyz"),
    "data.h5:data": lambda folder: read_data(folder / "data.h5"),
    "labelled.extxyz:data": lambda folder: read_sources([folder / "labelled.extxyz"]),
    "entries.json:entries": lambda folder: list(read_crystal_sources([folder / "entries.json"])),
}
"""``FILE:FOLDER`` -> what reads the folder."""
