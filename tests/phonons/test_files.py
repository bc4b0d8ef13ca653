"""A result on disk: whole or not at all, and the same when read back."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import mlphonon.phonons.files
from mlphonon import Phonons, compute_phonons
from mlphonon.errors import ResultError
from mlphonon.potentials.potential import Potential
from tests.helpers.crystals import rocksalt

FILES = {
    "band.yaml",
    "bands_dos.png",
    "phonons.json",
    "phonopy_params.yaml",
    "projected_dos.dat",
    "thermal.png",
    "thermal_properties.yaml",
    "total_dos.dat",
}

Q = np.random.default_rng(7).uniform(-1, 1, (5, 3))


@pytest.fixture(scope="module")
def saved(quartz_phonons: Phonons, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quartz_phonons.save(tmp_path_factory.mktemp("saved") / "quartz")


@pytest.fixture(scope="module")
def charged(rocksalt_springs: Potential) -> Phonons:
    """Rocksalt with Born charges, so that the non-analytical term must survive as well."""
    charges = np.array([1.1 if z == 11 else -1.1 for z in rocksalt().numbers])
    born = charges[:, None, None] * np.eye(3), 2.4 * np.eye(3)
    return compute_phonons(
        rocksalt(),
        rocksalt_springs,
        min_length=7,
        mesh=15,
        projected_mesh=8,
        born=born,
        band_points=5,
    )


def test_all_files_are_there(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == FILES
    assert [path.name for path in saved.parent.iterdir()] == ["quartz"]


def test_round_trip(saved: Path, quartz_phonons: Phonons) -> None:
    loaded = Phonons.load(saved)
    assert loaded.record == quartz_phonons.record
    np.testing.assert_allclose(loaded.frequencies(Q), quartz_phonons.frequencies(Q), atol=1e-10)
    moved = loaded.atoms.get_scaled_positions() - quartz_phonons.atoms.get_scaled_positions()
    np.testing.assert_allclose(moved, np.rint(moved), atol=1e-10)
    temperatures = [0.0, 77.0, 300.0]
    for name in ("free_energy", "entropy", "heat_capacity"):
        found, expected = (getattr(p.thermal(temperatures), name) for p in (loaded, quartz_phonons))
        np.testing.assert_allclose(found, expected, atol=1e-8)
    assert loaded.bands().labels == quartz_phonons.bands().labels
    np.testing.assert_allclose(
        loaded.phonopy.force_constants, quartz_phonons.phonopy.force_constants, atol=1e-12
    )
    np.testing.assert_allclose(loaded.phonopy.forces, quartz_phonons.phonopy.forces, atol=1e-12)


def test_result_that_was_read_can_be_saved_again(saved: Path, tmp_path: Path) -> None:
    first = Phonons.load(saved)
    first.dos(projected=True)
    again = Phonons.load(first.save(tmp_path / "again"))
    np.testing.assert_allclose(again.frequencies(Q), first.frequencies(Q), atol=1e-10)


def test_non_analytical_term_survives(charged: Phonons, tmp_path: Path) -> None:
    loaded = Phonons.load(charged.save(tmp_path / "charged"))
    near_gamma = np.array([[1e-3, 0, 1e-3], *Q])
    assert charged.frequencies(near_gamma)[0, -1] > charged.frequencies([0, 0, 0])[-1] + 1
    np.testing.assert_allclose(
        loaded.frequencies(near_gamma), charged.frequencies(near_gamma), atol=1e-8
    )
    assert loaded.record.born_charges


def test_method_of_the_non_analytical_term_survives(
    rocksalt_springs: Potential, tmp_path: Path
) -> None:
    charges = np.array([1.1 if z == 11 else -1.1 for z in rocksalt().numbers])
    born = charges[:, None, None] * np.eye(3), 2.4 * np.eye(3)
    settings = {"min_length": 7.0, "mesh": 8.0, "projected_mesh": 5.0, "born": born}
    wang = compute_phonons(rocksalt(), rocksalt_springs, nac_method="wang", **settings)
    gonze = compute_phonons(rocksalt(), rocksalt_springs, nac_method="gonze", **settings)
    assert np.abs(wang.frequencies(Q) - gonze.frequencies(Q)).max() > 1e-3
    loaded = Phonons.load(wang.save(tmp_path / "wang"))
    np.testing.assert_allclose(loaded.frequencies(Q), wang.frequencies(Q), atol=1e-8)


def test_files_in_the_working_directory_are_not_read(
    saved: Path, charged: Phonons, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """phonopy.load takes Born charges from a file BORN that happens to lie there."""
    ionic = compute_phonons_without_charges(charged)
    folder = ionic.save(tmp_path / "plain")
    lines = ["14.4", " ".join(map(str, 2.4 * np.eye(3).ravel()))]
    lines += [" ".join(map(str, sign * np.eye(3).ravel())) for sign in (1.1, -1.1)]
    (tmp_path / "BORN").write_text("\n".join(lines))
    (tmp_path / "FORCE_CONSTANTS").write_text("1 1\n")
    (tmp_path / "FORCE_SETS").write_text("1\n1\n")
    monkeypatch.chdir(tmp_path)
    loaded = Phonons.load(folder)
    assert loaded.phonopy.nac_params is None
    np.testing.assert_allclose(loaded.frequencies(Q), ionic.frequencies(Q), atol=1e-10)


def compute_phonons_without_charges(charged: Phonons) -> Phonons:
    """The same force constants with the non-analytical term off."""
    from mlphonon.force_constants.displacements import make_supercell

    record = charged.record.model_copy(update={"born_charges": False})
    matrix = np.array(record.supercell_matrix)
    phonopy = make_supercell(charged.atoms, matrix, record.settings.symprec)
    phonopy.dataset = charged.phonopy.dataset
    phonopy.force_constants = charged.phonopy.force_constants
    return Phonons(phonopy, record)


def test_summary_agrees_with_the_result(saved: Path, quartz_phonons: Phonons) -> None:
    summary = json.loads((saved / "phonons.json").read_text())
    room = quartz_phonons.thermal([300.0])
    stored = summary["thermal_300K"]
    assert stored["C_V_J_per_K_mol_atoms"] == pytest.approx(room.heat_capacity[0] / 9)
    assert stored["S_J_per_K_mol_atoms"] == pytest.approx(room.entropy[0] / 9)
    assert stored["F_kJ_per_mol_atoms"] == pytest.approx(room.free_energy[0] / 9)
    highest = max(f.max() for f in quartz_phonons.bands().frequencies)
    # The mesh holds Gamma, too, where quartz has its highest mode.
    assert summary["max_frequency_THz"] == pytest.approx(highest, abs=1e-9)
    assert summary["record"]["settings"]["min_length"] == 8.5
    assert json.loads(json.dumps(quartz_phonons.summary())).items() <= summary.items()


def test_a_result_of_format_2_is_read(quartz_phonons: Phonons, tmp_path: Path) -> None:
    """As the version of October 2026 wrote it: no digests, temperatures as three numbers."""
    folder = quartz_phonons.save(tmp_path / "older")
    file = folder / "phonons.json"
    summary = json.loads(file.read_text())
    del summary["files_sha256"], summary["kind"]
    record = summary["record"]
    record["settings"]["temperatures"] = [0.0, 1000.0, 10.0]
    record["evidence"]["never_taught"] = record["evidence"].pop("untrained_elements")
    file.write_text(json.dumps(summary | {"format": 2}))
    again = Phonons.load(folder)
    assert again.record == quartz_phonons.record
    assert again.frequencies([0.1, 0.2, 0.3]) == pytest.approx(
        quartz_phonons.frequencies([0.1, 0.2, 0.3]), abs=1e-6
    )
    file.write_text(json.dumps(summary | {"format": 1}))
    with pytest.raises(ResultError, match="its format is 1, this version reads 3"):
        Phonons.load(folder)


def test_older_result_is_replaced(
    quartz_phonons: Phonons, charged: Phonons, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    quartz_phonons.save(folder)
    charged.save(folder)
    assert Phonons.load(folder).record.formula == "NaCl"
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_empty_folder_is_taken(charged: Phonons, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "down"
    folder.mkdir(parents=True)
    assert charged.save(folder) == folder
    assert Phonons.load(folder).record == charged.record


def test_foreign_folder_is_refused_before_any_work(
    charged: Phonons, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter1.tex").write_text("important")
    monkeypatch.setattr(mlphonon.phonons.files, "write_data", must_not_run)
    with pytest.raises(ResultError, match="not an earlier result"):
        charged.save(folder)
    assert [path.name for path in folder.iterdir()] == ["chapter1.tex"]
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


def must_not_run(*_args: object) -> None:
    raise AssertionError("work was done")


def test_file_in_the_way_is_refused(charged: Phonons, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ResultError):
        charged.save(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "a file"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["save_figure", "json.dumps"])
def test_failure_halfway_leaves_nothing(
    charged: Phonons,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    step: str,
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise error

    where = "mlphonon.report.figures.save_figure" if step == "save_figure" else step
    monkeypatch.setattr(where, fail)
    expected = ResultError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        charged.save(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", [1, 2])
def test_failure_of_the_last_move_keeps_the_older_result(
    quartz_phonons: Phonons,
    charged: Phonons,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failing: int,
) -> None:
    folder = quartz_phonons.save(tmp_path / "out")
    moves = []
    really_replace = os.replace

    def replace(source: Path, target: Path) -> None:
        moves.append(source)
        if len(moves) == failing:
            raise OSError(5, "Input/output error")
        really_replace(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(ResultError, match="Input/output error"):
        charged.save(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert Phonons.load(folder).record == quartz_phonons.record


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_folder_without_permission(charged: Phonons, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ResultError, match="cannot write"):
        charged.save(tmp_path / "out")


def test_parent_that_is_a_file(charged: Phonons, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="cannot write"):
        charged.save(tmp_path / "file" / "out")


def unreadable(folder: Path) -> None:
    with pytest.raises(ResultError) as caught:
        Phonons.load(folder)
    message = str(caught.value)
    assert str(folder) in message
    assert "\n" not in message


def test_missing_folder(tmp_path: Path) -> None:
    unreadable(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["phonons.json", "phonopy_params.yaml"])
@pytest.mark.parametrize("share", [None, 0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.999])
def test_truncated_files(saved: Path, tmp_path: Path, name: str, share: float | None) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(saved, folder)
    data = (folder / name).read_bytes()
    if share is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(data[: int(share * len(data))])
    unreadable(folder)


def test_file_that_ends_after_a_whole_section(saved: Path, tmp_path: Path) -> None:
    """Cut before the force constants, the YAML is valid and holds forces, but is not whole."""
    folder = tmp_path / "cut"
    shutil.copytree(saved, folder)
    path = folder / "phonopy_params.yaml"
    text = path.read_text()
    path.write_text(text[: text.index("\nforce_constants:") + 1])
    unreadable(folder)


def test_record_of_another_format(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(saved, folder)
    summary = json.loads((folder / "phonons.json").read_text())
    del summary["record"]["spacegroup"]
    (folder / "phonons.json").write_text(json.dumps(summary))
    unreadable(folder)
