"""`mlphonon gruneisen`, `thermal-expansion` and `thermal-conductivity` as a user calls them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from mlphonon import Gruneisen, ThermalConductivity, ThermalExpansion
from mlphonon.potentials.cached_answers import CachedPotential

from .conftest import EXAMPLES, Call

EMT = f"python:{sys.prefix}:ase.calculators.emt:EMT"
NACL = EXAMPLES / "NaCl.cif"
TINY = ("--supercell", "1 1 1", "--third-supercell", "1 1 1", "--mesh", "3 3 3")


@pytest.fixture
def copper(tmp_path: Path) -> tuple[object, ...]:
    """Copper, a potential that costs nothing, and settings that cost little."""
    ase.io.write(tmp_path / "Cu.cif", bulk("Cu", cubic=True))
    (tmp_path / "fast.yaml").write_text(
        "phonons: {min_length: 5, mesh: 20, projected_mesh: 10, band_points: 11}\n"
    )
    return ("Cu.cif", "--potential", EMT, "--settings", "fast.yaml")


def files(folder: Path) -> set[str]:
    """Name the files of a result; nothing that is half written stands beside it."""
    assert not list(folder.parent.glob(".*"))
    return {path.name for path in folder.iterdir()}


def test_grueneisen_parameters(call: Call, tmp_path: Path, copper: tuple[object, ...]) -> None:
    done = call("gruneisen", *copper)
    assert done.code == 0, done.err
    assert done.out.startswith("Cu: Grueneisen parameters from volumes of")
    assert "verdict: use with care (how right a potential is away from rest" in done.out
    folder = tmp_path / "out" / "Cu-gruneisen"
    assert files(folder) == {f"gruneisen.{kind}" for kind in ("json", "npz", "csv", "png")}
    # Copper's is 2.0 by experiment; EMT was fitted to its elastic constants.
    assert Gruneisen.load(folder).mean(300.0) == pytest.approx(2.0, abs=0.3)
    again = call("gruneisen", *copper, "--json", "--strain", 0.01)
    assert json.loads(again.out)["record"]["settings"]["strain"] == 0.01
    assert again.err == ""


def test_thermal_expansion(call: Call, tmp_path: Path, copper: tuple[object, ...]) -> None:
    done = call("thermal-expansion", *copper, "--temperatures", "0:600:20", "--volumes", 7)
    assert done.code == 0, done.err
    assert done.out.startswith("Cu: ")
    folder = tmp_path / "out" / "Cu-thermal-expansion"
    assert files(folder) == {f"thermal_expansion.{kind}" for kind in ("json", "npz", "csv", "png")}
    found = ThermalExpansion.load(folder)
    # 50e-6/K by experiment (volume); EMT is known to be good at it.
    assert found.at(300.0)["expansion_1e-6_per_K"] == pytest.approx(50, rel=0.25)


def test_heat_conductivity(call: Call, tmp_path: Path) -> None:
    done = call("thermal-conductivity", NACL, "--temperatures", "200,300", *TINY)
    assert done.code == 0, done.err
    assert done.out.startswith("NaCl: ")
    (folder,) = (tmp_path / "out").iterdir()
    assert {"thermal_conductivity.json", "thermal_conductivity.png"} <= files(folder)
    found = ThermalConductivity.load(folder)
    assert list(found.temperatures) == [200, 300]
    ratio = found.kappa[0, 0, 0] / found.kappa[1, 0, 0]
    assert 1.2 < ratio < 1.8
    assert "W/m/K" in done.out


def test_what_was_ended_goes_on(call: Call, tmp_path: Path, monkeypatch: Any) -> None:
    """The second call evaluates nothing that the first one has."""
    written: list[int] = []
    write = CachedPotential._write

    def counted(self: Any, found: dict[str, np.ndarray]) -> None:
        written.append(len(found))
        write(self, found)

    def ends(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(CachedPotential, "_write", counted)
    arguments = ("thermal-conductivity", NACL, *TINY)
    with monkeypatch.context() as patch:
        patch.setattr("mlphonon.anharmonic.conductivity.compute.conduct", ends)
        assert call(*arguments).code == 130
    assert sum(written) > 5
    (work,) = (tmp_path / "out").iterdir()
    assert work.name == ".NaCl-thermal-conductivity.work"
    written.clear()
    assert call(*arguments).code == 0
    assert sum(written) == 0
    assert not work.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gruneisen", "none.cif"), "there is no file none.cif"),
        (("gruneisen", NACL, "--strain", 0.5), "strain"),
        (("thermal-expansion", NACL, "--temperatures", "hot"), "hot"),
        (("thermal-expansion", NACL, "--temperatures", "300:100:10"), "300:100:10"),
        (("thermal-expansion", NACL, "--volumes", 3), "volumes"),
        (("thermal-expansion", NACL, "--cell", "round"), "round"),
        (("thermal-expansion", NACL, "--smallest", 0.2), "smallest"),
        (("thermal-conductivity", NACL, "--method", "magic"), "magic"),
        (("thermal-conductivity", NACL, "--temperatures", "0"), "0"),
        (("thermal-conductivity", NACL, "--cutoff", "-1"), "cutoff"),
        (("thermal-conductivity", NACL, "--mesh", "3 3"), "3 3"),
        (("thermal-conductivity", NACL, "--boundary", "0"), "boundary"),
        (("thermal-conductivity", NACL, "--third-order", "guess"), "guess"),
        (("thermal-conductivity", NACL, "--third-supercell", "2 2"), "2 2"),
    ],
)
def test_refusals(call: Call, arguments: tuple[object, ...], said: str) -> None:
    outcome = call(*arguments)
    assert outcome.code == 2, outcome.out
    assert said in outcome.err
    assert "Traceback" not in outcome.err
    assert not outcome.new
