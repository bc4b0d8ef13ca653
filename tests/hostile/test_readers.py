"""Damaged and hostile calculations: one line that names the file, before memory is taken."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from mlphonon.errors import ResultError
from mlphonon.readers.folder import load_calculation


@pytest.fixture
def folder(calculation: Path, tmp_path: Path) -> Path:
    return shutil.copytree(calculation, tmp_path / "Cu")


def refusal(folder: Path) -> str:
    with pytest.raises(ResultError) as caught:
        load_calculation(folder)
    line = str(caught.value)
    assert len(line) < 600 and "\n" not in line
    return line


def edit(path: Path, pattern: str, new: str) -> None:
    text = path.read_text()
    assert re.search(pattern, text), pattern
    path.write_text(re.sub(pattern, new, text, count=1))


MATRIX = r"supercell_matrix:\n- \[   2,"
LATTICE = r"unit_cell:\n  lattice:\n  - \[ +3\.\d+"
MASS = r"(?s)unit_cell:(.*?)mass: 63\.\d+"
POSITION = r"(?s)unit_cell:(.*?)coordinates: \[  0\.0+"


@pytest.mark.parametrize(
    ("pattern", "new", "reason"),
    [
        (MATRIX, "supercell_matrix:\n- [ 99999999,", "supercell of"),
        (MATRIX, "supercell_matrix:\n- [ 0,", "a supercell of 0 atoms"),
        (MATRIX, "supercell_matrix:\n- [ 3,", "8 atoms where 12 are"),
        (MATRIX, "supercell_matrix:\n- [ 2.5,", "not of whole numbers"),
        (MATRIX, f"supercell_matrix:\n- [ 1{'0' * 300},", "cannot read"),
        (LATTICE, "unit_cell:\n  lattice:\n  - [ 0.0", "no volume"),
        (LATTICE, "unit_cell:\n  lattice:\n  - [ .nan", "not finite"),
        (MASS, r"unit_cell:\1mass: -63.5", "not positive"),
        (MASS, r"unit_cell:\1mass: .inf", "not finite"),
        (POSITION, r"unit_cell:\1coordinates: [ .nan", "not finite"),
        (r"atom:    1", "atom: 0", "atom 0 of 8 is displaced"),
        (r"atom:    1", "atom: 99", "atom 99 of 8 is displaced"),
        (r"\Aphonopy:", "phonopy: 3\nmore:", "cannot read"),
        (r"\A", "- 1\n", "cannot read"),
    ],
)
def test_settings(folder: Path, pattern: str, new: str, reason: str) -> None:
    edit(folder / "phonopy_disp.yaml", pattern, new)
    line = refusal(folder)
    assert "phonopy_disp.yaml" in line
    assert reason in line


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"[", b"text", b"1", b"\xff\xfe", b"{}"])
def test_settings_that_are_none(folder: Path, content: bytes) -> None:
    (folder / "phonopy_disp.yaml").write_bytes(content)
    assert "phonopy_disp.yaml" in refusal(folder)


@pytest.mark.parametrize(
    ("pattern", "new"),
    [
        (r"\A8 *\n", "9\n"),
        (r"\A8 *\n", "-8\n"),
        (r"\A8 *\n1 *\n", "8\n999999999\n"),
        (r"\n1 *\n +0\.\d+", "\n77\n  0.01"),
        (r"-?0\.\d+\n", "nan\n"),
        (r"-?0\.\d+\n", "\n"),
    ],
)
def test_force_sets(folder: Path, pattern: str, new: str) -> None:
    edit(folder / "FORCE_SETS", pattern, new)
    assert "FORCE_SETS" in refusal(folder)


@pytest.mark.parametrize("counts", ["100000 100000", "-8 8", "8", "2 9", "0 0", "x", "", "1 8 8"])
def test_force_constants_of_other_sizes(folder: Path, counts: str) -> None:
    (folder / "FORCE_CONSTANTS").write_text(f"{counts}\n1 1\n0 0 0\n0 0 0\n0 0 0\n")
    assert "FORCE_CONSTANTS" in refusal(folder)


def huge(file: h5py.File) -> None:
    # Nothing is stored of it; what reads it makes room for 36 TB of zeros.
    shape = (700_000, 700_000, 3, 3)
    file.create_dataset("force_constants", shape, dtype=float, chunks=(10, 10, 3, 3))


def with_huge_maps(file: h5py.File) -> None:
    file["force_constants"] = np.zeros((8, 8, 3, 3))
    file.create_dataset("p2s_map", (10**12,), dtype=int, chunks=(1000,))


def linked(file: h5py.File) -> None:
    file["force_constants"] = h5py.ExternalLink("other.hdf5", "force_constants")


def stored_outside(file: h5py.File) -> None:
    where = [("/dev/zero", 0, 8 * 8 * 9 * 8)]
    file.create_dataset("force_constants", (8, 8, 3, 3), dtype=float, external=where)


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((8, 8, 3, 3), dtype=float)
    layout[:] = h5py.VirtualSource("other.hdf5", "force_constants", (8, 8, 3, 3))
    file.create_virtual_dataset("force_constants", layout)


def of_texts(file: h5py.File) -> None:
    file["force_constants"] = np.full((8, 8, 3, 3), b"1.0")


def of_complex(file: h5py.File) -> None:
    file["force_constants"] = np.zeros((8, 8, 3, 3), dtype=complex)


def infinite(file: h5py.File) -> None:
    file["force_constants"] = np.full((8, 8, 3, 3), np.inf)


def too_short(file: h5py.File) -> None:
    file["force_constants"] = np.zeros((8, 8, 3))


def group(file: h5py.File) -> None:
    file.create_group("force_constants")


def empty(file: h5py.File) -> None:
    file["force_constants"] = h5py.Empty(float)


@pytest.mark.parametrize(
    "write",
    [
        *(huge, with_huge_maps, linked, stored_outside, virtual, of_texts, of_complex),
        *(infinite, too_short, group, empty),
    ],
)
def test_hdf5(folder: Path, write: Callable[[h5py.File], None]) -> None:
    with h5py.File(folder / "other.hdf5", "w") as file:
        file["force_constants"] = np.zeros((8, 8, 3, 3))
    with h5py.File(folder / "force_constants.hdf5", "w") as file:
        write(file)
    refusal(folder)


def test_hdf5_that_is_right(folder: Path) -> None:
    expected = load_calculation(folder).force_constants
    with h5py.File(folder / "force_constants.hdf5", "w") as file:
        file["force_constants"] = expected
    found = load_calculation(folder).force_constants
    np.testing.assert_allclose(found, expected, atol=1e-8)
