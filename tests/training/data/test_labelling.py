"""Labels: what the teacher says, second derivatives included, and nothing done twice."""

from __future__ import annotations

import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from mlphonon.errors import SettingsError, TrainingError
from mlphonon.potentials.potential import Potential
from mlphonon.training.data.dft import load_code
from mlphonon.training.data.frame import Origin
from mlphonon.training.data.label_files import files_to_label, label_files
from mlphonon.training.data.labelling import label
from mlphonon.training.data.reading import read_frame


def test_responses_are_the_hessian_times_the_directions(embedded: Potential) -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.rattle(0.05, seed=1)
    (said,) = label([atoms], embedded, directions=2)
    frame = read_frame(said, Origin("here"))
    assert frame.directions.shape == frame.responses.shape == (2, 2, 3)
    unit = [(i, np.eye(3)[a]) for i in range(2) for a in range(3)]
    hessian = embedded.hessian_rows(atoms, unit).reshape(6, 6)
    for way, response in zip(frame.directions, frame.responses, strict=True):
        assert np.square(way).mean() == pytest.approx(1.0)
        expected = hessian @ way.ravel()
        np.testing.assert_allclose(response.ravel(), expected, atol=2e-3 * np.abs(expected).max())
    (evaluation,) = embedded.evaluate([atoms])
    np.testing.assert_allclose(frame.forces, evaluation.forces, atol=1e-7)
    assert frame.energy == pytest.approx(evaluation.energy)
    assert frame.origin.functional == embedded.info.functional


def test_a_teacher_with_rounded_forces_is_asked_on_both_sides(rocksalt_springs: Potential) -> None:
    """A calculator of unknown precision; springs answer exactly, whatever the step."""
    atoms = bulk("NaCl", "rocksalt", a=5.69, cubic=True)
    calls = []
    (said,) = label([atoms], rocksalt_springs, directions=1, progress=calls.append)
    assert sum(calls) == 3
    way, response = said.arrays["REF_directions"], said.arrays["REF_responses"]
    shift = atoms.copy()
    shift.positions += 0.05 * way
    forces = rocksalt_springs.evaluate([shift])[0].forces
    np.testing.assert_allclose(response, -forces / 0.05, atol=1e-9)


def test_what_is_labelled_is_not_labelled_again(embedded: Potential, tmp_path: Path) -> None:
    for name, constant in (("one", 5.6), ("two", 5.7)):
        ase.io.write(tmp_path / f"{name}.extxyz", bulk("NaCl", "rocksalt", a=constant))
    files = files_to_label([tmp_path])
    out = tmp_path / "out"
    assert label_files(files[:1], embedded, out) == 1
    written = (out / "one.extxyz").stat().st_mtime_ns
    assert label_files(files, embedded, out) == 1
    assert (out / "one.extxyz").stat().st_mtime_ns == written
    (atoms,) = ase.io.read(out / "two.extxyz", ":")
    assert atoms.info["material_id"] == "two"
    assert np.asarray(atoms.info["REF_stress"]).shape == (3, 3)


def test_files_that_are_not_there_or_alike_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="there is no file"):
        files_to_label([tmp_path / "none"])
    with pytest.raises(TrainingError, match="holds no structures"):
        files_to_label([tmp_path])
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        ase.io.write(tmp_path / folder / "same.extxyz", bulk("Cu"))
    with pytest.raises(TrainingError, match="two files are called same"):
        files_to_label([tmp_path / "a", tmp_path / "b"])


ESPRESSO = """
functional: LDA
command: {command}
profile: {{pseudo_dir: {folder}}}
parameters:
  pseudopotentials: {{Si: Si.UPF}}
  kpts: [2, 2, 2]
  input_data:
    control: {{tprnfor: true, tstress: true}}
    system: {{ecutwfc: 16}}
    electrons: {{conv_thr: 1.0e-8, electron_maxstep: {cycles}}}
"""


def write_settings(folder: Path, command: str = sys.executable, cycles: int = 50) -> str:
    path = folder / "settings.yaml"
    path.write_text(ESPRESSO.format(command=command, folder=folder, cycles=cycles))
    return f"ase:espresso:{path}"


def test_a_code_that_cannot_run_is_said_in_a_line(tmp_path: Path) -> None:
    work = tmp_path / "work"
    with pytest.raises(TrainingError, match=r"'ase:espresso' is not understood"):
        load_code("ase:espresso", work)
    with pytest.raises(SettingsError, match="cannot read settings"):
        load_code(f"ase:espresso:{tmp_path}/none.yaml", work)
    with pytest.raises(TrainingError, match="there is no program 'pw-that-is-not"):
        load_code(write_settings(tmp_path, "pw-that-is-not.x"), work)
    (tmp_path / "bad.yaml").write_text("function: LDA")
    with pytest.raises(SettingsError, match="'functional' of the DFT code"):
        load_code(f"ase:espresso:{tmp_path}/bad.yaml", work)
    (tmp_path / "none.yaml").write_text("functional: PBE")
    with pytest.raises(TrainingError, match="no calculator 'espreso'"):
        load_code(f"ase:espreso:{tmp_path}/none.yaml", work)


def test_a_pseudopotential_that_is_missing_is_said_before_anything_runs(tmp_path: Path) -> None:
    code = load_code(write_settings(tmp_path), tmp_path / "work")
    with pytest.raises(TrainingError, match="no pseudopotential of Cu"):
        code.evaluate([bulk("Cu")])
    with pytest.raises(TrainingError, match=r"no pseudopotential of Si: .*Si.UPF is missing"):
        code.evaluate([bulk("Si")])


def test_a_cycle_that_did_not_converge_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "pw.x"
    program.write_text("#!/bin/sh\necho ' convergence NOT achieved after 2 iterations: stopping'\n")
    program.chmod(0o755)
    (tmp_path / "Si.UPF").write_text("")
    code = load_code(write_settings(tmp_path, str(program)), tmp_path / "work")
    with pytest.raises(TrainingError, match="espresso did not converge on Si2"):
        code.evaluate([bulk("Si")])
