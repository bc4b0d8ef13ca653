"""Campaigns that meet damaged input, stores of strangers, full disks and signals."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from mlphonon.errors import ResultError, SettingsError
from mlphonon.screening.calculation import PotentialSource
from mlphonon.screening.campaign import Campaign
from mlphonon.screening.crystals.sources import Candidate, scalars
from mlphonon.screening.plan import CampaignPlan
from mlphonon.screening.ranking.rank import write_table
from mlphonon.screening.site import ParslSettings, Site, make_site
from mlphonon.screening.workers.executors import executor_of
from tests.cli.conftest import Call
from tests.helpers.inline import InlineExecutor
from tests.screening.conftest import QUICK
from tests.screening.crystals.test_sources import entry

EMT_PROGRAM = f"python:{sys.prefix}:ase.calculators.emt:EMT"
SETTINGS = "min_length: 5\nmesh: 15\nprojected_mesh: 10\nband_points: 5\n"
PLAN = CampaignPlan(PotentialSource(EMT()), QUICK)


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign of copper, and of something that is no crystal."""
    store = tmp_path_factory.mktemp("computed") / "campaign.db"
    crystals = [Candidate("Cu", bulk("Cu")), Candidate("none", None, {}, "it is not there")]
    list(Campaign(store).compute(PLAN, InlineExecutor(), crystals=crystals))
    return store


@pytest.fixture
def store(computed: Path, tmp_path: Path) -> Path:
    """A copy of it that may be damaged."""
    shutil.copytree(computed.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / computed.name


def change(store: Path, statement: str, *values: Any) -> None:
    with sqlite3.connect(store) as connection:
        connection.execute(statement, values)
    connection.close()


def test_entries_that_are_no_crystals_are_set_aside(call: Call, tmp_path: Path) -> None:
    damaged: list[Any] = [
        {"structure": {}},
        5,
        None,
        {"structure": {"lattice": {"matrix": [[0, 0, 0]] * 3}, "sites": []}},
        {"structure": {"lattice": "x", "sites": [{"species": [{"element": "Xx"}], "abc": "y"}]}},
        {"name": ["not", "a", "name"], "structure": None},
        entry(bulk("Cu"), name="\x1b[2J[/x]=1+1", e_hull=float("nan"), huge=10**400),
    ]
    (tmp_path / "all.json").write_text(json.dumps(damaged))
    (tmp_path / "s.yaml").write_text(SETTINGS)
    done = call("screen", "run", "all.json", "--settings", "s.yaml", "--dry-run", "--store", "c.db")
    assert done.code == 0, done.err
    assert "7 new, 0 known (0 done), 6 refused" in done.err
    reasons = [one["message"] for one in Campaign("c.db").failures()]
    assert "entry 2 is a int, no crystal" in reasons


def test_what_comes_with_a_structure_can_be_stored() -> None:
    values = {"a": 1, "b": np.inf, "c": 10**400, "d": 1j, "e": np.complex128(1), "f": np.bool_(1)}
    assert scalars(values) == {"a": 1.0, "f": True}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE results SET max_frequency = 'high'",
        "UPDATE thermal SET c_v = 'warm'",
        "UPDATE crystals SET properties = '[1, 2'",
        "UPDATE crystals SET properties = '7'",
        """UPDATE calculations SET description = '{"settings": {"mesh": "fine"}}'""",
        "UPDATE calculations SET description = '[' ",
    ],
)
def test_a_row_that_is_not_ours_is_one_line(call: Call, store: Path, statement: str) -> None:
    change(store, statement)
    for command in (
        ("rank", store, "--by", "max_frequency"),
        ("export", store, "-o", "all.csv"),
        ("columns", store),
        ("report", store, "-o", "page.html"),
    ):
        assert "holds a row that mlphonon did not write" in call("screen", *command).refusal()


def test_a_structure_that_is_not_ours_ends_the_run_in_one_line(store: Path) -> None:
    change(store, "UPDATE tasks SET state = 'waiting'")
    change(store, "UPDATE crystals SET structure = '{'")
    with pytest.raises(ResultError, match="holds a row that mlphonon did not write"):
        list(Campaign(store).compute(PLAN, InlineExecutor()))
    # One that is JSON, but no structure, is that crystal's failure.
    change(store, "UPDATE crystals SET structure = '{\"numbers\": [29]}'")
    assert all(one.failure for one in Campaign(store).compute(PLAN, InlineExecutor()))


def test_a_missing_truth_value_is_neither_true_nor_false(store: Path, tmp_path: Path) -> None:
    change(store, "UPDATE results SET stable = NULL")
    table = Campaign(store).results()
    assert list(table.columns["stable"]) == [None]
    write_table(table, tmp_path / "all.csv")
    (row,) = csv.DictReader((tmp_path / "all.csv").open())
    assert row["stable"] == ""


def test_a_store_leads_to_no_folder_but_its_own(store: Path, tmp_path: Path) -> None:
    change(store, "UPDATE facts SET value = ? WHERE name = 'folder'", str(tmp_path / "campaign"))
    assert set(Campaign(store).folders()) == {"Cu"}
    for path in ("../../..", "/etc", "phonons/../../elsewhere"):
        change(store, "UPDATE artifacts SET path = ?", path)
        assert Campaign(store).folders() == {}


