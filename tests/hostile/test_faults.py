"""What goes wrong inside ends in one line, a report, and exit code 70; nothing echoes its input."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

import mlphonon.cli.potentials
from mlphonon.errors import LONGEST_PART, MlphononError, format_error, shortened
from tests.cli.conftest import Call


def fail(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def raise_it() -> None:
        raise error

    monkeypatch.setattr(mlphonon.cli.potentials, "read_catalogue", raise_it)


def test_fault_is_reported(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "reports"))
    secret = "postgresql://me:secret@host/store"
    fail(monkeypatch, ZeroDivisionError(f"\x1b[2J {secret} {'x' * 5000}"))
    done = call("potentials", "list")
    assert done.code == 70
    (line,) = done.err.splitlines()
    assert line.startswith(r"mlphonon: a fault in mlphonon; ZeroDivisionError: \x1b[2J")
    assert len(line) < 1000
    (report,) = (tmp_path / "reports").iterdir()
    assert str(report) in line
    text = report.read_text()
    assert "Traceback (most recent call last)" in text
    assert "potentials list" in text
    assert "secret" not in text
    assert "postgresql://me:***@host/store" in text
    assert report.stat().st_mode & 0o077 == 0


def test_fault_on_a_full_disk(call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    fail(monkeypatch, KeyError("x"))
    done = call("potentials", "list")
    assert done.code == 70
    assert done.err.count("\n") == 1
    assert "no report could be written" in done.err


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (MlphononError("bad \x1b]0;title\x07 name"), r"bad \x1b]0;title\x07 name"),
        (OSError(28, "No space left on device", "a\udcffb"), r"No space left on device: a\udcffb"),
        (MemoryError(), "there is not enough memory"),
    ],
)
def test_what_the_user_can_mend(
    call: Call, monkeypatch: pytest.MonkeyPatch, error: BaseException, shown: str
) -> None:
    fail(monkeypatch, error)
    line = call("potentials", "list").refusal()
    assert line.removeprefix("mlphonon: ").startswith(shown)


def test_long_inputs_are_cut_whoever_complains(call: Call) -> None:
    line = call("phonons", "a" * 5000).refusal()
    assert len(line) < 2000


def test_long_inputs_are_cut() -> None:
    text = "begin" + "x" * 10_000 + "end"
    assert len(format_error(text, text, text)) <= 3 * LONGEST_PART + 4
    cut = shortened(text, 100)
    assert len(cut) == 100
    assert cut.startswith("beginxxx") and cut.endswith("xxxend") and " ... " in cut
    assert shortened("as it is") == "as it is"
    assert format_error(" what.\n", "why. ", "do it") == "what; why; do it"
