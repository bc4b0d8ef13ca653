"""What phono3py displaces, singly and in pairs, is learnt from too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from phono3py import Phono3py
from phono3py.file_IO import write_FORCES_FC2, write_FORCES_FC3

from mlphonon.force_constants.cells import to_ase, to_phonopy
from mlphonon.training.data.frame import Frame, join
from mlphonon.training.data.reading import read_sources

FACE_CENTRED = [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]


def emt(cells: list) -> np.ndarray:
    found = []
    for cell in cells:
        atoms = to_ase(cell)
        atoms.calc = EMT()
        found.append(atoms.get_forces())
    return np.array(found)


def check(frames: tuple[Frame, ...]) -> None:
    """What is said of a structure is what EMT says."""
    for frame in frames:
        atoms = frame.atoms.copy()
        atoms.calc = EMT()
        np.testing.assert_allclose(frame.forces, atoms.get_forces(), atol=1e-8)


@pytest.mark.parametrize("form", ["params", "FORCES_FC3"])
def test_orders_that_share_a_supercell_count_single_displacements_once(
    tmp_path: Path, form: str
) -> None:
    copper = Phono3py(
        to_phonopy(bulk("Cu", a=3.59, cubic=True)), np.diag([2, 2, 2]), FACE_CENTRED, log_level=0
    )
    copper.generate_displacements(distance=0.03, cutoff_pair_distance=3.0)
    used = [cell for cell in copper.supercells_with_displacements if cell is not None]
    copper.forces = [
        np.zeros((32, 3)) if cell is None else emt([cell])[0]
        for cell in copper.supercells_with_displacements
    ]
    if form == "params":
        copper.save(tmp_path / "phono3py_params.yaml")
    else:
        copper.save(tmp_path / "phono3py_disp.yaml", settings={"force_sets": False})
        write_FORCES_FC3(copper.dataset, filename=tmp_path / form)
    data = join(read_sources([tmp_path]))
    assert len(data.frames) == len(used)
    assert len(data.curvatures) == 1
    check(data.frames)


def test_orders_with_supercells_of_their_own_give_both(tmp_path: Path) -> None:
    copper = Phono3py(
        to_phonopy(bulk("Cu", a=3.59, cubic=True)),
        np.eye(3, dtype=int),
        primitive_matrix=FACE_CENTRED,
        phonon_supercell_matrix=np.diag([2, 2, 2]),
        log_level=0,
    )
    copper.generate_displacements(distance=0.03)
    copper.generate_fc2_displacements(distance=0.01)
    copper.save(tmp_path / "phono3py_disp.yaml", settings={"force_sets": False})
    copper.forces = emt(copper.supercells_with_displacements)
    copper.phonon_forces = emt(copper.phonon_supercells_with_displacements)
    write_FORCES_FC3(copper.dataset, forces_fc3=copper.forces, filename=tmp_path / "FORCES_FC3")
    write_FORCES_FC2(copper.phonon_dataset, filename=tmp_path / "FORCES_FC2")
    data = join(read_sources([tmp_path]))
    sizes = sorted({len(frame.atoms) for frame in data.frames})
    assert sizes == [4, 32]
    assert sum(len(frame.atoms) == 4 for frame in data.frames) == len(copper.forces)
    check(data.frames)
