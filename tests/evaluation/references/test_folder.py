"""DFT of one's own, as phonopy, phono3py and VASP write it."""

from __future__ import annotations

import bz2
import copy
import gzip
import lzma
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from phono3py import Phono3py
from phono3py.file_IO import write_fc2_to_hdf5, write_FORCES_FC2, write_FORCES_FC3
from phonopy import Phonopy
from phonopy.file_IO import write_FORCE_CONSTANTS, write_FORCE_SETS
from phonopy.physical_units import get_physical_units

from mlphonon import Phonons
from mlphonon.errors import ResultError
from mlphonon.evaluation.references.catalogue import find_reference, read_reference
from mlphonon.evaluation.references.files import check_files, file_digests
from mlphonon.evaluation.references.folder import folder_reference
from mlphonon.evaluation.references.reference import ReferenceCrystal
from mlphonon.force_constants.cells import to_phonopy
from mlphonon.potentials.potential import Potential
from tests.helpers.crystals import rocksalt

Check = Callable[[ReferenceCrystal], None]
Forces = Callable[[list], list[np.ndarray]]

FACE_CENTRED = [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]


def read_one(folder: Path) -> ReferenceCrystal:
    (crystal,) = read_reference(find_reference("folder", folder), folder)
    return crystal


def test_a_result_of_ours_is_a_reference(
    rocksalt_phonons: Phonons, rocksalt_springs: Potential, tmp_path: Path
) -> None:
    rocksalt_phonons.save(tmp_path / "salt")
    found = find_reference("folder", tmp_path)
    assert [file.path for file in found.files] == ["salt/phonopy_params.yaml"]
    crystal = read_one(tmp_path)
    assert crystal.key == "salt"
    ours = rocksalt_phonons.frequencies(crystal.qpoints)
    np.testing.assert_allclose(crystal.spectrum.frequencies, ours, atol=1e-4)


def test_it_may_be_the_folder_itself_and_is_pinned(
    rocksalt_phonons: Phonons, tmp_path: Path
) -> None:
    folder = rocksalt_phonons.save(tmp_path / "salt")
    assert read_one(folder).spectrum.frequencies.shape[1] == 6
    found = folder_reference(folder)
    assert check_files(found, folder) == [], "nobody knows what it should be"
    before = file_digests(found, folder)
    file = folder / "phonopy_params.yaml"
    file.write_text(file.read_text() + "# changed\n")
    assert list(before) == ["phonopy_params.yaml"]
    assert file_digests(found, folder) != before


def test_calculations_in_folders_of_folders_are_named_by_the_way_to_them(
    rocksalt_phonons: Phonons, tmp_path: Path
) -> None:
    for place in ("a/salt", "b/salt"):
        rocksalt_phonons.save(tmp_path / place)
    found = find_reference("folder", tmp_path)
    assert sorted(found.read(tmp_path)) == ["a_salt", "b_salt"]


def test_what_is_no_calculation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"no phonopy calculation.*--data"):
        find_reference("folder", tmp_path)
    with pytest.raises(ResultError, match="no phonopy calculation"):
        find_reference("folder", tmp_path / "nowhere")
    with pytest.raises(ResultError, match=r"calculations of your own.*--data"):
        find_reference("folder")
    (tmp_path / "phonopy_disp.yaml").write_text("phonopy: 1")
    with pytest.raises(ResultError, match=r"cannot read .*phonopy_disp\.yaml") as caught:
        read_one(tmp_path)
    assert "\n" not in str(caught.value)


def test_dft_of_several_programs(phonopy_examples: Path, tmp_path: Path) -> None:
    """FORCE_SETS (NaCl) and vasprun.xml (Si): highest modes as phonopy itself gives them."""
    for name in ("NaCl", "Si"):
        shutil.copytree(phonopy_examples / name, tmp_path / name)
    found = {c.key: c for c in read_reference(find_reference("folder", tmp_path), tmp_path)}
    assert set(found) == {"NaCl", "Si"}
    assert found["NaCl"].spectrum.frequencies.max() == pytest.approx(6.29, abs=0.02)
    assert found["Si"].spectrum.frequencies.max() == pytest.approx(15.1, abs=0.1)
    for crystal in found.values():
        # Gamma is in the mesh, and its acoustic modes vanish.
        at = np.abs(crystal.qpoints).max(axis=1).argmin()
        assert np.abs(crystal.qpoints[at]).max() == 0.0
        assert np.abs(crystal.spectrum.frequencies[at, :3]).max() < 1e-3
        on_its_own = crystal.force_constants.run_qpoints([crystal.qpoints[-1]]).frequencies[0]
        np.testing.assert_allclose(on_its_own, crystal.spectrum.frequencies[-1], atol=1e-9)


