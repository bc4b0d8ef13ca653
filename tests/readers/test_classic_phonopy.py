from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from phonopy import Phonopy
from phonopy.file_IO import get_FORCE_CONSTANTS_lines
from phonopy.interface.vasp import get_vasp_structure_lines

from mlphonon.errors import ResultError
from mlphonon.readers import classic_phonopy
from mlphonon.readers.classic_phonopy import (
    ClassicCalculation,
    parse_conf,
    primitive_matrix,
    read_classic,
    supercell_matrix,
)
from mlphonon.readers.folder import find_calculations
from tests.helpers.classic import classic_files, rocksalt, write_archive

QPOINTS = [[0, 0, 0], [0.5, 0.5, 0], [0.1, 0.3, 0.2]]


@pytest.fixture
def files() -> dict[str, str]:
    return classic_files()


@pytest.fixture(name="rocksalt")
def _rocksalt() -> Phonopy:
    return rocksalt()


def test_archive_and_folder_give_the_frequencies_they_were_written_from(
    files: dict[str, str], rocksalt: Phonopy, tmp_path: Path
) -> None:
    expected = rocksalt.run_qpoints(QPOINTS).frequencies
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    archive = write_archive(tmp_path / "mp-1.tar.lzma", files)
    for place in (archive, tmp_path):
        phonopy = read_classic(place).phonopy()
        assert len(phonopy.primitive) == 2
        np.testing.assert_allclose(phonopy.run_qpoints(QPOINTS).frequencies, expected, atol=1e-5)
    assert read_classic(archive).name == "mp-1"


def test_force_constants_do_as_well_as_force_sets(files: dict[str, str], rocksalt: Phonopy) -> None:
    expected = rocksalt.run_qpoints(QPOINTS).frequencies
    del files["FORCE_SETS"]
    constants = rocksalt.force_constants
    files["FORCE_CONSTANTS"] = "\n".join(get_FORCE_CONSTANTS_lines(constants))
    found = ClassicCalculation("NaCl", files).phonopy().run_qpoints(QPOINTS).frequencies
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_supercell_comes_from_sposcar_where_no_conf_names_it(
    files: dict[str, str], rocksalt: Phonopy
) -> None:
    del files["phonopy.conf"]
    files["SPOSCAR"] = "\n".join(get_vasp_structure_lines(rocksalt.supercell))
    phonopy = ClassicCalculation("NaCl", files).phonopy()
    np.testing.assert_array_equal(phonopy.supercell_matrix, np.diag([2, 2, 2]))
    # Nothing names a primitive cell then: the unit cell is taken, as phonopy does.
    assert len(phonopy.primitive) == 8


def test_forces_in_another_order_of_atoms_are_refused(
    files: dict[str, str], rocksalt: Phonopy
) -> None:
    other = rocksalt.supercell.copy()
    other.scaled_positions = np.roll(other.scaled_positions, 1, axis=0)
    files["SPOSCAR"] = "\n".join(get_vasp_structure_lines(other))
    with pytest.raises(ResultError, match="SPOSCAR in NaCl"):
        ClassicCalculation("NaCl", files).phonopy()


def test_born_has_the_factor_of_its_time_and_splits_the_optical_modes(
    files: dict[str, str],
) -> None:
    calculation = ClassicCalculation("NaCl", files)
    phonopy = calculation.phonopy()
    before = phonopy.run_qpoints([[0, 0, 0]], nac_q_direction=[1, 0, 0]).frequencies[0]
    params = calculation.born(phonopy)
    assert params is not None
    assert params["factor"] == pytest.approx(14.399652)
    phonopy.nac_params = params
    after = phonopy.run_qpoints([[0, 0, 0]], nac_q_direction=[1, 0, 0]).frequencies[0]
    # omega_LO^2 - omega_TO^2 = 4 pi f Z^2 / (eps V mu), in units of THZ_OF_STIFFNESS^2.
    mu = 1 / (1 / 22.98976928 + 1 / 35.453)
    split = 4 * np.pi * 14.399652 * 1.1**2 / (2.5 * 5.6**3 / 4 * mu)
    assert after[-1] ** 2 - before[-1] ** 2 == pytest.approx(15.633302**2 * split, rel=1e-3)
    del files["BORN"]
    assert ClassicCalculation("NaCl", files).born(phonopy) is None


