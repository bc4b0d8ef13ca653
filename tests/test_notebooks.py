"""The notebooks are stored as executed, run from top to bottom, and then show the same again."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LEAST_FIGURES = {"finetuning": 3, "quickstart": 4}
LONG = {"finetuning"}
"""Run by ``make notebooks`` and ``make test-slow``."""

RUN = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in LONG else [])
    for path in NOTEBOOKS
]


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def test_there_are_notebooks() -> None:
    assert LEAST_FIGURES.keys() == {path.stem for path in NOTEBOOKS}


def pictures(notebook: Any) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]


def printed(notebook: Any) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.text for output in outputs if output.get("name") == "stdout")


def check_pictures(notebook: Any, least: int) -> None:
    found = pictures(notebook)
    assert len(found) >= least
    assert min(len(picture) for picture in found) > 10_000


def words_and_numbers(text: str) -> tuple[list[str], list[float]]:
    """Split a text at its numbers, which other machines round differently."""
    number = r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?"
    words = " ".join(re.sub(number, "#", text).split()).split(" ")
    return words, [float(found) for found in re.findall(number, text)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_as_executed(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    check_pictures(notebook, LEAST_FIGURES[path.stem])


@pytest.mark.parametrize("path", RUN)
def test_runs_and_shows_the_same(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), before])))
    notebook = read(path)
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    check_pictures(notebook, LEAST_FIGURES[path.stem])
    if path.stem not in LONG:  # a training rounds its way to other numbers
        words, numbers = words_and_numbers(printed(notebook))
        stored_words, stored_numbers = words_and_numbers(printed(read(path)))
        assert words == stored_words
        assert numbers == pytest.approx(stored_numbers, rel=0.02, abs=0.02)
