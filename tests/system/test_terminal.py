"""Text of strangers is shown, and commands neither the terminal nor rich."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console
from rich.table import Table

from mlphonon.system.terminal import plain, printable, streams_escaped

HARMLESS = "Γ–X 5 Å, 12 cm⁻¹\n\tNaCl [/x] é 日本 →"

COMMANDS = {
    "\x1b[2J": r"\x1b[2J",
    "\x9b31m": r"\x9b31m",
    "\x07\x08\r": r"\x07\x08\r",
    "\x00": r"\x00",
    "a\u202eb": r"a\u202eb",
    "\u2066x\u2069": r"\u2066x\u2069",
    "\u2028": r"\u2028",
    "\udcff.cif": r"\udcff.cif",
}


@pytest.mark.parametrize(("text", "shown"), COMMANDS.items())
def test_commands_are_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(HARMLESS) == HARMLESS


@pytest.mark.parametrize("text", [*COMMANDS, "[/x]", "[bold]x", "[link=http://x]y[/link]", "\\["])
def test_nothing_is_markup(text: str) -> None:
    raw = io.StringIO()
    table = Table(box=None)
    table.add_column(plain(text))
    table.add_row(plain(text))
    Console(file=raw, force_terminal=True, width=200).print(table)
    assert printable(text).strip() in raw.getvalue()
    assert not set(text) & set("\x07\x9b\udcff\u202e\u2066\u2028") & set(raw.getvalue())


def test_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.StringIO()
    monkeypatch.setattr(sys, "stdout", raw)
    monkeypatch.setattr(sys, "stderr", None)
    with streams_escaped():
        print("a\x1b[2Jb", HARMLESS)
        sys.stdout.writelines(["\x07"])
        assert sys.stderr is None
        Console(force_terminal=True, color_system="standard").print("[red]drawn")
    assert sys.stdout is raw
    before, _, drawn = raw.getvalue().partition("\\x07")
    assert before == f"a\\x1b[2Jb {HARMLESS}\n"
    assert drawn.startswith("\x1b[31mdrawn")