def test_what_is_missing_or_damaged_is_named(files: dict[str, str], tmp_path: Path) -> None:
    for name, text, match in (
        ("FORCE_SETS", "64\n1\n\n1\n0.01 0 0\n0 0", "forces in NaCl"),
        ("phonopy.conf", "DIM = two\n", "phonopy.conf in NaCl"),
        ("POSCAR-unitcell", "nonsense", "unit cell in NaCl"),
    ):
        with pytest.raises(ResultError, match=match):
            ClassicCalculation("NaCl", files | {name: text}).phonopy()
    with pytest.raises(ResultError, match="NaCl has no POSCAR-unitcell or POSCAR"):
        ClassicCalculation("NaCl", {}).phonopy()
    cut = write_archive(tmp_path / "cut.tar.lzma", files)
    cut.write_bytes(cut.read_bytes()[:300])
    with pytest.raises(ResultError, match=r"cut\.tar\.lzma"):
        read_classic(cut)


def test_an_archive_larger_than_a_calculation_is_refused(
    files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write_archive(tmp_path / "bomb.tar.lzma", files | {"junk": "0" * 100_000})
    monkeypatch.setattr(classic_phonopy, "MEMBER_LIMIT", 50_000)
    with pytest.raises(ResultError, match="larger than a calculation can be"):
        read_classic(archive)


def test_sizes_that_nothing_holds_are_refused(files: dict[str, str]) -> None:
    lines = files["POSCAR-unitcell"].splitlines()
    lines[6] = "1000000000 1000000000"
    huge = files["phonopy.conf"].replace("2 0 0 0 2 0 0 0 2", "900 900 900")
    for name, text, match in (
        ("POSCAR-unitcell", "\n".join(lines), "atoms are announced"),
        ("phonopy.conf", huge, r"a supercell of 5\.832e\+09 atoms"),
        ("phonopy.conf", "DIM = 1 1 0\n", "a supercell of 0 atoms"),
    ):
        with pytest.raises(ResultError, match=match):
            ClassicCalculation("NaCl", files | {name: text}).phonopy()


def test_conf_tags() -> None:
    tags = parse_conf(
        "dim = 2 2 1  # three\n! no tag\nPRIMITIVE_AXES = 2/3 -1/3 -1/3 0 1 0 0 0 1\n"
    )
    np.testing.assert_array_equal(supercell_matrix(tags["DIM"]), np.diag([2, 2, 1]))
    np.testing.assert_array_equal(
        supercell_matrix("0 1 1 1 0 1 1 1 0"), np.ones((3, 3)) - np.eye(3)
    )
    assert primitive_matrix(tags)[0] == pytest.approx([2 / 3, -1 / 3, -1 / 3])
    assert primitive_matrix({}) == "P"
    assert primitive_matrix({"PRIMITIVE_AXES": "AUTO"}) == "auto"


def test_archives_of_something_else_are_passed_over(files: dict[str, str], tmp_path: Path) -> None:
    """A code's own output lies packed beside calculations; a damaged archive is not passed over."""
    calculation = write_archive(tmp_path / "mp-1.tar.lzma", files)
    write_archive(tmp_path / "vaspruns.tar.lzma", {"vasprun.xml": "<modeling/>"})
    damaged = tmp_path / "mp-2.tar.lzma"
    damaged.write_bytes(calculation.read_bytes()[:100])
    assert find_calculations(tmp_path) == [calculation, damaged]
