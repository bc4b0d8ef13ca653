"""What is printed where: results on stdout, progress and errors on stderr, JSON alone."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlphonon import Explanation, Phonons
from mlphonon.cli.chatter import libraries_hushed
from mlphonon.cli.progress import TerminalReporter

from .conftest import EXAMPLES, Call

NACL, SILICON = EXAMPLES / "NaCl.cif", EXAMPLES / "Si.cif"
QUICK = ("--min-length", 6, "--mesh", 20, "--no-relax")


def test_results_are_described_and_written(call: Call, tmp_path: Path) -> None:
    outcome = call("phonons", NACL, *QUICK, "--displacement", 0.02, "--temperatures", "0:500:100")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("NaCl: NaCl, Fm-3m (225), not relaxed, ")
    assert "per mole of atoms" in outcome.out
    assert "\n  -> out/NaCl/\n" in outcome.out
    # A supercell of 6 A is a fault, and rock salt is polar.
    *doubts, verdict = outcome.out.rstrip().splitlines()[-3:]
    assert [line.split(":")[0] for line in doubts] == ["  ! truncation", "  ! LO-TO splitting"]
    assert verdict.startswith("  use with care: ")
    assert "by the potential (against DFT) not known for such a result" in verdict
    # Not a terminal: no bars, no colours; one line on what is about to be done.
    (line,) = outcome.err.splitlines()
    assert line.startswith("NaCl: Fm-3m (225), supercell of ")
    assert "\x1b" not in outcome.out + outcome.err

    loaded = Phonons.load(tmp_path / "out" / "NaCl")
    assert loaded.record.displacement_A == 0.02
    assert loaded.thermal().temperatures.tolist() == [0, 100, 200, 300, 400, 500]
    assert {Path(name).name for name in outcome.new} >= {
        "phonons.json",
        "phonopy_params.yaml",
        "bands_dos.png",
        "thermal.png",
        "band.yaml",
    }


def test_json_is_alone_and_options_override_the_file(call: Call, tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("min_length: 20\nmesh: 20\nrelax: false\n")
    outcome = call(
        "phonons", NACL, SILICON, "--settings", "settings.yaml", "--min-length", 6, "--json"
    )
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    summaries = [json.loads(line) for line in outcome.out.splitlines()]
    assert [summary["record"]["name"] for summary in summaries] == ["NaCl", "Si"]
    for summary in summaries:
        assert summary["record"]["settings"]["min_length"] == 6
        assert summary["record"]["settings"]["mesh"] == 20
        assert summary["record"]["relaxed"] is False
        written = tmp_path / "out" / summary["record"]["name"] / "phonons.json"
        assert summary.items() <= json.loads(written.read_text()).items()


def test_a_bad_crystal_does_not_stop_the_others(call: Call, crystals: Path) -> None:
    files = (crystals / "garbage.cif", crystals / "helium.cif", SILICON)
    outcome = call("phonons", *files, *QUICK, "--quiet")
    assert outcome.code == 2
    assert outcome.out == ""
    garbage, helium = outcome.err.splitlines()
    assert "cannot read a crystal from" in garbage
    assert helium.startswith("mlphonon: helium: potential 'embedded' does not know He")
    assert "out/Si/phonons.json" in outcome.new
    assert {name.split("/")[1] for name in outcome.new if "/" in name} == {"Si"}


@dataclass
class Stub:
    """Stands for a result where only the call matters."""

    def save(self, folder: Path) -> Path:
        folder.mkdir(parents=True)
        return folder


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that sets what is done instead of a computation."""
    monkeypatch.setattr("mlphonon.potentials.loading.load_potential", lambda *_, **__: None)

    def replace(action: Any) -> None:
        monkeypatch.setattr("mlphonon.workflow.compute_phonons", action)

    return replace


def test_crystals_of_one_name_get_folders_of_their_own(
    call: Call, tmp_path: Path, instead: Any
) -> None:
    instead(lambda *_, **__: Stub())
    for name in ("a/Si.cif", "b/Si.cif", "Si_2.cif", "si.cif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(SILICON.read_text())
    outcome = call("phonons", "a/Si.cif", "b/Si.cif", "Si_2.cif", "si.cif", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert outcome.new == {"out", "out/Si", "out/Si_2", "out/Si_2_2", "out/si_3"}


def test_prints_of_libraries_stay_out_of_the_results(call: Call, instead: Any) -> None:
    def noisy(*_: Any, **__: Any) -> Any:
        print("hello from a library")
        return SimpleNamespace(save=lambda folder: folder, summary=lambda: {"a": 1})

    instead(noisy)
    assert call("phonons", SILICON, "--json").out == '{"a": 1}\n'


def test_interrupt_ends_without_a_traceback(call: Call, instead: Any) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    instead(interrupted)
    outcome = call("phonons", SILICON)
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "")


def test_only_our_warnings_and_logs_pass(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "warnoptions", [])
    handler = logging.StreamHandler(stream := io.StringIO())
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as seen, libraries_hushed():
            for module in ("mlphonon.trust", "e3nn.o3", "ast", "mlphononic"):
                warnings.warn_explicit(f"from {module}", UserWarning, "file", 1, module=module)
                logging.getLogger(module).warning("from %s", module)
            logging.getLogger("mace").error("worse")
    finally:
        logging.getLogger().removeHandler(handler)
    assert [str(warning.message) for warning in seen] == ["from mlphonon.trust"]
    assert stream.getvalue().splitlines() == ["from mlphonon.trust", "worse"]


def test_asking_python_for_warnings_brings_them_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "warnoptions", ["default"])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with libraries_hushed():
            warnings.warn_explicit("hint", UserWarning, "file", 1, module="torch")
    assert len(seen) == 1


