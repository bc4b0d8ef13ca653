"""--potential given again: what is printed and written, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mlphonon import Phonons

from .conftest import EXAMPLES, Call

NACL = EXAMPLES / "NaCl.cif"
QUICK = ("--min-length", 6, "--mesh", 20, "--no-relax")


def test_two_potentials(call: Call, weights: Path, tmp_path: Path) -> None:
    two = ("--potential", "embedded", "--potential", weights / "plain")
    outcome = call("phonons", NACL, *QUICK, *two)
    assert outcome.code == 0, outcome.err
    assert "potential embedded" in outcome.out.splitlines()[0]
    number = r"-?[\d.]+ ± [\d.e+-]+"
    assert re.search(
        rf"committee of 2 \(embedded, plain\): frequencies ± [\d.]+ THz .*stable by \d of 2\n"
        rf".*highest mode {number} THz; at 300 K per mole of atoms: C_V {number} J/K,"
        rf" S {number} J/K, F {number} kJ; volume {number} A\^3 per atom\n",
        outcome.out,
    ), outcome.out
    first, second = outcome.err.splitlines()
    assert first.endswith("(embedded, 1 of 2)")
    assert second.endswith("(plain, 2 of 2)")
    assert "out/NaCl/committee/2-plain/phonopy_params.yaml" in outcome.new
    committee = Phonons.load(tmp_path / "out" / "NaCl").committee
    assert committee is not None
    assert committee.names == ("embedded", "plain")


def test_one_is_as_before(call: Call) -> None:
    outcome = call("phonons", NACL, *QUICK, "--potential", "embedded")
    assert "committee" not in outcome.out + outcome.err
    assert not any("committee" in name for name in outcome.new)


def test_options_reach_all(call: Call, weights: Path, tmp_path: Path) -> None:
    two = ("--potential", weights / "tiny.model", "--potential", weights / "plain")
    options = ("--dtype", "float32", "--head", "Default", "--allow-pickle", "--json")
    outcome = call("phonons", NACL, *QUICK, *two, *options)
    assert outcome.code == 0, outcome.err
    summary = json.loads(outcome.out)
    assert summary["committee"]["names"] == ["tiny.model", "plain"]
    # The same weights, in two kinds of files.
    assert summary["committee"]["frequency_spread_THz"] < 1e-3
    committee = Phonons.load(tmp_path / "out" / "NaCl").committee
    assert committee is not None
    assert [m.record.potential["dtype"] for m in committee.members] == ["float32", "float32"]


def test_dispersion_reaches_all(call: Call, weights: Path, tmp_path: Path) -> None:
    pytest.importorskip("dftd3")
    two = ("--potential", "embedded", "--potential", weights / "plain")
    outcome = call("phonons", NACL, *QUICK, *two, "--dispersion", "d3:pbe", "--quiet")
    assert outcome.code == 0, outcome.err
    committee = Phonons.load(tmp_path / "out" / "NaCl").committee
    assert committee is not None
    assert committee.names == ("embedded+D3", "plain+D3")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--potential", "nowhere.model"), "potential 'nowhere.model': there is no file"),
        (("--potential", "embeded"), "'embeded'.*spelt alike are embedded"),
        (("--potential", "PLAIN", "--head", "left"), "'embedded' has no head 'left'"),
        (("--potential", "TINY"), "tiny.model.*--allow-pickle"),
        (("--potential", "PLAIN", "--dispersion", "d3"), "(functional|simple-dftd3)"),
        (("--potential", "PLAIN", "--dtype", "float16"), "use float32 or float64"),
    ],
)
def test_refusals(call: Call, weights: Path, options: tuple[str, ...], message: str) -> None:
    paths = {"PLAIN": str(weights / "plain"), "TINY": str(weights / "tiny.model")}
    given = [paths.get(option, option) for option in options]
    line = call("phonons", NACL, *QUICK, "--potential", "embedded", *given).refusal()
    assert re.search(message, line), line


def test_a_member_that_does_not_know_an_element(call: Call, weights: Path) -> None:
    two = ("--potential", "embedded", "--potential", weights / "plain")
    line = call("phonons", EXAMPLES / "Si.cif", *QUICK, *two, "--quiet").refusal()
    assert "potential 'plain' does not know Si" in line


def test_a_screen_takes_one(call: Call) -> None:
    two = ("--potential", "embedded", "--potential", "embedded")
    line = call("screen", "run", NACL, *two).refusal()
    assert "2 potentials were given where one is used" in line
