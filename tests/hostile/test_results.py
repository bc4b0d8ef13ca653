"""A folder of a result is read only if its files are those that were written together."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from mlphonon import Phonons
from mlphonon.errors import ResultError
from mlphonon.io.digests import digests_of

PARAMETERS = "phonopy_params.yaml"
SUMMARY = "phonons.json"


@pytest.fixture
def folder(result: Path, tmp_path: Path) -> Path:
    return shutil.copytree(result, tmp_path / "salt")


def refusal(folder: Path) -> str:
    with pytest.raises(ResultError) as caught:
        Phonons.load(folder)
    line = str(caught.value)
    assert len(line) < 700 and "\n" not in line
    return line


def edit(folder: Path, pattern: str, new: str, forge: bool) -> None:
    """Change the file of phonopy; a forger writes its new digest into the summary."""
    path = folder / PARAMETERS
    text = path.read_text()
    assert re.search(pattern, text), pattern
    path.write_text(re.sub(pattern, new, text))
    if forge:
        summary = json.loads((folder / SUMMARY).read_text())
        summary["files_sha256"] = digests_of(folder, summary["files_sha256"])
        (folder / SUMMARY).write_text(json.dumps(summary))


def test_as_it_was_written(folder: Path) -> None:
    assert Phonons.load(folder).record.name == "NaCl"


CHANGES = {
    "wrong masses": (r"mass: 22\.\d+", "mass: 44.0"),
    "no lattice": (r"(lattice:\n(?:.*\n)??  - )\[[^]]*\]", r"\1[0, 0, 0]"),
    "no numbers": (r"(elements:\n.*\n    - )\[[^]]*\]", r"\1[.nan, 0, 0]"),
    "no masses": (r"mass: 22\.\d+", "mass: 0"),
    "another supercell": (r"(supercell_matrix:\n- )\[ *\S+,", r"\1[ 7,"),
    "an endless supercell": (r"(supercell_matrix:\n- )\[ *\S+,", r"\1[ 70000000,"),
    "less": (r"(?s)force_constants:.*", ""),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_file_in_the_place_of_one(folder: Path, change: str) -> None:
    edit(folder, *CHANGES[change], forge=False)
    assert "SHA-256" in refusal(folder)


@pytest.mark.parametrize("change", [name for name in CHANGES if name != "wrong masses"])
def test_forged_file(folder: Path, change: str) -> None:
    edit(folder, *CHANGES[change], forge=True)
    refusal(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 999),
        ("format", "1"),
        ("files_sha256", None),
        ("files_sha256", {"../../secret": "0" * 64}),
        ("record", {}),
    ],
)
def test_summary_that_is_none(folder: Path, field: str, value: object) -> None:
    summary = json.loads((folder / SUMMARY).read_text())
    (folder / SUMMARY).write_text(json.dumps(summary | {field: value}))
    refusal(folder)


@pytest.mark.parametrize("name", [SUMMARY, PARAMETERS])
def test_pipes_and_missing_files(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"no file {name}" in refusal(folder)
    os.mkfifo(folder / name)
    assert f"no file {name}" in refusal(folder)
    assert f"no file {SUMMARY}" in refusal(folder.parent / "nowhere")
