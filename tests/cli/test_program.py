"""The program itself, in a process of its own: exit codes, pipes, full disks, clean streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlphonon import __version__

from .conftest import EXAMPLES

PROGRAM = (sys.executable, "-c", "import sys; from mlphonon.cli.app import main; sys.exit(main())")


def start(*arguments: object, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[2])
    environment = {
        **{key: value for key, value in os.environ.items() if key != "PYTHONWARNINGS"},
        "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])),
    }
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env=environment,
        text=True,
        timeout=300,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
    )


def test_streams_are_clean_from_the_first_import_on(tmp_path: Path) -> None:
    # In a fresh process: libraries warn and print when they are first imported.
    options = ("--min-length", 6, "--mesh", 20, "--no-relax")
    done = start("phonons", EXAMPLES / "Si.cif", *options, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert json.loads(done.stdout)["record"]["name"] == "Si"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["Si"]


def test_version_and_help(tmp_path: Path) -> None:
    assert start("--version", cwd=tmp_path).stdout == f"mlphonon {__version__}\n"
    for arguments in (("--help",), ("phonons", "--help"), ("potentials", "--help")):
        done = start(*arguments, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Usage" in done.stdout


def test_no_word_of_a_help_text_is_taken_for_markup() -> None:
    """The terminal's library drops words in brackets, such as [auto], unless they are escaped."""
    import typer
    from rich.text import Text

    from mlphonon.cli.app import app

    def check(command: Any) -> int:
        shown = [getattr(one, "help", "") or "" for one in [command, *command.params]]
        for text in shown:
            assert Text.from_markup(text).plain == text.replace("\\[", "["), text
        within = getattr(command, "commands", {})
        return len(shown) + sum(check(one) for one in within.values())

    assert check(typer.main.get_command(app)) > 100


def test_refusal(tmp_path: Path) -> None:
    done = start("phonons", "nowhere.cif", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("mlphonon: there is no file nowhere.cif")
    assert not list(tmp_path.iterdir())


def test_reader_that_goes_away(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = start("potentials", "list", cwd=tmp_path, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_stdout_on_a_full_disk(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = start("potentials", "list", cwd=tmp_path, stdout=full)
    assert done.returncode == 2
    assert done.stderr == "mlphonon: No space left on device\n"


def test_closed_stdout(tmp_path: Path) -> None:
    command = " ".join(f"'{part}'" for part in (*PROGRAM, "--version"))
    done = subprocess.run(f"{command} >&-", shell=True, cwd=tmp_path, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
