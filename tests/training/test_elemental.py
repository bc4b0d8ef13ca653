from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.calculators.emt import EMT

from mlphonon.training.dataset import read_frames
from mlphonon.training.elemental import KINDS, elemental_frames


@pytest.fixture(scope="module")
def frames() -> list:
    # EMT is made for the close-packed structures; the open ones it gives no minimum may be absent.
    return list(elemental_frames([29, 47], EMT()))


def test_frames_surround_the_teachers_rest_volume(frames: list) -> None:
    per_atom = [
        atoms.get_volume() / len(atoms)
        for atoms in frames
        if atoms.info["material_id"] == "fcc-Cu" and atoms.info["config"] == "small"
    ]
    assert per_atom == [pytest.approx(3.59**3 / 4, rel=0.02)]  # EMT's lattice constant
    wide = [
        atoms.get_volume() / len(atoms) / per_atom[0]
        for atoms in frames
        if atoms.info["material_id"] == "fcc-Cu" and atoms.info["config"] == "strained"
    ]
    assert len(set(wide)) == KINDS["strained"][2]
    assert all(0.75 < ratio < 1.35 for ratio in wide)


def test_labels_are_the_teachers(frames: list, tmp_path: Path) -> None:
    path = tmp_path / "elements.extxyz"
    ase.io.write(path, frames, format="extxyz")
    back = read_frames(path).frames
    assert {"fcc-Cu", "fcc-Ag"} <= {atoms.info["material_id"] for atoms in back}
    for atoms in back[::5]:
        assert 4 <= len(atoms) <= 8
        atoms.calc = EMT()
        assert atoms.get_potential_energy() == pytest.approx(atoms.info["REF_energy"], abs=1e-5)
        np.testing.assert_allclose(atoms.get_forces(), atoms.arrays["REF_forces"], atol=1e-5)
        np.testing.assert_allclose(
            atoms.get_stress(voigt=False), atoms.info["REF_stress"], atol=1e-6
        )


def test_the_same_seed_gives_the_same_frames(frames: list) -> None:
    again = list(elemental_frames([47], EMT()))
    silver = [atoms for atoms in frames if atoms.symbols[0] == "Ag"]
    np.testing.assert_array_equal(again[-1].positions, silver[-1].positions)
    other = list(elemental_frames([47], EMT(), seed=2))
    assert np.abs(other[-1].positions - silver[-1].positions).max() > 1e-3
