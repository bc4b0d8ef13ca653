"""``mlphonon benchmark``: refusals in one line, runs that go on, and a page of what they left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlphonon import Phonons
from tests.helpers.pictures import ink

from .conftest import Call

ROW = "| embedded | 1 | 1 | 0 |"


@pytest.fixture
def salt(rocksalt_phonons: Phonons, tmp_path: Path) -> Path:
    """One's own "DFT": rock salt on springs."""
    rocksalt_phonons.save(tmp_path / "dft" / "salt")
    return tmp_path / "dft"


def test_references_are_listed(call: Call) -> None:
    outcome = call("benchmark", "list")
    assert outcome.code == 0
    assert outcome.out.startswith("phonondb-103\tPBE\t")
    names = [line.split("\t")[0] for line in outcome.out.splitlines()]
    assert {"mdr-10k-pbe", "mp-dfpt", "jarvis-dos", "alexandria-binary", "folder"} <= set(names)


def test_what_cannot_be_run_is_one_line(call: Call, tmp_path: Path) -> None:
    assert "spelt alike" in call("benchmark", "run", "phonondb", "--data", "x").refusal()
    missing = call("benchmark", "run", "phonondb-103", "--data", "nowhere")
    assert "--data" in missing.refusal()
    negative = call("benchmark", "run", "phonondb-103", "--data", "x", "--displacement=-1")
    assert "displacement" in negative.refusal()
    strange = call("benchmark", "run", "phonondb-103", "--data", "x", "--structure", "melted")
    assert "structures" in strange.refusal()
    assert "--data" in call("benchmark", "run", "folder").refusal()
    assert "holds no results" in call("benchmark", "compare", str(tmp_path)).refusal()


def test_a_run_goes_on_and_becomes_a_page(call: Call, salt: Path) -> None:
    run = ("benchmark", "run", "folder", "embedded", "--data", str(salt), "-o", "r", "--quiet")
    first = call(*run)
    assert first.out == "r/folder_embedded: 1 crystals, 0 failed\n", first.err
    assert first.err == ""
    record = Path("r/folder_embedded/crystals/salt.json")
    kept = record.read_text()
    assert call(*run).out == first.out
    assert record.read_text() == kept
    other = call(*run, "--displacement", "0.01")
    assert other.code == 2
    assert "another run; protocol differ" in other.err

    assert ROW in call("benchmark", "compare", "r/folder_embedded").out
    made = call("benchmark", "compare", "r/folder_embedded", "-o", "page.md")
    assert made.out == "page.md\n", made.err
    page = Path("page.md")
    text = page.read_text()
    assert ROW in text
    for name in ("errors", "parity", "ratios", "elements-embedded", "worst-embedded"):
        assert 0.02 < ink(Path(f"page/{name}.png")) < 0.9
        assert f"(page/{name}.png)" in text
    page.write_text("How this came about.\n" + text)
    call("benchmark", "compare", "r/folder_embedded", "-o", "page.md")
    assert page.read_text() == "How this came about.\n" + text
    page.write_text("My thesis.\n")
    refused = call("benchmark", "compare", "r/folder_embedded", "-o", "page.md")
    assert refused.code == 2
    assert "was not written by" in refused.err
    assert page.read_text() == "My thesis.\n"


def test_several_potentials_by_argument_and_option(call: Call, salt: Path) -> None:
    shared = ("--data", str(salt), "-o", "r", "--structure", "dft")
    refused = call("benchmark", "run", "folder", "--potential", "embedded", "nonesuch", *shared)
    assert "nonesuch" in refused.refusal(), "before the first is run"
    outcome = call("benchmark", "run", "folder", "--potential", "embedded", *shared)
    assert outcome.code == 0, outcome.err
    found = json.loads(Path("r/folder_embedded/crystals/salt.json").read_text())
    assert found["relaxed"] is None
    assert found["dft"]["errors"]["mae_THz"] > 0


@pytest.mark.slow
def test_workers_on_two_crystals_of_phonondb(call: Call, data: Path) -> None:
    arguments = ("benchmark", "run", "phonondb-103", "--data", str(data), "--limit", "2")
    assert call(*arguments, "-o", "shared", "--workers", "2").code == 0
    outcome = call(*arguments, "-o", "alone")
    assert outcome.out == "alone/phonondb-103_embedded: 2 crystals, 0 failed\n"
    tables = [
        call("benchmark", "compare", f"{folder}/phonondb-103_embedded").out.partition("## Freq")[2]
        for folder in ("shared", "alone")
    ]
    assert tables[0] == tables[1], "to the last digit"
