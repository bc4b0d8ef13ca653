"""The five commands in a row, as the README has them, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import EXAMPLES, Call


@pytest.mark.slow
def test_from_crystals_to_a_better_potential(call: Call, tmp_path: Path) -> None:
    """Taught by itself, so nothing is to be learnt; every step is taken none the less."""
    crystals = [EXAMPLES / "NaCl.cif", EXAMPLES / "Si.cif"]
    kinds = ("--kind", "rattle,strain,modes", "--per-crystal", "3", "--max-atoms", "8")
    made = call("dataset", "generate", *crystals, *kinds, "-o", "to-label")
    assert made.out == "6 structures -> to-label\n", made.err
    labelled = call(
        "dataset", "label", "to-label", "--with", "embedded", "--directions", "1", "-o", "labelled"
    )
    assert labelled.out.startswith("6 files labelled by embedded, 0 were")
    order = ("dataset", "label", "to-label", "--with", "embedded", "-o", "labelled")
    again = call(*order, "--directions", "1")
    assert again.out.startswith("0 files labelled by embedded, 6 were")
    assert "holds other labels" in call(*order).refusal()
    files = sorted((tmp_path / "labelled").glob("*.extxyz"))
    built = call("dataset", "build", *files, "-o", "data.h5", "--fraction", "0.4")
    assert "6 frames of 48 atoms (modes 2, rattle 2, strain 2)" in built.out
    told = call("dataset", "info", "data.h5")
    assert "6 frames with second derivatives along 6 directions" in told.out
    tuned = call("finetune", "data.h5", "--epochs", "1", "-o", "tuned")
    assert tuned.code == 0, tuned.err
    assert "error of frequencies along random directions" in tuned.out
    card = json.loads((tmp_path / "tuned" / "card.json").read_text())
    assert card["before"]["curvature_THz"] < 0.01
    assert card["sha256"] in tuned.out
    judged = call("phonons", EXAMPLES / "Si.cif", "--potential", "tuned", "-o", "out", "--quiet")
    assert judged.code == 0, judged.err


def test_what_is_wrong_is_said_in_a_line(call: Call, tmp_path: Path) -> None:
    crystal = EXAMPLES / "Si.cif"
    settings = tmp_path / "ft.yaml"
    settings.write_text("rate: 3")
    for arguments, said in (
        (("dataset", "generate", crystal, "--kind", "shake", "-o", "x"), "no kind of distortion"),
        (
            ("dataset", "generate", crystal, "--strain", "3", "-o", "x"),
            "'strain' of distortions cannot be 3.0",
        ),
        (("dataset", "label", "none", "--with", "embedded", "-o", "x"), "there is no file none"),
        (("dataset", "label", crystal, "--with", "ase:vasp", "-o", "x"), "write ase:NAME:FILE"),
        (("finetune", "none.h5", "-o", "x"), "there is no file none.h5"),
        (("finetune", "none.h5", "--config", settings, "-o", "x"), "'rate'"),
        (("finetune", "none.h5", "--lora", "2", "--freeze", "1", "-o", "x"), "lora leaves all"),
    ):
        line = call(*arguments).refusal()
        assert said in line, line
