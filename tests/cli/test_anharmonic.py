"""`mlphonon phonons-at-temperature` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlphonon import Phonons, PhononsAtTemperature

from .conftest import EXAMPLES, Call

NACL = EXAMPLES / "NaCl.cif"
QUICK = ("--displaced-min-length", 5, "--supercell", "1 1 1", "--snapshots", 16)


@pytest.fixture
def fast(tmp_path: Path) -> tuple[object, ...]:
    file = tmp_path / "fast.yaml"
    file.write_text("phonons: {relax: false, mesh: 20, projected_mesh: 10, band_points: 11}\n")
    return (*QUICK, "--settings", file)


def test_phonons_at_a_temperature_are_described_and_written(
    call: Call, tmp_path: Path, fast: tuple[object, ...]
) -> None:
    outcome = call("phonons-at-temperature", NACL, "--temperature", 200, *fast)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("NaCl: NaCl, Fm-3m (225), at 200 K (sscha, quantum atoms)")
    assert "displaced supercells of 8 atoms" in outcome.out
    assert "\n  -> out/NaCl-sscha-200K/\n" in outcome.out
    folder = tmp_path / "out" / "NaCl-sscha-200K"
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        "phonons_at_temperature.json",
        "phonons_at_temperature.png",
        "convergence.json",
        "phonons.json",
    }
    assert not list((tmp_path / "out").glob(".*"))
    loaded = PhononsAtTemperature.load(folder)
    assert loaded.renormalisation.temperature_K == 200
    assert Phonons.load(folder).record.method == "sscha"


def test_json_is_alone(call: Call, fast: tuple[object, ...]) -> None:
    options = ("--statistics", "classical", "--seed", 3, "--tolerance", 0.5)
    outcome = call("phonons-at-temperature", NACL, *options, *fast, "--json")
    assert outcome.code == 0, outcome.err
    summary = json.loads(outcome.out)
    assert summary["renormalisation"]["statistics"] == "classical"
    assert summary["renormalisation"]["temperature_K"] == 300
    assert outcome.err == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--method", "md"), "there is no method 'md'"),
        (("--temperature", -5), "'temperature' of phonons at a temperature cannot be -5"),
        (("--snapshots", 9), "must be even"),
        (("--statistics", "fermi"), "'statistics' of method 'sscha' cannot be 'fermi'"),
    ],
)
def test_refusals(call: Call, options: tuple[object, ...], said: str) -> None:
    outcome = call("phonons-at-temperature", NACL, *options)
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.out == ""
