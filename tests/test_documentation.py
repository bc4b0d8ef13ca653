"""Every block of code in README and docs runs, or says why not and is right in its names.

Blocks of Python run in order, those of one page in one namespace; blocks for a shell each in a
folder with ``examples/`` in it. Calculations are made smaller than a reader's (`SMALLER`, which
what is written wins over): whether the words work is tested here, not what comes out.
"""

from __future__ import annotations

import ast
import glob
import importlib
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
import typer

import mlphonon
from mlphonon.cli.app import app, main
from tests.helpers.markdown import Block, read_blocks

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [block for page in PAGES for block in read_blocks(page)]
SHELL = [block for block in BLOCKS if block.language in ("sh", "bash", "console")]

NOT_RUN = {
    "installs",
    "needs a cluster",
    "needs a database server",
    "needs a DFT code",
    "needs a download",
    "needs a GPU",
    "needs files of yours",
    "needs reference data",
    "takes hours",
}
"""Reasons why a block need not run; all of them are checked for names and options that exist."""

SMALLER_COMMANDS = {
    "phonons": {"--min-length": "8"},
    "gruneisen": {"--min-length": "5"},
    "thermal-expansion": {"--min-length": "8", "--volumes": "6"},
    "thermal-conductivity": {"--min-length": "8", "--third-supercell": "1 1 1", "--mesh": "7"},
    "phonons-at-temperature": {"--min-length": "8", "--snapshots": "10", "--tolerance": "1"},
    "finetune": {"--epochs": "1"},
    "screen run": {"--settings": "smaller.yaml", "--limit": "2"},
}

SMALLER_CALLS = {
    "compute_phonons": {"min_length": 8},
    "compute_thermal_expansion": {"volumes": 6},
    "compute_thermal_conductivity": {"third_order": {"min_length": 5}, "mesh": 7},
    "compute_phonons_at_temperature": {"sscha": {"snapshots": 10, "tolerance": 1.0}},
}


def name(block: Block) -> str:
    return f"{block.path.relative_to(ROOT)}:{block.line}"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder but for the examples."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smaller.yaml").write_text("min_length: 8\nmesh: 20\n")
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("MLPHONON_OFFLINE", "1")
    return tmp_path


def test_blocks_that_do_not_run_say_why() -> None:
    marks = {name(block): block.reason for block in BLOCKS if block.mark == "not run"}
    assert marks == {place: reason for place, reason in marks.items() if reason in NOT_RUN}


def test_what_is_made_smaller_exists(workplace: Path) -> None:
    assert set(SMALLER_CALLS) <= set(mlphonon.__all__)
    for command, options in SMALLER_COMMANDS.items():
        understand([*command.split(), *(word for pair in options.items() for word in pair)])


def pages_of_python(slow: bool) -> Iterator[Any]:
    """Pages with blocks to run; a page with a slow one runs as a whole among the slow tests."""
    for page in PAGES:
        blocks = [b for b in BLOCKS if b.path == page and b.language == "python"]
        blocks = [b for b in blocks if b.mark != "not run" and (slow or b.mark != "slow")]
        if blocks and (not slow or any(b.mark == "slow" for b in blocks)):
            marks = [pytest.mark.slow] if slow else []
            kind = "-slow" if slow else ""
            yield pytest.param(blocks, id=f"{page.relative_to(ROOT)}{kind}", marks=marks)


@pytest.mark.parametrize("blocks", [*pages_of_python(False), *pages_of_python(True)])
def test_python_runs(blocks: list[Block], workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for call, settings in SMALLER_CALLS.items():
        monkeypatch.setitem(vars(mlphonon), call, partial(getattr(mlphonon, call), **settings))
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block.source(), str(block.path), "exec"), namespace)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "python"], ids=name)
def test_python_imports_what_there_is(block: Block) -> None:
    """Of blocks that do not run, too."""
    for node in ast.walk(ast.parse(block.source(), str(block.path))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mlphonon"):
            module = importlib.import_module(str(node.module))
            assert not [n.name for n in node.names if not hasattr(module, n.name)]


def understand(arguments: list[str]) -> None:
    """Parse a command as the program does, without running it; raises what it would say."""
    command: click.Command = typer.main.get_command(app)
    context = command.make_context("mlphonon", list(arguments), resilient_parsing=False)
    while isinstance(command, click.Group):
        rest = [*context.protected_args, *context.args]
        assert rest, "the command lacks its second word"
        found, step, rest = command.resolve_command(context, rest)
        assert step is not None, found
        command = step
        context = command.make_context(found, rest, parent=context)


def check_target(arguments: list[str]) -> None:
    """Check that each target of ``make`` is in the Makefile."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {word for word in arguments if "=" not in word} <= targets


def check_script(arguments: list[str]) -> None:
    """Check that a script of this repository is there."""
    assert arguments[0] == "-m" or (ROOT / arguments[0]).is_file()


def nothing(_arguments: list[str]) -> None:
    """Check nothing: another program's words."""


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "mlphonon": understand,
    "make": check_target,
    "python": check_script,
    "cd": nothing,
    "git": nothing,
    "pip": nothing,
}
"""What is looked at in a command that is not run, by its program; there may be no others."""


@pytest.mark.parametrize("block", SHELL, ids=name)
def test_commands_are_understood(block: Block, workplace: Path) -> None:
    for program, *arguments in block.commands():
        CHECKS[program](arguments)


def with_marks(block: Block) -> Any:
    return pytest.param(
        block, id=name(block), marks=[pytest.mark.slow] if block.mark == "slow" else []
    )


@pytest.mark.parametrize("block", [with_marks(b) for b in SHELL if b.mark != "not run"])
def test_commands_run(block: Block, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program, *arguments in block.commands():
        if program == "mlphonon":
            words = [word for given in made_smaller(arguments) for word in expanded(given)]
            monkeypatch.setattr(sys, "argv", ["mlphonon", *words])
            with pytest.raises(SystemExit) as ended:
                main()
            assert not ended.value.code, " ".join(arguments)


def expanded(word: str) -> list[str]:
    """Return the files that a word stands for, as a shell does."""
    return sorted(glob.glob(word)) or [word]


def made_smaller(arguments: list[str]) -> list[str]:
    """Add what makes a calculation smaller, but for what is chosen already."""
    two, one = " ".join(arguments[:2]), arguments[0]
    options = SMALLER_COMMANDS.get(two) or SMALLER_COMMANDS.get(one) or {}
    chosen = set(arguments)
    if chosen & {"--supercell", "--min-length"}:
        chosen |= {"--supercell", "--min-length"}
    return [*arguments, *(w for k, v in options.items() if k not in chosen for w in (k, v))]
