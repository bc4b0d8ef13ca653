"""``mlphonon benchmark``: refusals in one line, and a table of what a run left."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Call


def test_references_are_listed(call: Call) -> None:
    outcome = call("benchmark", "list")
    assert outcome.code == 0
    assert outcome.out.startswith("phonondb-103\tPBE\t")


def test_what_cannot_be_run_is_one_line(call: Call, tmp_path: Path) -> None:
    assert "spelt alike" in call("benchmark", "run", "phonondb", "--data", "x").refusal()
    missing = call("benchmark", "run", "phonondb-103", "--data", "nowhere")
    assert "--data" in missing.refusal()
    negative = call("benchmark", "run", "phonondb-103", "--data", "x", "--displacement=-1")
    assert "displacement" in negative.refusal()
    assert "holds no results" in call("benchmark", "compare", str(tmp_path)).refusal()


@pytest.mark.slow
def test_two_crystals_of_phonondb(call: Call, data: Path) -> None:
    arguments = ("benchmark", "run", "phonondb-103", "--data", str(data), "--limit", "2")
    assert call(*arguments, "-o", "r").code == 0
    again = call(*arguments, "-o", "r")
    assert again.out == "r/phonondb-103_embedded: 2 crystals, 0 failed\n"
    table = call("benchmark", "compare", "r/phonondb-103_embedded")
    assert "| embedded | 2 | 0 | " in table.out
