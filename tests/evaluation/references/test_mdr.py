"""Files of the MDR phonon database, as phonopy writes them now and as it wrote them then."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from phonopy import Phonopy

from mlphonon.errors import ResultError
from mlphonon.evaluation.references.catalogue import find_reference, read_reference, select_crystals
from mlphonon.evaluation.references.files import check_files, file_digests
from mlphonon.evaluation.references.mdr import read_compound
from mlphonon.evaluation.references.reference import ReferenceCrystal

Check = Callable[[ReferenceCrystal], None]


def cell_of(cell) -> dict:
    return {
        "lattice": cell.cell.tolist(),
        "points": [
            {"symbol": symbol, "coordinates": at.tolist(), "mass": float(mass)}
            for symbol, at, mass in zip(
                cell.symbols, cell.scaled_positions, cell.masses, strict=True
            )
        ],
    }


def old_yaml(phonopy: Phonopy, named: bool = True) -> str:
    """Write what phonopy 2 wrote, and what the benchmark added, without phonopy's writer."""
    found = {
        "phonopy": {"version": "2.29.0", "frequency_unit_conversion_factor": 15.633302},
        "physical_unit": {
            "atomic_mass": "AMU",
            "length": "angstrom",
            "force_constants": "eV/angstrom^2",
        },
        "space_group": {"type": "Fm-3m", "number": 225, "Hall_symbol": "-F 4 2 3"},
        "primitive_matrix": np.array(phonopy.primitive_matrix).tolist(),
        "supercell_matrix": np.array(phonopy.supercell_matrix).tolist(),
        "primitive_cell": cell_of(phonopy.primitive),
        "unit_cell": cell_of(phonopy.unitcell),
        "supercell": cell_of(phonopy.supercell),
        "displacements": [
            {
                "atom": int(one["number"]) + 1,
                "displacement": np.array(one["displacement"]).tolist(),
                "forces": np.array(one["forces"]).tolist(),
            }
            for one in phonopy.dataset["first_atoms"]
        ],
        "phonon_freq": [[0.0, 0.0, 0.0]],
        # Charges would raise the longitudinal modes, if they were used.
        "born_effective_charge": [np.eye(3).tolist(), (-np.eye(3)).tolist()],
        "dielectric_constant": (2 * np.eye(3)).tolist(),
    }
    if not named:
        del found["primitive_matrix"], found["primitive_cell"]
        del found["born_effective_charge"], found["dielectric_constant"]
    return yaml.safe_dump(found)


def test_old_files_of_the_recalculation(salt: Phonopy, check_salt: Check, tmp_path: Path) -> None:
    folder = tmp_path / "mdr-10k" / "pbe"
    folder.mkdir(parents=True)
    (folder / "mp-22862.yaml.bz2").write_bytes(bz2.compress(old_yaml(salt).encode()))
    found = find_reference("mdr-10k-pbe")
    assert check_files(found, tmp_path) == []
    assert list(file_digests(found, tmp_path)) == ["mdr-10k/pbe/mp-22862.yaml.bz2"]
    (crystal,) = read_reference(found, tmp_path)
    assert crystal.key == "mp-22862"
    assert crystal.spectrum.weights.sum() == 20**3
    assert crystal.force_constants.nac_params is None
    check_salt(crystal)


def test_without_a_primitive_cell_it_is_the_unit_cell(
    salt: Phonopy, check_salt: Check, tmp_path: Path
) -> None:
    folder = tmp_path / "mdr-10k" / "pbe"
    folder.mkdir(parents=True)
    (folder / "mp-1.yaml.gz").write_bytes(gzip.compress(old_yaml(salt, named=False).encode()))
    (crystal,) = read_reference(find_reference("mdr-10k-pbe"), tmp_path)
    np.testing.assert_array_equal(crystal.primitive_matrix, np.eye(3))
    assert crystal.spectrum.frequencies.shape[1] == 24
    check_salt(crystal)


