"""Densities of states of JARVIS-DFT and of the Materials Project, in their own forms."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk

from mlphonon.errors import ResultError
from mlphonon.evaluation.metrics.spectrum import Spectrum, harmonic_properties
from mlphonon.evaluation.references.catalogue import find_reference, read_reference, select_crystals
from mlphonon.evaluation.references.files import check_files, file_digests
from mlphonon.evaluation.references.structures import atoms_of

SECOND_RADIATION_CONSTANT = 1.438776877
"""h c / k_B, cm K (CODATA)."""


def einstein_heat_capacity(wave_number: float) -> float:
    """C_V at 300 K per mole of atoms that swing at one wave number (1/cm)."""
    x = SECOND_RADIATION_CONSTANT * wave_number / 300
    return 3 * 8.31446261815324 * x**2 * np.exp(x) / np.expm1(x) ** 2


def entry(density: Any, jid: str = "JVASP-1002", cartesian: bool = False) -> dict:
    silicon = bulk("Si")
    coords = silicon.positions if cartesian else silicon.get_scaled_positions()
    atoms = {
        "lattice_mat": silicon.cell.array.tolist(),
        "coords": coords.tolist(),
        "elements": ["Si", "Si"],
        "abc": [3.8, 3.8, 3.8],
        "angles": [60, 60, 60],
        "cartesian": cartesian,
        "props": ["", ""],
    }
    return {"jid": jid, "atoms": atoms, "pdos_elast": density, "edos_up": "na"}


def peak(n: int, at: int) -> list[float]:
    return [1.0 if i == at else -1e-6 for i in range(n)]


def write_jarvis(folder: Path, entries: list[dict], name: str = "dos.json") -> None:
    path = folder / "jarvis-dos" / name
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(entries)
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "")
            archive.writestr("dos.json", text)
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)


@pytest.mark.parametrize(("n", "at"), [(66, 25), (200, 40), (201, 40)])
@pytest.mark.parametrize("name", ["dos.json", "dos.json.gz", "dos.json.zip"])
def test_jarvis_on_its_grids(tmp_path: Path, n: int, at: int, name: str) -> None:
    """A single peak at 200 1/cm: the crystal of Einstein."""
    write_jarvis(tmp_path, [entry(peak(n, at))], name)
    found = find_reference("jarvis-dos")
    assert check_files(found, tmp_path) == []
    assert list(file_digests(found, tmp_path)) == [f"jarvis-dos/{name}"]
    (crystal,) = read_reference(found, tmp_path)
    assert crystal.key == "JVASP-1002"
    assert crystal.spectrum.is_density and crystal.qpoints is None
    assert crystal.spectrum.weights.min() == 0, "what lies below zero is cut"
    heat_capacity = harmonic_properties(crystal.spectrum, 300).heat_capacity
    assert heat_capacity == pytest.approx(einstein_heat_capacity(200), rel=1e-9)


def test_imaginary_modes_of_jarvis_are_negative(tmp_path: Path) -> None:
    write_jarvis(tmp_path, [entry(peak(66, 0))])
    (crystal,) = read_reference(find_reference("jarvis-dos"), tmp_path)
    (at,) = np.flatnonzero(crystal.spectrum.weights)
    # 300 1/cm times c.
    assert crystal.spectrum.frequencies[at, 0] == pytest.approx(-8.99377374, rel=1e-12)


def test_jarvis_crystals(tmp_path: Path) -> None:
    entries = [
        entry(peak(66, 30), "JVASP-1", cartesian=True),
        entry(peak(66, 30), "JVASP-2"),
        entry("na", "JVASP-3"),
    ]
    write_jarvis(tmp_path, entries)
    found = find_reference("jarvis-dos")
    assert len(select_crystals(found, tmp_path)) == 2
    for crystal in read_reference(found, tmp_path):
        np.testing.assert_allclose(crystal.atoms.positions, bulk("Si").positions, atol=1e-12)
        np.testing.assert_allclose(crystal.atoms.cell, bulk("Si").cell, atol=1e-12)
        assert crystal.atoms.pbc.all()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry(peak(100, 3))], "that of JVASP-1002 has 100 values and not 66, 200 or 201"),
        ([entry(peak(66, 3)), entry(peak(66, 3))], "two crystals in .* are called JVASP-1002"),
        ([{"jid": "JVASP-1"}], "KeyError: 'pdos_elast'"),
        ([entry([0.0] * 66)], "JVASP-1002 in .*zero everywhere"),
        ([entry([float("nan")] * 66)], "JVASP-1002 in .*not a number"),
        ([entry("na")], "there is no crystal of jarvis-dos"),
        ({"jid": 1}, "cannot read"),
    ],
)
def test_damaged_jarvis(tmp_path: Path, entries: Any, message: str) -> None:
    write_jarvis(tmp_path, entries)
    with pytest.raises(ResultError, match=message) as caught:
        list(read_reference(find_reference("jarvis-dos"), tmp_path))
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b'[{"jid": '),
        ("a.json.gz", gzip.compress(b"[]")[:-4]),
        ("a.json.gz", b"<html>"),
        ("a.json.zip", b"PK"),
        ("a.json", b"\xff\xfe\x00"),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "jarvis-dos").mkdir()
    (tmp_path / "jarvis-dos" / name).write_bytes(content)
    with pytest.raises(ResultError, match=f"cannot read .*{name}") as caught:
        read_reference(find_reference("jarvis-dos"), tmp_path)
    assert "\n" not in str(caught.value)


def pymatgen_structure() -> dict:
    salt = bulk("NaCl", "rocksalt", a=5.6)
    return {
        "@module": "pymatgen.core.structure",
        "@class": "Structure",
        "lattice": {"matrix": salt.cell.array.tolist()},
        "sites": [
            {"species": [{"element": symbol, "occu": 1}], "abc": at.tolist(), "label": symbol}
            for symbol, at in zip(salt.symbols, salt.get_scaled_positions(), strict=True)
        ],
    }


def write_mp(folder: Path, name: str = "mp-22862.json.gz", **changes: Any) -> None:
    path = folder / "mp-dfpt" / "ph-dos" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    frequencies = np.linspace(-0.5, 7.5, 801)
    densities = np.exp(-(((frequencies - 5.0) / 0.002) ** 2)) - 1e-9
    found = {
        "@module": "pymatgen.phonon.dos",
        "@class": "CompletePhononDos",
        "structure": pymatgen_structure(),
        "frequencies": frequencies.tolist(),
        "densities": densities.tolist(),
        "projected_densities": [densities.tolist(), densities.tolist()],
        **changes,
    }
    text = json.dumps(found).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)


def test_materials_project(tmp_path: Path) -> None:
    write_mp(tmp_path)
    write_mp(tmp_path, "mp-1.json")
    found = find_reference("mp-dfpt")
    assert list(file_digests(found, tmp_path)) == [
        "mp-dfpt/ph-dos/mp-1.json",
        "mp-dfpt/ph-dos/mp-22862.json.gz",
    ]
    crystals = {crystal.key: crystal for crystal in read_reference(found, tmp_path)}
    assert set(crystals) == {"mp-1", "mp-22862"}
    crystal = crystals["mp-22862"]
    assert crystal.atoms.get_chemical_formula() == "ClNa"
    assert crystal.qpoints is None and crystal.spectrum.is_density
    sharp = harmonic_properties(crystal.spectrum, 300)
    one = harmonic_properties(Spectrum(np.full((1, 3), 5.0), np.ones(1)), 300)
    assert sharp.heat_capacity == pytest.approx(one.heat_capacity, rel=1e-4)
    assert sharp.entropy == pytest.approx(one.entropy, rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"densities": [1.0, 2.0]}, "a density of shape"),
        ({"structure": {}}, "KeyError: 'sites'"),
        ({"frequencies": np.linspace(0, 3, 801).__pow__(2).tolist()}, "not evenly spaced"),
        ({"densities": "none"}, "cannot read"),
    ],
)
def test_damaged_materials_project(tmp_path: Path, changes: dict, message: str) -> None:
    write_mp(tmp_path, **changes)
    with pytest.raises(ResultError, match=message) as caught:
        list(read_reference(find_reference("mp-dfpt"), tmp_path))
    assert "mp-22862.json.gz" in str(caught.value) and "\n" not in str(caught.value)


def test_structures_of_pymatgen(tmp_path: Path) -> None:
    pymatgen = pytest.importorskip("pymatgen.core")
    given = pymatgen.Structure(
        pymatgen.Lattice.from_parameters(3, 4, 5, 70, 80, 100),
        ["Na+", "Cl-", "O"],
        [[0, 0, 0], [0.1, 0.6, 0.45], [1.2, -0.3, 0.5]],
    )
    atoms = atoms_of(json.loads(given.to_json()))
    assert atoms.get_chemical_symbols() == ["Na", "Cl", "O"]
    np.testing.assert_allclose(atoms.positions, given.cart_coords, atol=1e-12)
    mixed = pymatgen.Structure(np.eye(3) * 4, [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    with pytest.raises(ValueError, match="disordered"):
        atoms_of(json.loads(mixed.to_json()))
    empty = pymatgen.Structure(np.eye(3) * 4, [{"Na": 0.5}], [[0, 0, 0]])
    with pytest.raises(ValueError, match="disordered"):
        atoms_of(json.loads(empty.to_json()))
