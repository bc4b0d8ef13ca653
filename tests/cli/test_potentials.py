"""``mlphonon potentials``: text and JSON of what the catalogue knows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ase.build import bulk

from .conftest import Call


def test_list_is_a_table_that_can_be_cut(call: Call) -> None:
    outcome = call("potentials", "list")
    assert (outcome.code, outcome.err) == (0, "")
    head, *rows = (line.split("\t") for line in outcome.out.splitlines())
    assert head[0] == "name"
    assert all(len(row) == len(head) for row in rows)
    assert {row[0]: row[-1] for row in rows}["embedded"] == "here"


def test_list_and_info_as_json(call: Call) -> None:
    entries = json.loads(call("potentials", "list", "--json").out)
    embedded = next(entry for entry in entries if entry["name"] == "embedded")
    assert embedded["here"] is True
    assert json.loads(call("potentials", "info", "embedded", "--json").out) == embedded
    assert "licence: MIT" in call("potentials", "info", "embedded").out.splitlines()


def test_unknown_and_absent_are_refused(call: Call) -> None:
    assert "spelt alike are embedded" in call("potentials", "info", "embeded").refusal()
    assert "spelt alike are embedded" in call("potentials", "pull", "embeded").refusal()
    assert "MLPHONON_OFFLINE" in call("potentials", "pull", "mace-mpa-0").refusal()


def test_verify_finds_a_stranger_and_a_changed_file(call: Call, tmp_path: Path) -> None:
    assert call("potentials", "verify").code == 0
    store = tmp_path / "cache" / "potentials"
    store.mkdir(parents=True)
    (store / "mine.model").write_text("x")
    assert call("potentials", "verify").code == 0
    (store / "mace-mpa-0-medium.model").write_text("x")
    outcome = call("potentials", "verify")
    assert outcome.code == 2
    assert "BAD" in outcome.out
    assert outcome.err == ""


def test_check_measures_and_judges(call: Call) -> None:
    outcome = call("potentials", "check", "embedded", "--device", "cpu", "--json")
    record = json.loads(outcome.out)
    assert outcome.code == 0
    assert record["passed"] is True
    assert record["structure"] == "Cl32Na32"
    assert "kernels on against off" in {check["name"] for check in record["checks"]}
    assert {check["unit"] for check in record["checks"]} == {"THz", "relative", "GPa"}


def test_check_of_a_potential_elsewhere_on_a_crystal_of_ones_own(
    call: Call, tmp_path: Path
) -> None:
    bulk("Cu").write(tmp_path / "Cu.cif")
    emt = f"python:{sys.executable}:ase.calculators.emt:EMT"
    outcome = call("potentials", "check", emt, "--crystal", str(tmp_path / "Cu.cif"))
    assert outcome.code == 0, outcome.err
    *lines, verdict = outcome.out.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert len(lines) == 8
    assert "fit for phonons" in verdict
    assert "Na32" in call("potentials", "check", emt).refusal()
