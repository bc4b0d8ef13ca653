"""Campaigns whose processes are killed end like those that were left in peace."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import ase.io
import numpy as np
import psutil
import pytest
from ase.build import bulk

from mlphonon.screening.campaign import Campaign
from mlphonon.screening.ranking.table import Table

ROOT = Path(__file__).parents[2]
METALS = ("Cu", "Ag", "Au", "Ni", "Pd", "Pt", "Al")


def crystals(path: Path, count: int) -> Path:
    """Write metals and ordered alloys, slightly strained so that no two are the same."""
    made = []
    for number in range(count):
        atoms = bulk(METALS[number % 7], cubic=number % 3 == 0)
        if number % 2:
            atoms.numbers[0] = bulk(METALS[(number // 7 + 1) % 7]).numbers[0]
        atoms.set_cell(atoms.cell * (1 + 0.0005 * number), scale_atoms=True)
        made.append(atoms)
    ase.io.write(path, made)
    return path


class Driver:
    """A run in a process of its own."""

    def __init__(self, store: str, source: Path, workers: int = 2) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.helpers.drive_campaign",
            store,
            str(source),
            str(workers),
        ]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)

    def workers(self) -> list[psutil.Process]:
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
            return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def ended(self) -> bool:
        return self.process.poll() is not None


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def equal(one: Table, other: Table) -> bool:
    """Tell whether two tables are the same to the bit, but for how long things took."""
    if one.columns.keys() != other.columns.keys():
        return False
    for name in one.columns:
        a, b = one.columns[name], other.columns[name]
        numeric = a.dtype != object
        if name != "seconds" and not np.array_equal(a, b, equal_nan=numeric):
            return False
    return True


def disturb(store: str, source: Path, kills: int, seed: int) -> Iterator[str]:
    """Run a campaign, killing workers, drivers or both at random moments."""
    chance = random.Random(seed)
    driver = Driver(store, source)
    while kills:
        time.sleep(chance.uniform(0.5, 4.0))
        if driver.ended():
            assert driver.process.returncode == 0
            return
        workers = driver.workers()
        what = ("worker", "driver", "both")[kills % 3]
        if what != "driver" and workers:
            kill([chance.choice(workers)] if what == "worker" else workers)
        if what != "worker":
            driver.kill()
            driver = Driver(store, source)
        kills -= 1
        yield what
    assert driver.process.wait(timeout=600) == 0


def at_once(store: str, source: Path, workers: int = 2) -> None:
    """Run a campaign to its end."""
    assert Driver(store, source, workers).process.wait(timeout=600) == 0


def undisturbed(folder: Path, source: Path) -> Table:
    at_once(str(folder / "calm.db"), source)
    return Campaign(folder / "calm.db").results()


def check_nothing_is_left(campaign: Campaign, folder: Path) -> None:
    counts = campaign.status().counts
    assert counts["waiting"] == counts["running"] == 0
    for name in ("running", "finished"):
        assert not list((folder / name).iterdir())
    assert not list((folder / "phonons").glob(".part*"))


def test_killed_now_and_then(tmp_path: Path):
    source = crystals(tmp_path / "metals.extxyz", 8)
    calm = undisturbed(tmp_path, source)
    store = str(tmp_path / "wild.db")
    assert list(disturb(store, source, kills=3, seed=3))
    wild = Campaign(store)
    assert equal(wild.results(), calm)
    assert sum(wild.status().counts.values()) == 8
    check_nothing_is_left(wild, tmp_path / "wild")


@pytest.mark.slow
def test_fifty_crystals_killed_twenty_times(tmp_path: Path):
    source = crystals(tmp_path / "metals.extxyz", 50)
    calm = undisturbed(tmp_path, source)
    store = str(tmp_path / "wild.db")
    done = list(disturb(store, source, kills=20, seed=7))
    assert len(done) == 20, "ended before it was killed often enough"
    assert {"worker", "driver", "both"} <= set(done)
    wild = Campaign(store)
    assert equal(wild.results(), calm)
    assert wild.status().counts == Campaign(tmp_path / "calm.db").status().counts
    check_nothing_is_left(wild, tmp_path / "wild")


def test_two_runs_share_one_store_and_double_nothing(tmp_path: Path):
    source = crystals(tmp_path / "metals.extxyz", 10)
    store = str(tmp_path / "shared.db")
    first, second = Driver(store, source, 1), Driver(store, source, 1)
    assert first.process.wait(timeout=300) == second.process.wait(timeout=300) == 0
    shared, calm = Campaign(store), undisturbed(tmp_path, source)
    assert sum(shared.status().counts.values()) == 10
    assert equal(shared.results(), calm)