@pytest.mark.parametrize("name", ["[/x] Cu", "[bold]Cu", "Cu\x1b[2J\x07", "=cmd|' /C calc'!A0"])
def test_names_are_text(call: Call, store: Path, name: str) -> None:
    change(store, "UPDATE crystals SET name = ? WHERE name = 'Cu'", name)
    change(store, "UPDATE crystals SET name = ? WHERE name = 'none'", name)
    ranked = call("screen", "rank", store, "--by", "max_frequency", "--csv", "top.csv")
    status = call("screen", "status", store)
    page = call("screen", "report", store, "-o", "page.html")
    assert ranked.code == status.code == page.code == 0, ranked.err + status.err + page.err
    shown = name.replace("\x1b", r"\x1b").replace("\x07", r"\x07")
    assert shown in ranked.out
    for outcome in (ranked, status):
        assert not set("\x1b\x07") & set(outcome.out)
    (row,) = csv.reader(Path("top.csv").read_text().splitlines()[1:])
    assert not any(cell.startswith(("=", "+", "@")) for cell in row)


def test_cells_that_a_spreadsheet_would_compute_are_defused(store: Path, tmp_path: Path) -> None:
    for name in ("=1+1", "+1", "-1", "@SUM(A1)", " =1+1"):
        change(store, "UPDATE crystals SET name = ?, properties = ?", name, '{"=2+2": 1.0}')
        write_table(Campaign(store).results(), tmp_path / "all.csv")
        head, row = csv.reader((tmp_path / "all.csv").open())
        assert row[head.index("name")] == f"'{name}"
        assert "'=2+2" in head
    # Numbers are none: a negative one stays what it is.
    change(store, "UPDATE results SET min_frequency = -0.25")
    write_table(Campaign(store).results(), tmp_path / "all.csv")
    (numbers,) = csv.DictReader((tmp_path / "all.csv").open())
    assert float(numbers["min_frequency (THz)"]) == -0.25


def test_a_refused_start_leaves_no_store(call: Call, tmp_path: Path) -> None:
    ase.io.write(tmp_path / "Cu.cif", bulk("Cu"))
    (tmp_path / "text.cif").write_text("no crystal")
    (tmp_path / "weights.model").write_bytes(b"no weights")
    (tmp_path / "file").write_text("")
    for arguments in (
        ("text.cif",),
        ("Cu.cif", "--potential", "nonesuch"),
        ("Cu.cif", "--potential", "weights.model"),
        ("Cu.cif", "--property", "sscha(nan)"),
        ("Cu.cif", "-o", "file"),
        ("Cu.cif", "-o", "file/inside"),
        ("Cu.cif", "--temperatures", "1e308"),
    ):
        # That neither a store nor a folder is new is part of a refusal.
        call("screen", "run", *arguments, "--store", "c.db").refusal()


@pytest.mark.parametrize(
    "values",
    [
        {"parsl": {"provider": "slurm", "options": {"max_blocks": "many"}}},
        {"parsl": {"provider": "slurm", "options": {"nodes_per_block": 1.5}}},
        {"parsl": {"provider": "slurm", "options": {"max_blocks": -3}}},
        {"parsl": {"provider": "slurm", "accelerators": -1}},
        {"workers": 10**9},
        {"threads": 10**9},
        {"seconds": float("nan")},
        {"gigabytes": float("inf")},
        {"workers": "x" * 10_000},
    ],
)
def test_a_site_that_cannot_be(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        make_site(values)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_what_parsl_rejects_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPHONON_PARSL_LOGS", str(tmp_path / "parsl"))
    site = Site(parsl=ParslSettings(provider="slurm", options={"walltime": 7}))
    with pytest.raises(SettingsError, match="Parsl cannot use this") as caught, executor_of(site):
        pass
    assert "\n" not in str(caught.value)


def start(folder: Path, count: int, *more: str) -> subprocess.Popen[bytes]:
    """Run a campaign of that many metals in a process of its own."""
    metals = [bulk("Cu", a=3.4 + 0.01 * number) for number in range(count)]
    ase.io.write(folder / "metals.extxyz", metals)
    (folder / "s.yaml").write_text(SETTINGS)
    program = "from mlphonon.cli.app import main; main()"
    command = [sys.executable, "-c", program, "screen", "run", "metals.extxyz"]
    command += ["--store", "c.db", "--potential", EMT_PROGRAM, "--settings", "s.yaml", *more]
    # Not pipes, which what it left behind would hold open.
    with (folder.parent / "said.txt").open("w") as said:
        return subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)


def wait_for(condition: Any, seconds: float = 120.0) -> None:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds
        time.sleep(0.1)


def counts(store: Path) -> dict[str, int]:
    if not store.exists():
        return {}
    with sqlite3.connect(store, timeout=30) as connection:
        try:
            return dict(connection.execute("SELECT state, COUNT(*) FROM tasks GROUP BY state"))
        except sqlite3.OperationalError:
            return {}


def test_termination_gives_back_what_is_held(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    running = start(folder, 60)
    wait_for(lambda: counts(folder / "c.db").get("running"))
    running.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    assert running.wait(timeout=60) == 128 + signal.SIGTERM
    assert time.monotonic() - begun < 10
    assert "Traceback" not in (tmp_path / "said.txt").read_text()
    assert "running" not in counts(folder / "c.db")


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """The store and the phonons are on a file system of 400 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.system(f"mount -t tmpfs -o size=400k x {folder} 2>/dev/null"):
        pytest.skip("may not mount a small file system")
    try:
        assert start(folder, 60).wait(timeout=300) == 2
    finally:
        os.system(f"umount -l {folder}")
    error = (tmp_path / "said.txt").read_text()
    lines = [line for line in error.splitlines() if line.startswith("mlphonon: ")]
    assert len(lines) == 1, error
    assert "Traceback" not in error
    assert "free some space" in lines[0] or "make room" in lines[0]