@pytest.mark.parametrize("holds", ["force_sets", "force_constants"])
def test_files_of_the_database(
    salt: Phonopy, salt_constants: np.ndarray, check_salt: Check, tmp_path: Path, holds: str
) -> None:
    """Written by phonopy itself; each compound in its folder, under phonopy's name."""
    folder = tmp_path / "mdr-10k" / "pbesol" / "mp-22862"
    folder.mkdir(parents=True)
    phonopy = salt.replicate()
    phonopy.dataset = salt.dataset
    phonopy.force_constants = salt_constants
    settings = {name: name == holds for name in ("force_sets", "force_constants")}
    phonopy.save(folder / "plain.yaml", settings=settings)
    assert ("forces:" in (folder / "plain.yaml").read_text()) == (holds == "force_sets")
    packed = lzma.compress((folder / "plain.yaml").read_bytes())
    (folder / "phonopy_params.yaml.xz").write_bytes(packed)
    (folder / "plain.yaml").unlink()
    (crystal,) = read_reference(find_reference("mdr-10k-pbesol"), tmp_path)
    assert crystal.key == "mp-22862"
    check_salt(crystal)


def test_a_compound_is_read_only_when_it_is_reached(tmp_path: Path) -> None:
    folder = tmp_path / "mdr-10k" / "pbe"
    folder.mkdir(parents=True)
    for n in range(20):
        (folder / f"mp-{n}.yaml").write_text("nothing yet")
    (folder / ".mp-1.yaml.part").write_text("")
    (folder / "._mp-1.yaml").write_text("")
    assert len(select_crystals(find_reference("mdr-10k-pbe"), tmp_path)) == 20
    assert len(select_crystals(find_reference("mdr-10k-pbe"), tmp_path, 7)) == 7


def test_damage_names_the_file_and_the_next_one_is_read(
    salt: Phonopy, check_salt: Check, tmp_path: Path
) -> None:
    folder = tmp_path / "mdr-10k" / "pbe"
    folder.mkdir(parents=True)
    text = old_yaml(salt)
    packed = bz2.compress(text.encode())
    (folder / "mp-1.yaml.bz2").write_bytes(packed[: len(packed) // 2])
    (folder / "mp-2.yaml").write_text(text.replace("forces", "farces"))
    (folder / "mp-3.yaml").write_text("displacements: [")
    (folder / "mp-4.yaml").write_text(text)
    (folder / "mp-5.yaml").write_text(text.replace("atom: 1\n", "atom: 99\n"))
    (folder / "mp-6.yaml").write_bytes(b"\xff\xfe\x00")
    crystals = read_reference(find_reference("mdr-10k-pbe"), tmp_path)
    messages = {}
    for _ in range(6):
        try:
            check_salt(next(crystals))
        except ResultError as error:
            messages[str(error).split("mdr-10k/pbe/")[1][:4]] = str(error)
    assert next(crystals, None) is None
    assert sorted(messages) == ["mp-1", "mp-2", "mp-3", "mp-5", "mp-6"]
    assert all("cannot read" in text and "\n" not in text for text in messages.values())
    assert "neither forces nor force constants" in messages["mp-2"]


def test_one_file_for_each_compound(salt: Phonopy, tmp_path: Path) -> None:
    folder = tmp_path / "mdr-10k" / "pbe"
    folder.mkdir(parents=True)
    for name in ("mp-1.yaml", "mp-1.yaml.xz"):
        (folder / name).write_text("")
    with pytest.raises(ResultError, match=r"two crystals in .* are called mp-1"):
        read_reference(find_reference("mdr-10k-pbe"), tmp_path)
    with pytest.raises(ResultError, match=r"no file .*pbesol.*nims\.4197.*--data"):
        check_files(find_reference("mdr-10k-pbesol"), tmp_path)


def test_a_mesh_in_parts_is_the_mesh(
    salt: Phonopy, check_salt: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Matrices of 6 modes, 16 bytes a number, seven at once."""
    monkeypatch.setattr("mlphonon.evaluation.references.calculation.MEMORY", 7 * 16 * 36)
    path = tmp_path / "mp-22862.yaml"
    path.write_text(old_yaml(salt))
    crystal = read_compound(path)
    assert len(crystal.qpoints) % 7 != 0
    check_salt(crystal)
