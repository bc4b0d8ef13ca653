"""2,500 damaged files: an error in one line, or numbers; never a fault, a wait, or a flood.

Each kind of file is read in a process of its own, which says what it is about to read.
"""

from __future__ import annotations

import gzip
import json
import lzma
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import write
from phono3py import Phono3py
from phono3py.file_IO import write_FORCES_FC3
from phonopy.file_IO import write_FORCE_CONSTANTS
from pymatgen.io.ase import AseAtomsAdaptor

from mlphonon.force_constants.cells import to_ase, to_phonopy
from mlphonon.readers.folder import load_calculation
from mlphonon.training.data.reading import read_sources
from mlphonon.training.data.store import write_data
from tests.helpers.crystals import wurtzite
from tests.helpers.readers import READERS

CASES = 140
"""Of each of the readers."""

BORN = "14.4\n5.97 0 0 0 5.97 0 0 0 4.5\n2.1 0 0 0 2.1 0 0 0 2.1\n-2.1 0 0 0 -2.1 0 0 0 -2.1\n"


def forces_of(cells: list[Any]) -> list[np.ndarray]:
    forces = []
    for cell in cells:
        atoms = to_ase(cell)
        atoms.calc = EMT()
        forces.append(atoms.get_forces())
    return forces


def make_phono3py(folder: Path) -> None:
    phono3py = Phono3py(to_phonopy(bulk("Cu")), 2 * np.eye(3), log_level=0)
    phono3py.generate_displacements()
    phono3py.save(folder / "phono3py_disp.yaml", settings={"force_sets": False})
    forces = forces_of(phono3py.supercells_with_displacements)
    write_FORCES_FC3(phono3py.dataset, forces, filename=folder / "FORCES_FC3")


def make_data(folder: Path, calculation: Path) -> None:
    (data,) = read_sources([calculation])
    write_data(data, folder / "data.h5")
    moved = bulk("Cu", cubic=True)
    moved.rattle(0.02, seed=1)
    moved.calc = EMT()
    moved.get_stress()
    write(folder / "labelled.extxyz", [moved, moved])


def make_entries(folder: Path) -> None:
    structure = AseAtomsAdaptor.get_structure(wurtzite()).as_dict()
    entries = [{"material_id": f"mp-{n}", "structure": structure, "e_hull": 0.1} for n in range(3)]
    (folder / "entries.json").write_text(json.dumps(entries))


def make_crystals(folder: Path) -> None:
    for end in ("vasp", "cif", "extxyz"):
        write(folder / f"crystal.{end}", wurtzite())
    write(folder / "crystal.extxyz", [wurtzite()] * 3)


@pytest.fixture(scope="module")
def folders(
    result: Path, calculation: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Return a folder with undamaged files for each group of readers."""
    place = tmp_path_factory.mktemp("undamaged")
    names = {name.partition(":")[2] for name in READERS}
    made = {name: place / name for name in names}
    shutil.copytree(result, made["result"])
    for name in ("phonopy", "constants", "hdf5"):
        shutil.copytree(calculation, made[name])
    for name in names - {"result", "phonopy", "constants", "hdf5"}:
        made[name].mkdir()
    phonopy = load_calculation(calculation)
    write_FORCE_CONSTANTS(phonopy.force_constants, made["constants"] / "FORCE_CONSTANTS")
    with h5py.File(made["hdf5"] / "force_constants.hdf5", "w") as file:
        file["force_constants"] = phonopy.force_constants
        file["p2s_map"] = phonopy.primitive.p2s_map
    phonopy.save(made["packed"] / "packed.yaml", settings={"force_constants": True})
    content = (made["packed"] / "packed.yaml").read_bytes()
    (made["packed"] / "packed.yaml.xz").write_bytes(lzma.compress(content))
    (made["packed"] / "packed.yaml.gz").write_bytes(gzip.compress(content))
    make_phono3py(made["phono3py"])
    (made["settings"] / "settings.yaml").write_text(
        "min_length: 12.5\nsupercell: [2, 2, 2]\nrelax: false\nmethod: displacements\n"
    )
    make_data(made["data"], calculation)
    make_entries(made["entries"])
    make_crystals(made["crystals"])
    make_crystals(made["born"])
    (made["born"] / "BORN").write_text(BORN)
    return made


def run(folder: Path, name: str, first: int, last: int) -> tuple[list[dict[str, Any]], int]:
    """Return what the process wrote, and how it ended."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.damage", folder, name, str(first), str(last)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=3600,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"case"')]
    assert lines, done.stderr[-2000:]
    return [json.loads(line) for line in lines], done.returncode


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_damaged_files(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    problems, first = [], 0
    while first < CASES and len(problems) < 20:
        folder = shutil.copytree(folders[name.partition(":")[2]], tmp_path / str(first))
        said, code = run(folder, name, first, CASES)
        problems += [one for one in said if "problem" in one]
        first = said[-1]["case"] + 1
        if code:
            problems.append({"case": first - 1, "problem": f"the process ended with {code}"})
    assert problems == []
