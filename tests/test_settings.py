"""Settings: what is accepted, what is refused and how, and what their digest means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from mlphonon.errors import SettingsError
from mlphonon.settings import PhononSettings


@pytest.mark.parametrize(
    "given",
    ["2 2 3", "2,2,3", " 2 2  3 ", (2, 2, 3), [2, 2, 3], np.array([2, 2, 3]), (2.0, 2.0, 3.0)],
)
def test_diagonal_supercells(given: object) -> None:
    matrix = PhononSettings.make(supercell=given).supercell_matrix()
    np.testing.assert_array_equal(matrix, np.diag([2, 2, 3]))


@pytest.mark.parametrize(
    "given", ["0 1 1 1 0 1 1 1 0", [[0, 1, 1], [1, 0, 1], [1, 1, 0]], 1 - np.eye(3, dtype=int)]
)
def test_full_supercells(given: object) -> None:
    matrix = PhononSettings.make(supercell=given).supercell_matrix()
    np.testing.assert_array_equal(matrix, [[0, 1, 1], [1, 0, 1], [1, 1, 0]])


def test_rows_stay_rows() -> None:
    matrix = PhononSettings.make(supercell="1 2 3 0 4 5 0 0 6").supercell_matrix()
    np.testing.assert_array_equal(matrix, [[1, 2, 3], [0, 4, 5], [0, 0, 6]])


def test_automatic_supercell() -> None:
    assert PhononSettings().supercell_matrix() is None
    assert PhononSettings.make(supercell=" auto ").supercell == "auto"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"supercell": "2 2"}, "supercell"),
        ({"supercell": "two"}, "supercell"),
        ({"supercell": "2 2 2.5"}, "supercell"),
        ({"supercell": (2, 2, 2.5)}, "whole"),
        ({"supercell": "2 2 0"}, "determinant"),
        ({"supercell": "1 1 0 1 1 0 0 0 1"}, "determinant"),
        ({"supercell": None}, "supercell"),
        ({"symprec": 0}, "symprec"),
        ({"fmax": -1e-4}, "fmax"),
        ({"fmax": float("nan")}, "fmax"),
        ({"fmax": float("inf")}, "fmax"),
        ({"min_length": float("inf")}, "min_length"),
        ({"mesh": float("inf")}, "mesh"),
        ({"mesh": "fine"}, "mesh"),
        ({"displacement": 0}, "displacement"),
        ({"displacement": 1.0}, "displacement"),
        ({"max_atoms": 0}, "max_atoms"),
        ({"relax_steps": 0}, "relax_steps"),
        ({"relax": "perhaps"}, "relax"),
        ({"temperatures": "0:1000"}, "temperatures"),
        ({"temperatures": "cold:hot:10"}, "temperatures"),
        ({"temperatures": "1000:0:10"}, "temperatures"),
        ({"temperatures": "-10:1000:10"}, "temperatures"),
        ({"temperatures": "0:1000:0"}, "temperatures"),
        ({"temperatures": "0:1e9:1"}, "temperatures"),
        ({"temperatures": "0:nan:1"}, "temperatures"),
        ({"temperatures": (0, 1000, 10)}, "temperatures"),
        ({"nac_method": "wong"}, "nac_method"),
        ({"imaginary_share": 1.5}, "imaginary_share"),
        ({"minlength": 12}, "minlength"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(changes: dict, word: str) -> None:
    with pytest.raises(SettingsError) as caught:
        PhononSettings.make(**changes)
    message = str(caught.value)
    assert word in message
    assert "\n" not in message


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="min_length"):
        PhononSettings.make(minimum_length=12)


def test_temperature_grid_includes_the_last() -> None:
    np.testing.assert_allclose(
        PhononSettings.make(temperatures="0:300:100").temperatures.values, [0, 100, 200, 300]
    )
    np.testing.assert_allclose(
        PhononSettings.make(temperatures="5:6:0.1").temperatures.values[-1], 6
    )
    np.testing.assert_allclose(
        PhononSettings.make(temperatures="0:25:10").temperatures.values, [0, 10, 20]
    )
    np.testing.assert_allclose(
        PhononSettings.make(temperatures="300:300:1").temperatures.values, [300]
    )


def test_changes_leave_the_rest() -> None:
    base = PhononSettings.make(min_length=12, mesh=50)
    changed = PhononSettings.make(base, mesh=60)
    assert (changed.min_length, changed.mesh) == (12, 60)
    assert base.mesh == 50
    with pytest.raises(ValidationError):
        base.mesh = 70


def test_digest_tells_protocols_apart() -> None:
    base = PhononSettings()
    assert base.digest() == PhononSettings.make().digest()
    assert (
        PhononSettings.make(supercell="2 2 2").digest()
        == PhononSettings.make(supercell=(2, 2, 2)).digest()
    )
    values = {
        "symprec": 1e-4,
        "relax": False,
        "fmax": 1e-3,
        "supercell": "2 2 2",
        "min_length": 14.0,
        "displacement": 0.02,
        "mesh": 90.0,
        "nac_method": "wang",
        "temperatures": "0:500:10",
    }
    digests = {PhononSettings.make(**{name: value}).digest() for name, value in values.items()}
    assert len(digests | {base.digest()}) == len(values) + 1


def test_digest_is_the_same_in_another_process() -> None:
    code = "from mlphonon.settings import PhononSettings; print(PhononSettings().digest())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == PhononSettings().digest()


def test_settings_survive_json() -> None:
    settings = PhononSettings.make(
        supercell="1 1 0 0 2 0 0 0 2", temperatures="10:20:5", relax=False
    )
    assert PhononSettings.model_validate_json(settings.model_dump_json()) == settings


def test_settings_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("min_length: 20\nsupercell: 2 2 2\n")
    assert PhononSettings.read(path).min_length == 20
    path.write_text("")
    assert PhononSettings.read(path) == PhononSettings()


@pytest.mark.parametrize("content", [b"- 1\n- 2\n", b"a: [", b"\xff\xfe\x00"])
def test_unusable_settings_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"settings\.yaml"):
        PhononSettings.read(path)


def test_missing_settings_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nothing\.yaml"):
        PhononSettings.read(tmp_path / "nothing.yaml")


def test_settings_of_one_method_ask_for_it() -> None:
    assert PhononSettings().method == "auto"
    for changes, method in (
        ({"displacement": 0.02}, "displacements"),
        ({"protocol": "small"}, "displacements"),
        ({"row_dtype": "float32"}, "autodiff"),
        ({"displacement": 0.02, "method": "auto"}, "auto"),
    ):
        assert PhononSettings(**changes).method == method
        assert PhononSettings.make(PhononSettings(mesh=50.0), **changes).method == method
    # A whole set of settings, read back, stays what it was.
    assert PhononSettings.make(PhononSettings()).method == "auto"
    assert PhononSettings(**PhononSettings().model_dump()).method == "auto"
