"""Labelled frames of metals, small enough to train on in seconds; the labels are EMT's."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT


def labelled_frames(metals: tuple[str, ...] = ("Cu", "Al", "Ni", "Pd", "Ag", "Au", "Pt")) -> list:
    """Two displaced frames of each metal and one of a binary."""
    frames = []
    for seed, metal in enumerate((*metals, "Cu3Au")):
        for kind, amplitude in (("small", 0.02), ("medium", 0.08)):
            atoms = bulk("Cu" if metal == "Cu3Au" else metal, cubic=True)
            if metal == "Cu3Au":
                atoms.symbols[0] = "Au"
            atoms.rattle(amplitude, seed=seed)
            atoms.calc = EMT()
            atoms.info |= {
                "REF_energy": atoms.get_potential_energy(),
                "REF_stress": atoms.get_stress(voigt=False),
                "material_id": metal,
                "config": kind,
            }
            atoms.arrays["REF_forces"] = np.array(atoms.get_forces())
            atoms.calc = None
            frames.append(atoms)
    return frames


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frames") / "frames.extxyz"
    ase.io.write(path, labelled_frames(), format="extxyz")
    return path


SMALL_RECIPE = """
shape: {hidden_irreps: 8x0e, radial_mlp: [8], correlation: 2, r_max: 4.0, max_ell: 1,
        first_interaction: RealAgnosticInteractionBlock}
loss: {kinds: {small: 2.0}}
edges_per_batch: 400
processes: 1
epochs: 2
warmup_steps: 2
validation_fraction: 0.2
seed: 9
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(SMALL_RECIPE)
    return path