def test_random_displacements(phonopy_examples: Path) -> None:
    """All atoms at once, of the same salt as above; forces of another supercell's noise."""
    crystal = read_one(phonopy_examples / "NaCl-rd")
    assert crystal.spectrum.frequencies.max() == pytest.approx(6.3, abs=0.05)


@pytest.mark.parametrize("end", ["", ".xz", ".gz", ".bz2"])
def test_settings_may_be_compressed(
    salt: Phonopy, check_salt: Check, tmp_path: Path, end: str
) -> None:
    salt.save(tmp_path / "plain")
    pack = {"": bytes, ".xz": lzma.compress, ".gz": gzip.compress, ".bz2": bz2.compress}[end]
    (tmp_path / f"phonopy_params.yaml{end}").write_bytes(pack((tmp_path / "plain").read_bytes()))
    check_salt(read_one(tmp_path))


@pytest.mark.parametrize("form", ["FORCE_SETS", "FORCE_CONSTANTS", "force_constants.hdf5"])
def test_files_beside_the_settings(
    salt: Phonopy, salt_constants: np.ndarray, check_salt: Check, tmp_path: Path, form: str
) -> None:
    salt.save(tmp_path / "phonopy_disp.yaml", settings={"force_sets": False})
    if form == "FORCE_SETS":
        write_FORCE_SETS(salt.dataset, filename=str(tmp_path / form))
    elif form == "FORCE_CONSTANTS":
        write_FORCE_CONSTANTS(salt_constants, filename=str(tmp_path / form))
    else:
        write_fc2_to_hdf5(salt_constants, filename=str(tmp_path / form))
    assert set(file_digests(folder_reference(tmp_path), tmp_path)) == {"phonopy_disp.yaml", form}
    check_salt(read_one(tmp_path))


