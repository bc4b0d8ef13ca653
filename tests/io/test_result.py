"""What all results do alike: arrays and record on disk, tables, figures by name, refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import BaseModel

import mlphonon
from mlphonon.errors import ResultError
from mlphonon.io.arrays import flatten, unflatten
from mlphonon.io.result import ArrayResult, Result
from mlphonon.system.late_binding import resolve

PACKAGE = Path(mlphonon.__file__).parent


class Note(BaseModel):
    text: str


@dataclass(frozen=True)
class Part:
    points: np.ndarray
    slope: np.ndarray | None


@dataclass(frozen=True)
class Everything(ArrayResult):
    """One field of every kind that a result may hold."""

    kind: ClassVar[str] = "everything"
    words: ClassVar[str] = "everything"
    figures: ClassVar[Mapping[str, str]] = {}

    matrix: np.ndarray
    pieces: tuple[np.ndarray, ...]
    labels: tuple[tuple[str, str], ...]
    n_atoms: int
    energy: float
    part: Part
    axes: Part | None
    record: Note

    def summary(self) -> dict[str, Any]:
        return {"n_atoms": self.n_atoms, "record": self.record.model_dump()}

    def describe(self) -> list[str]:
        return [self.record.text]

    def table(self) -> dict[str, np.ndarray]:
        return {"x_THz": self.matrix[0], "y_THz": self.matrix[1]}


@pytest.fixture
def everything() -> Everything:
    return Everything(
        matrix=np.arange(6.0).reshape(2, 3),
        pieces=(np.ones(2), np.zeros((3, 2)), *(np.full(1, i) for i in range(10))),
        labels=(("GAMMA", "X"), ("K", "L")),
        n_atoms=2,
        energy=-1.5,
        part=Part(np.array([1.0]), None),
        axes=None,
        record=Note(text="hello"),
    )


def test_everything_comes_back(everything: Everything, tmp_path: Path) -> None:
    again = Everything.load(everything.save(tmp_path / "deep" / "out"))
    np.testing.assert_array_equal(again.matrix, everything.matrix)
    assert [len(piece) for piece in again.pieces] == [2, 3, *[1] * 10]
    # Ten and more keep their order: 10 does not come before 2.
    assert [float(piece[0]) for piece in again.pieces[2:]] == list(range(10))
    assert again.labels == everything.labels
    assert (again.n_atoms, again.energy) == (2, -1.5)
    assert type(again.n_atoms) is int
    assert again.part.slope is None and again.axes is None
    assert again.record == everything.record


def test_a_missing_array_is_named(everything: Everything) -> None:
    flat = flatten(everything, leave_out=("record",))
    del flat["matrix"]
    with pytest.raises(ValueError, match="array 'matrix' is missing"):
        unflatten(Everything, flat, leave_out=("record",))


def test_table_as_data_frame_and_csv(everything: Everything, tmp_path: Path) -> None:
    frame = everything.to_dataframe()
    assert list(frame.columns) == ["x_THz", "y_THz"]
    assert frame["y_THz"].tolist() == [3, 4, 5]
    lines = (everything.save(tmp_path / "out") / "everything.csv").read_text().splitlines()
    assert lines == ["x_THz,y_THz", "0,3", "1,4", "2,5"]


def test_another_file_in_the_place_of_one_is_refused(
    everything: Everything, tmp_path: Path
) -> None:
    folder = everything.save(tmp_path / "out")
    np.savez(folder / "everything.npz", matrix=np.zeros((2, 3)))
    with pytest.raises(ResultError, match=r"everything\.npz is another file"):
        Everything.load(folder)
    (folder / "everything.npz").unlink()
    with pytest.raises(ResultError, match=r"there is no file everything\.npz"):
        Everything.load(folder)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": 999}, "its format is 999, this version reads 1"),
        ({"record": {"text": [1]}}, "1 validation error"),
        ({"files_sha256": {"everything.npz": "0", "../secret": "0"}}, "everything.npz is another"),
        ({"files_sha256": {}}, "its summary has no SHA-256 of everything.npz"),
    ],
)
def test_a_changed_summary_is_refused(
    everything: Everything, tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    folder = everything.save(tmp_path / "out")
    file = folder / "everything.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ResultError, match=re.escape(why)):
        Everything.load(folder)


def test_what_is_no_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="does not hold everything, whole"):
        Everything.load(tmp_path / "nothing")


def test_every_string_that_names_an_object_resolves() -> None:
    """Figures, verdict, Grueneisen parameters: rooms above name what is below by strings."""
    names = {
        name
        for file in PACKAGE.rglob("*.py")
        for name in re.findall(r'"(mlphonon(?:\.\w+)+:\w+)"', file.read_text())
    }
    assert "mlphonon.report.conductivity:plot_conductivity" in names
    for name in sorted(names):
        assert callable(resolve(name)), name


def test_every_result_class_names_figures_that_are_files() -> None:
    kinds = [
        mlphonon.Phonons,
        mlphonon.Gruneisen,
        mlphonon.ThermalExpansion,
        mlphonon.ThermalConductivity,
        mlphonon.PhononsAtTemperature,
        mlphonon.Explanation,
    ]
    assert len({kind.kind for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert issubclass(kind, Result)
        assert all(name.endswith(".png") for name in kind.figures)
