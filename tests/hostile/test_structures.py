"""Files of structures that announce what they do not hold, or hold what is no number."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from ase.io import read, write

from mlphonon.crystal.crystal import make_crystal, read_crystals
from mlphonon.errors import CrystalError
from tests.helpers.crystals import wurtzite


@pytest.mark.parametrize("number", ["999999999999", "-4", "9" * 5000, "5"])
@pytest.mark.parametrize("name", ["a.extxyz", "a.xyz", "a.extxyz.gz"])
def test_xyz_that_announces_more_atoms(name: str, number: str, tmp_path: Path) -> None:
    path = tmp_path / name
    write(path, [wurtzite()] * 2, format="extxyz")
    assert len(read_crystals(path)) == 2
    opened = gzip.open if name.endswith(".gz") else open
    with opened(path, "rt") as file:
        first, _, rest = file.read().partition("\n")
    # In the first frame, and in the last.
    for text in (f"{number}\n{rest}", f"{first}\n{rest}{number}\n"):
        with opened(path, "wt") as file:
            file.write(text)
        with pytest.raises(CrystalError, match="cannot read a crystal"):
            read_crystals(path)


@pytest.mark.parametrize("columns", ["999999999999", "9" * 5000])
def test_xyz_that_announces_more_columns(columns: str, tmp_path: Path) -> None:
    path = tmp_path / "a.extxyz"
    write(path, wurtzite())
    path.write_text(path.read_text().replace("pos:R:3", f"pos:R:{columns}"))
    with pytest.raises(CrystalError, match="columns"):
        read_crystals(path)


@pytest.mark.parametrize("counts", ["999999999 1", "-1 5", "2 " * 3000, "3 2"])
def test_poscar_that_announces_more_atoms(counts: str, tmp_path: Path) -> None:
    path = tmp_path / "a.vasp"
    write(path, wurtzite())
    assert len(read_crystals(path)) == 1
    lines = path.read_text().splitlines()
    lines[6] = counts
    path.write_text("\n".join(lines))
    with pytest.raises(CrystalError, match=r"cannot read a crystal.*announces"):
        read_crystals(path)


@pytest.mark.parametrize("occupancy", [{"0": {"Zn": "most"}}, {"0": 1.0}, {"0": {"Zn": None}}])
def test_occupancies_that_are_no_numbers(occupancy: dict) -> None:
    atoms = wurtzite()
    atoms.info["occupancy"] = occupancy
    with pytest.raises(CrystalError, match="occupancy of site 0 is no number"):
        make_crystal(atoms)


def test_an_occupancy_that_is_something_else(tmp_path: Path) -> None:
    atoms = wurtzite()
    atoms.info["occupancy"] = "of somebody"
    write(tmp_path / "a.extxyz", atoms)
    assert read(tmp_path / "a.extxyz").info["occupancy"] == "of somebody"
    assert len(read_crystals(tmp_path / "a.extxyz")) == 1
