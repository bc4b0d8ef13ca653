"""mlphonon dataset: build and info."""

from __future__ import annotations

from pathlib import Path

import ase.io
import pytest

from mlphonon.training.data.store import read_data
from tests.cli.conftest import Call
from tests.training.data.test_data import distorted


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = []
    for symbol in ("Cu", "Al", "Ni"):
        paths.append(tmp_path / f"{symbol}.extxyz")
        ase.io.write(paths[-1], distorted(symbol))
    return paths


def test_a_data_set_is_built_and_told(call: Call, files: list[Path], tmp_path: Path) -> None:
    outcome = call("dataset", "build", *files, "-o", "data.h5", "--functional", "EMT")
    assert outcome.code == 0, outcome.err
    assert "15 frames of 60 atoms (strained 15), 15 with energy, 15 with stress" in outcome.out
    assert "3 formulas of 3 elements; held out:" in outcome.out
    assert "from EMT, unknown: 15" in outcome.out
    assert len(read_data(tmp_path / "data.h5").held_out) == 1
    again = call("dataset", "info", "data.h5")
    assert again.out.splitlines()[1:] == outcome.out.splitlines()[:-1]
    assert outcome.out.splitlines()[-1].split("SHA-256 ")[1] in again.out + ")"


def test_crystals_may_be_held_out_by_name(call: Call, files: list[Path], tmp_path: Path) -> None:
    chosen = call("dataset", "build", *files[:2], "--held-out", files[2], "--functional", "EMT")
    assert chosen.code == 0, chosen.err
    assert read_data(tmp_path / "data.h5").held_out == {"Ni"}
    leaked = call("dataset", "build", *files, "--held-out", files[2])
    assert leaked.code == 2
    (line,) = leaked.err.splitlines()
    assert "Ni is both held out and not" in line


def test_what_is_wrong_is_said_in_a_line(call: Call, files: list[Path], tmp_path: Path) -> None:
    for arguments, said in (
        ((files[0],), "there is only Cu, and something is to be held out"),
        ((tmp_path / "none.xyz",), "there is no file"),
    ):
        outcome = call("dataset", "build", *arguments)
        assert outcome.code == 2
        (line,) = outcome.err.splitlines()
        assert said in line
        assert not (tmp_path / "data.h5").exists()