class Terminal(io.StringIO):
    """Takes what is written and says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("total", [None, 4])
def test_bars_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch, total: int | None) -> None:
    shown = {}
    for name, stream, quiet in (
        ("terminal", Terminal(), False),
        ("file", io.StringIO(), False),
        ("quiet", Terminal(), True),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        reporter = TerminalReporter(quiet=quiet)
        reporter.say("a note")
        with reporter.step("forces of Si", total) as advance:
            advance(3)
        shown[name] = stream.getvalue()
    assert "forces of Si" in shown["terminal"]
    assert ("3/4" if total else "step 3") in shown["terminal"]
    assert shown["file"] == "a note\n"
    assert shown["quiet"] == ""


def test_train_refuses_in_one_line(call: Call, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("epoch: 3\n")
    (tmp_path / "right.yaml").write_text("epochs: 1\nprocesses: 1\n")
    line = call("train", "wrong.yaml", "--data", "x.xyz", "-o", "run").refusal()
    assert "settings in wrong.yaml: unknown setting 'epoch'" in line
    assert "nowhere.yaml" in call("train", "nowhere.yaml", "--data", "x", "-o", "r").refusal()
    line = call("train", "right.yaml", "--data", "nowhere.xyz", "-o", "run").refusal()
    assert "nowhere.xyz" in line


@pytest.mark.parametrize(
    ("options", "method", "said"),
    [
        (("--method", "autodiff", "--dtype", "float32"), "autodiff", "rows of second derivatives"),
        (("--protocol", "small"), "displacements", "displacements of 1e-05 A"),
        (("--method", "regression"), "regression", "random displacements for"),
        (("--method", "auto"), "displacements", "displacements of 1e-05 A"),
    ],
)
def test_ways_to_the_force_constants(
    call: Call, options: tuple[str, ...], method: str, said: str
) -> None:
    outcome = call("phonons", EXAMPLES / "NaCl.cif", "--min-length", "9", "--mesh", "20", *options)
    assert outcome.code == 0, outcome.err
    assert said in outcome.err
    (line,) = [line for line in outcome.out.splitlines() if "force constants:" in line]
    assert said.removesuffix("s for") in line, line
    assert re.search(r"! truncation: .* 0\.\d+ THz \(limit 0\.08", outcome.out)
    loaded = Phonons.load("out/NaCl")
    assert loaded.record.method == method
    assert (loaded.record.displacement_A is None) == (method == "autodiff")
    assert loaded.record.method_reason
    assert loaded.record.method_dtype == ("float32" if "float32" in options else "float64")
    assert loaded.record.truncation_THz is not None
    assert 0.1 < loaded.record.truncation_THz < 2
    assert loaded.frequencies([0.1, 0.2, 0.3]).max() > 4


def test_a_grown_supercell_is_told_step_by_step(call: Call) -> None:
    outcome = call(
        *("phonons", EXAMPLES / "NaCl.cif", "--mesh", "20", "--no-relax"),
        *("--supercell", "converged", "--tolerance", "0.5"),
    )
    assert outcome.code == 0, outcome.err
    series = Phonons.load("out/NaCl").record.supercell_series
    assert len(series) >= 2
    (line,) = [line for line in outcome.out.splitlines() if "supercell grown:" in line]
    assert all(f"{step.n_atoms} atoms" in line for step in series)
    assert len(outcome.err.splitlines()) == len(series), "each is announced"


def test_strict_says_by_its_exit_code_that_a_result_is_not_to_be_used(call: Call) -> None:
    tiny = ("phonons", NACL, "--no-relax", "--min-length", 5, "--mesh", 20)
    assert call(*tiny).code == 0
    outcome = call(*tiny, "--strict", "-o", "other")
    assert outcome.code == 1
    assert outcome.out.splitlines()[-1].startswith("  do not use: truncation")
    summary = json.loads(Path("other/NaCl/phonons.json").read_text())
    assert summary["trust"]["verdict"] == "do not use"
    assert call("phonons", NACL, *QUICK, "--strict", "-o", "third").code == 0


def test_the_whole_trust_is_in_the_summary(call: Call) -> None:
    outcome = call("phonons", NACL, *QUICK, "--metal", "--json")
    (summary,) = map(json.loads, outcome.out.splitlines())
    trust = summary["trust"]
    names = [check["name"] for check in trust["checks"]]
    assert {"truncation", "mesh", "precision", "linearity", "sum rule"} <= set(names)
    for check in trust["checks"]:
        assert {"measured", "limit", "severe", "effect_THz", "advice", "verdict"} <= check.keys()
    assert "LO-TO splitting" in [one["name"] for one in trust["unmeasured"]]
    # The file of force constants has fewer digits.
    loaded = Phonons.load("out/NaCl").trust.summary()
    assert loaded["numerical_error_THz"] == pytest.approx(trust["numerical_error_THz"], rel=1e-6)
    assert [one["verdict"] for one in loaded["checks"]] == [x["verdict"] for x in trust["checks"]]


def test_a_stable_crystal_has_nothing_to_explain(call: Call) -> None:
    outcome = call("phonons", NACL, *QUICK, "--explain")
    assert outcome.code == 0, outcome.err
    assert "no imaginary mode: nothing to explain\n  -> out/NaCl-imaginary-modes/" in outcome.out
    assert Explanation.load("out/NaCl-imaginary-modes").modes == ()
    assert not Path("out/NaCl-imaginary-modes/family.png").exists()
