"""``mlphonon screen``: its commands in a row, and what they refuse."""

from __future__ import annotations

import sys
from pathlib import Path

import ase.io
import pytest
from ase.build import bulk

from tests.cli.conftest import EXAMPLES, Call

EMT = f"python:{sys.prefix}:ase.calculators.emt:EMT"


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text("min_length: 5\nmesh: 15\nprojected_mesh: 10\nband_points: 5\n")
    return path


def test_from_structures_to_a_ranking(call: Call, tmp_path: Path, settings: Path) -> None:
    crystals = tmp_path / "crystals"
    crystals.mkdir()
    for symbol, hull in (("Cu", 0.0), ("Ag", 0.3), ("Au", 0.05), ("Fe", 0.0)):
        atoms = bulk(symbol)
        atoms.info.update(material_id=f"x-{symbol}", e_hull=hull)
        ase.io.write(crystals / f"{symbol}.extxyz", atoms)
    run = ("screen", "run", crystals, "--store", "c.db", "--potential", EMT, "--settings", settings)
    done = call(*run, "--temperatures", "100 300")
    assert done.code == 0, done.err
    assert "4 new" in done.err
    assert "x-Fe: potential; " in done.err
    assert "3 done, 1 failed (1 potential)" in done.out
    again = call(*run, "--temperatures", "100 300")
    assert "0 new, 4 known (3 done)" in again.err
    status = call("screen", "status", "c.db")
    assert "potential\tx-Fe\t" in status.out
    ranked = call(
        "screen", "rank", "c.db", "--by", "c_v(100) / mass", "--where", "stable and e_hull < 0.1",
        "--csv", "top.csv",
    )  # fmt: skip
    rows = [line.split() for line in ranked.out.splitlines() if "x-" in line]
    assert [row[1] for row in rows] == ["x-Cu", "x-Au"]
    assert (tmp_path / "top.csv").read_text().count("\n") == 3
    exported = call("screen", "export", "c.db", "-o", "all.parquet")
    assert exported.out == "3 crystals -> all.parquet\n"
    columns = call("screen", "columns", "c.db").out.splitlines()
    assert "c_v_300\tJ/K/mol" in columns
    assert "e_hull\t" in columns
    report = call("screen", "report", "c.db", "-o", "page.html", "--by", "debye_temperature")
    assert report.code == 0, report.err
    assert "x-Fe" in (tmp_path / "page.html").read_text()
    assert call("screen", "retry", "c.db", "--failed", "potential").out.startswith("1 wait again")
    assert "1 waiting" in call("screen", "status", "c.db").out


def test_phonons_at_a_temperature_of_many(call: Call, settings: Path, tmp_path: Path) -> None:
    ase.io.write(tmp_path / "Cu.extxyz", bulk("Cu"))
    run = ("screen", "run", "Cu.extxyz", "--potential", EMT, "--settings", settings)
    done = call(*run, "--property", "sscha(300, snapshots=16, tolerance=0.5)")
    assert done.code == 0, done.err
    assert "sscha(300, snapshots=16, tolerance=0.5)" in done.out
    ranked = call("screen", "rank", "campaign.db", "--by", "sscha_max_frequency(300)")
    assert [line.split()[1:3] for line in ranked.out.splitlines() if "Cu" in line] == [["Cu", "Cu"]]


def test_a_dry_run_computes_nothing(call: Call, settings: Path) -> None:
    asked = ("--settings", settings, "--dry-run", "--limit", "2")
    done = call("screen", "run", EXAMPLES, "--store", "c.db", *asked)
    assert "work of " in done.err
    assert "2 waiting" in done.out


def test_what_is_wrong_is_said_in_a_line(call: Call, tmp_path: Path, settings: Path) -> None:
    (tmp_path / "site.yaml").write_text("wokers: 2")
    (tmp_path / "empty.yaml").write_text("[1]")
    crystal = EXAMPLES / "Si.cif"
    call("screen", "run", crystal, "--store", "c.db", "--settings", settings, "--dry-run")
    for arguments, said in (
        (("run", "none.cif", "--store", "d.db"), "there is no none.cif"),
        (("run", crystal, "--potential", "nothing"), "nothing"),
        (("run", crystal, "--config", "site.yaml"), "'wokers'"),
        (("run", crystal, "--config", "empty.yaml"), "holds no settings"),
        (("run", crystal, "--temperatures", "hot"), "temperatures cannot be 'hot'"),
        (("run", crystal, "--property", "tdep(300)"), "no method 'tdep'"),
        (("run", crystal, "--property", "sscha"), "names no method"),
        (("run", crystal, "--temperatures", "-3"), "temperatures cannot be '-3'"),
        (("run", "--store", "none.db"), "there is no campaign none.db"),
        (("status", "none.db"), "there is no campaign none.db"),
        (("status", crystal), "cannot be used"),
        (("rank", "c.db", "--by", "c_v(50)"), "300"),
        (("rank", "c.db", "--by", "__import__('os')"), "no function"),
        (("export", "c.db", "-o", "results.xls"), "xls"),
        (("status", "c.db", "--calculation", "zz"), "no calculation is 'zz'"),
    ):
        line = call("screen", *arguments).refusal()
        assert said in line, (arguments, line)
