"""YAML whose head calls a function: no road that data comes in by lets it."""

from __future__ import annotations

import lzma
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import mlphonon
from mlphonon import Phonons
from mlphonon.errors import ResultError
from mlphonon.evaluation.references.mdr import read_compound
from mlphonon.readers.folder import load_calculation, load_pairs
from tests.cli.conftest import EXAMPLES, Call

CODE = "evil: !!python/object/apply:os.mkdir [{}]\n"
REFUSAL = r"os\.mkdir is not read"


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Return a folder that the code would make, if it ran."""
    return tmp_path / "evil_was_here"


def spoil(path: Path, mark: Path) -> None:
    content = path.read_text()
    path.write_text(CODE.format(mark) + content)


def test_the_code_would_run(mark: Path) -> None:
    """By the loader that phonopy and phono3py use: else the tests below show nothing."""
    yaml.load(CODE.format(mark), Loader=yaml.CLoader)
    assert mark.exists()


def test_result(result: Path, tmp_path: Path, mark: Path) -> None:
    folder = shutil.copytree(result, tmp_path / "salt")
    spoil(folder / "phonopy_params.yaml", mark)
    with pytest.raises(ResultError):
        Phonons.load(folder)
    assert not mark.exists()


@pytest.mark.parametrize("compressed", [False, True])
def test_calculation_of_phonopy(
    compressed: bool, calculation: Path, tmp_path: Path, mark: Path
) -> None:
    folder = shutil.copytree(calculation, tmp_path / "Cu")
    load_calculation(folder)
    settings = folder / "phonopy_disp.yaml"
    spoil(settings, mark)
    if compressed:
        (folder / "phonopy_disp.yaml.xz").write_bytes(lzma.compress(settings.read_bytes()))
        settings.unlink()
    for road in (load_calculation, lambda folder: read_compound(next(folder.glob("*.yaml*")))):
        with pytest.raises(ResultError, match=REFUSAL):
            road(folder)
    assert not mark.exists()


@pytest.mark.parametrize("road", [load_calculation, load_pairs])
def test_calculation_of_phono3py(
    road: Callable[[Path], object], calculation: Path, tmp_path: Path, mark: Path
) -> None:
    folder = shutil.copytree(calculation, tmp_path / "Cu")
    (folder / "phonopy_disp.yaml").rename(folder / "phono3py_disp.yaml")
    spoil(folder / "phono3py_disp.yaml", mark)
    with pytest.raises(ResultError, match=REFUSAL):
        road(folder)
    assert not mark.exists()


def test_commands(call: Call, calculation: Path, tmp_path: Path, mark: Path) -> None:
    folder = shutil.copytree(calculation, tmp_path / "calculations" / "Cu")
    spoil(folder / "phonopy_disp.yaml", mark)
    (tmp_path / "settings.yaml").write_text(CODE.format(mark))
    salt = EXAMPLES / "NaCl.cif"
    for arguments in (
        ("dataset", "build", folder, "-o", "data.h5"),
        ("benchmark", "run", "folder", "--data", folder.parent, "-o", "out", "--quiet"),
        ("phonons", salt, "--settings", "settings.yaml", "-o", "out"),
        ("screen", "run", salt, "--settings", "settings.yaml"),
        ("screen", "run", salt, "--config", "settings.yaml"),
    ):
        done = call(*arguments)
        assert done.code != 0
        assert "os.mkdir is not read" in done.err + done.out, done
        assert "Traceback" not in done.err
        assert not mark.exists()


ROADS = re.compile(
    r"\b(phonopy|phono3py)\.load\(|\bPhono(py|3py)Yaml\b"
    r"|interface\.\w+_yaml import .*\b(read_\w+|load_yaml)\b"
    r"|read_cell_yaml|read_crystal_structure|parse_disp_\w*yaml|read_thermal_properties_yaml"
    r"|\byaml\.(load|load_all|full_load\w*|unsafe_load\w*|safe_load\w*|Loader|CLoader)\b"
    r"|from yaml import|from (phonopy|phono3py) import load\b"
)
"""What parses YAML of phonopy or by PyYAML, in the ways that these libraries offer."""


def test_there_is_no_other_road() -> None:
    package = Path(mlphonon.__file__).parent
    door = package / "io" / "plain_yaml.py"
    found = [
        f"{path.relative_to(package)}: {line.strip()}"
        for path in sorted(package.rglob("*.py"))
        if path != door
        for line in path.read_text(encoding="utf-8").splitlines()
        if ROADS.search(line)
    ]
    assert found == []
    assert "CSafeLoader" in door.read_text()
    for line in (
        "phonopy.load(x)",
        "yaml.load(x, Loader=y)",
        "PhonopyYaml()",
        "from yaml import x",
    ):
        assert ROADS.search(line)
