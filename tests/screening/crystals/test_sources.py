"""Crystals to screen, from wherever they are."""

import gzip
import json
from pathlib import Path

import ase.db
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mlphonon.errors import CrystalError
from mlphonon.screening.crystals.sources import of_object, read_sources

COPPER = bulk("Cu")
SALT = bulk("NaCl", "rocksalt", a=5.64)


def entry(atoms: Atoms, **more: object) -> dict:
    sites = [
        {"species": [{"element": symbol, "occu": 1}], "abc": list(map(float, place))}
        for symbol, place in zip(atoms.symbols, atoms.get_scaled_positions(), strict=True)
    ]
    return {"structure": {"lattice": {"matrix": atoms.cell.tolist()}, "sites": sites}} | more


def names(*paths: Path) -> list[str]:
    return [given.name for given in read_sources(paths)]


def test_a_folder_gives_its_structures_and_passes_over_what_is_none(tmp_path: Path):
    ase.io.write(tmp_path / "copper.cif", COPPER)
    ase.io.write(tmp_path / "POSCAR-salt.vasp", SALT)
    (tmp_path / "notes.txt").write_text("not a crystal\n")
    assert names(tmp_path) == ["POSCAR-salt", "copper"]


def test_a_damaged_crystal_in_a_folder_is_not_passed_over(tmp_path: Path):
    ase.io.write(tmp_path / "copper.cif", COPPER)
    (tmp_path / "broken.cif").write_text("data_x\n_cell_length_a 3\n")
    broken, copper = read_sources([tmp_path])
    assert (broken.name, broken.atoms) == ("broken", None)
    assert "broken.cif" in broken.problem
    assert copper.atoms is not None


def test_extxyz_names_and_numbers_come_along(tmp_path: Path):
    first, second = COPPER.copy(), SALT.copy()
    first.info.update(material_id="mp-30", e_hull=0.01, is_metal=True, comment="red")
    ase.io.write(tmp_path / "many.extxyz", [first, second])
    copper, salt = read_sources([tmp_path / "many.extxyz"])
    assert copper.name == "mp-30"
    assert copper.properties == {"e_hull": 0.01, "is_metal": True}
    assert salt.name == "many-2"
    np.testing.assert_allclose(salt.atoms.cell, SALT.cell)


def test_ase_database(tmp_path: Path):
    with ase.db.connect(tmp_path / "metals.db") as database:
        database.write(COPPER, e_hull=0.2, material_id="x-1")
        database.write(SALT)
    copper, salt = read_sources([tmp_path / "metals.db"])
    assert (copper.name, copper.properties) == ("x-1", {"e_hull": 0.2})
    assert salt.name == "metals-2"


@pytest.mark.parametrize("packed", [False, True])
def test_json_of_pymatgen_structures(tmp_path: Path, packed: bool):
    whole = [entry(COPPER, mp_id="mp-30", formula="Cu", heat_capacity=24.1), {"structure": {}}]
    data = json.dumps(whole).encode()
    path = tmp_path / ("all.json.gz" if packed else "all.json")
    path.write_bytes(gzip.compress(data) if packed else data)
    copper, nothing = read_sources([path])
    assert copper.name == "Cu_mp-30"
    assert copper.properties == {"heat_capacity": 24.1}
    np.testing.assert_allclose(copper.atoms.positions, COPPER.positions, atol=1e-12)
    assert nothing.atoms is None
    assert "entry 2" in nothing.problem


def test_ases_own_json_is_left_to_ase(tmp_path: Path):
    ase.io.write(tmp_path / "copper.json", COPPER)
    assert names(tmp_path / "copper.json") == ["copper"]


def test_the_binaries_of_alexandria(data: Path):
    path = data / "alexandria-binary" / "alexandria-binary-pbe-phonon-2025.1.json.gz"
    found = list(read_sources([path]))
    assert len(found) == 519
    assert all(given.atoms is not None for given in found)
    assert "heat_capacity" in found[0].properties


def test_objects():
    from pymatgen.core import Structure

    atoms = COPPER.copy()
    atoms.info["e_hull"] = np.float64(0.5)
    assert of_object(atoms, 3).name == "Cu-3"
    assert of_object(atoms, 3).properties == {"e_hull": 0.5}
    structure = Structure(SALT.cell.array, ["Na", "Cl"], SALT.get_scaled_positions())
    assert len(of_object(structure, 1).atoms) == 2


@pytest.mark.parametrize("name", ["none.cif", "text.cif", "empty", "text.db", "text.json"])
def test_what_cannot_be_read_is_one_line(tmp_path: Path, name: str):
    (tmp_path / "empty").mkdir()
    for file in ("text.cif", "text.db", "text.json"):
        (tmp_path / file).write_text("nothing of the kind")
    with pytest.raises(CrystalError) as caught:
        names(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