def test_nothing_is_taken_from_the_working_folder(
    salt: Phonopy,
    salt_constants: np.ndarray,
    check_salt: Check,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """phonopy's own loader would take these force constants, which are twice too strong."""
    (tmp_path / "calculation").mkdir()
    (tmp_path / "work").mkdir()
    salt.save(tmp_path / "calculation" / "phonopy_params.yaml")
    write_FORCE_CONSTANTS(2 * salt_constants, filename=tmp_path / "work" / "FORCE_CONSTANTS")
    monkeypatch.chdir(tmp_path / "work")
    check_salt(read_one(tmp_path / "calculation"))


def test_units_of_other_programs_become_ours(
    salt: Phonopy, check_salt: Check, tmp_path: Path
) -> None:
    """Quantum ESPRESSO's: Bohr and Ry/Bohr."""
    units = get_physical_units()
    theirs = salt.unitcell.copy()
    theirs.cell = theirs.cell / units.Bohr
    qe = Phonopy(theirs, salt.supercell_matrix, FACE_CENTRED, calculator="qe", log_level=0)
    dataset = copy.deepcopy(salt.dataset)
    for one in dataset["first_atoms"]:
        one["displacement"] = np.array(one["displacement"]) / units.Bohr
        one["forces"] = one["forces"] / (units.Rydberg / units.Bohr)
    qe.dataset = dataset
    qe.save(tmp_path / "phonopy_params.yaml")
    check_salt(read_one(tmp_path))
    qe.produce_force_constants(show_drift=False)
    qe.save(tmp_path / "phonopy_params.yaml", settings={"force_constants": True})
    check_salt(read_one(tmp_path))


@pytest.fixture(scope="module")
def salt3(forces: Forces) -> Phono3py:
    """Third order in a unit cell, of near pairs only; second order in the supercell of `salt`."""
    found = Phono3py(
        to_phonopy(rocksalt()),
        np.eye(3, dtype=int),
        primitive_matrix=FACE_CENTRED,
        phonon_supercell_matrix=2 * np.eye(3, dtype=int),
    )
    found.generate_displacements(cutoff_pair_distance=1.0)
    found.generate_fc2_displacements(distance=0.01)
    found.forces = np.zeros((len(found.supercells_with_displacements), 8, 3))
    found.phonon_forces = np.array(forces(found.phonon_supercells_with_displacements))
    return found


@pytest.mark.parametrize("form", ["params", "params.xz", "FORCES_FC2", "fc2.hdf5"])
def test_phono3py_with_its_own_supercell(
    salt3: Phono3py, check_salt: Check, tmp_path: Path, form: str
) -> None:
    if form.startswith("params"):
        salt3.save(tmp_path / "plain")
        if form == "params":
            (tmp_path / "plain").rename(tmp_path / "phono3py_params.yaml")
        else:
            packed = lzma.compress((tmp_path / "plain").read_bytes())
            (tmp_path / "phono3py_params.yaml.xz").write_bytes(packed)
    else:
        salt3.save(tmp_path / "phono3py_disp.yaml", settings={"force_sets": False})
        if form == "FORCES_FC2":
            write_FORCES_FC2(salt3.phonon_dataset, filename=tmp_path / form)
        else:
            salt3.produce_fc2()
            write_fc2_to_hdf5(
                salt3.fc2,
                filename=str(tmp_path / form),
                p2s_map=salt3.phonon_primitive.p2s_map,
                physical_unit="eV/angstrom^2",
            )
    crystal = read_one(tmp_path)
    assert isinstance(crystal.force_constants, Phonopy)
    check_salt(crystal)


@pytest.mark.parametrize("form", ["params", "FORCES_FC3"])
def test_phono3py_with_one_supercell(
    forces: Forces, check_salt: Check, tmp_path: Path, form: str
) -> None:
    shared = Phono3py(to_phonopy(rocksalt()), 2 * np.eye(3, dtype=int), FACE_CENTRED)
    shared.generate_displacements(distance=0.01, cutoff_pair_distance=1.0)
    shared.forces = np.array(forces(shared.supercells_with_displacements))
    if form == "params":
        shared.save(tmp_path / "phono3py_params.yaml")
    else:
        shared.save(tmp_path / "phono3py_disp.yaml", settings={"force_sets": False})
        write_FORCES_FC3(shared.dataset, forces_fc3=shared.forces, filename=tmp_path / form)
    check_salt(read_one(tmp_path))


def test_random_displacements_of_the_third_order_are_refused(tmp_path: Path) -> None:
    found = Phono3py(to_phonopy(rocksalt()), np.eye(3, dtype=int), FACE_CENTRED)
    found.generate_displacements(distance=0.03, number_of_snapshots=2, random_seed=1)
    found.forces = np.zeros((2, 8, 3))
    found.save(tmp_path / "phono3py_params.yaml")
    with pytest.raises(ResultError, match=r"phono3py_params.*need fc2\.hdf5"):
        read_one(tmp_path)


def test_damaged_files_beside_are_named(salt: Phonopy, salt3: Phono3py, tmp_path: Path) -> None:
    for name, file, settings in (
        ("a", "FORCE_SETS", "phonopy_disp.yaml"),
        ("b", "FORCE_CONSTANTS", "phonopy_disp.yaml"),
        ("c", "force_constants.hdf5", "phonopy_disp.yaml"),
        ("d", "vasprun.xml", "phonopy_disp.yaml"),
        ("e", "fc2.hdf5", "phono3py_disp.yaml"),
        ("f", "FORCES_FC2", "phono3py_disp.yaml"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        source = salt if settings.startswith("phonopy") else salt3
        source.save(folder / settings, settings={"force_sets": False})
        (folder / file).write_text("3\n")
        with pytest.raises(ResultError, match="cannot read") as caught:
            read_one(folder)
        assert str(folder / file) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_names_of_folders_become_keys(salt: Phonopy, tmp_path: Path) -> None:
    for name in ("rock salt (a)", "ok"):
        (tmp_path / name).mkdir()
        salt.save(tmp_path / name / "phonopy_params.yaml")
    keys = [c.key for c in read_reference(find_reference("folder", tmp_path), tmp_path)]
    assert sorted(keys) == ["ok", "rock_salt__a_"]
    (tmp_path / "ok").rename(tmp_path / "rock salt [a]")
    with pytest.raises(ResultError, match="are called rock_salt__a_"):
        read_reference(find_reference("folder", tmp_path), tmp_path)
