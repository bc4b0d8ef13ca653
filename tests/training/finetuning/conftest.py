"""Data to fine-tune with: metals whose labels are EMT's, and springs with known force constants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.data import atomic_numbers

from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.mace.architecture import save_weights
from mlphonon.training.data.frame import Curvature, Origin, TrainingData, join
from mlphonon.training.data.generation import distort
from mlphonon.training.data.labelling import label, labelled_data
from mlphonon.training.data.reading import read_frame
from mlphonon.training.data.settings import Distortions
from mlphonon.training.data.store import write_data
from mlphonon.training.finetuning.inputs import FinetuneInputs
from mlphonon.training.finetuning.replay import sample_structures
from mlphonon.training.finetuning.settings import FinetuneSettings
from mlphonon.training.finetuning.start import load_start
from tests.helpers.tiny_mace import TINY

CONSTANTS = {"Cu": 3.61, "Al": 3.99, "Ni": 3.49, "Pd": 3.88, "Ag": 4.06}
"""EMT's lattice constants, A."""


WEAKER = 0.6
"""All labels are EMT's times this, so that there is something to learn that carries over."""


def labelled_metal(symbol: str, number: int = 2, directions: int = 1) -> TrainingData:
    """A metal, displaced and labelled."""
    wanted = Distortions(kinds=("rattle",), per_crystal=number, max_atoms=4, amplitude=0.05)
    made = list(distort(bulk(symbol, a=CONSTANTS[symbol]), symbol, wanted))
    labelled = label(made, AsePotential(EMT(), name="EMT"), directions)
    for atoms in labelled:
        for values, names in (
            (atoms.info, ("REF_energy", "REF_stress")),
            (atoms.arrays, ("REF_forces", "REF_responses")),
        ):
            for name in names:
                if name not in values:
                    continue
                values[name] = WEAKER * np.asarray(values[name])
    origin = Origin("EMT", "EMT", "ase")
    return TrainingData(tuple(read_frame(atoms, origin) for atoms in labelled))


@pytest.fixture(scope="session")
def metals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four metals to learn from, one held out."""
    data = join([labelled_metal(symbol) for symbol in CONSTANTS])
    data = TrainingData(data.frames, data.curvatures, frozenset({"Cu"}))
    path = tmp_path_factory.mktemp("metals") / "metals.h5"
    write_data(data, path)
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MACE of these metals with random weights: what is tested is how it is trained."""
    import torch

    torch.manual_seed(5)
    numbers = tuple(sorted(atomic_numbers[symbol] for symbol in CONSTANTS))
    changes = {"atomic_numbers": numbers, "atomic_energies": (-3.0,) * len(numbers), "scale": 3.0}
    shape = TINY.model_copy(update=changes)
    folder = tmp_path_factory.mktemp("tiny")
    save_weights(shape.build("float64"), shape, folder)
    return folder


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few crystals to replay, self-labelled."""
    start = load_start("embedded")
    elements = frozenset(atomic_numbers[symbol] for symbol in CONSTANTS)
    structures = sample_structures(elements, 12)
    path = tmp_path_factory.mktemp("old") / "old.h5"
    write_data(labelled_data(structures, start.potential()), path)
    return path


@pytest.fixture
def inputs(metals: Path, tiny: Path, old: Path) -> FinetuneInputs:
    return FinetuneInputs(metals, str(tiny), replay=old)


@pytest.fixture
def quick() -> FinetuneSettings:
    return FinetuneSettings(epochs=0.2, replay_steps=1, warmup_steps=2, edges_per_batch=500)


@pytest.fixture(scope="session")
def copper() -> Curvature:
    """Force constants of EMT's copper in 2x2x2 cubic cells, by phonopy."""
    from phonopy import Phonopy

    from mlphonon.force_constants.cells import to_ase, to_phonopy

    cell = bulk("Cu", a=CONSTANTS["Cu"], cubic=True)
    phonopy = Phonopy(to_phonopy(cell), 2 * np.eye(3, dtype=int), "auto", log_level=0)
    phonopy.generate_displacements(distance=0.001)
    found = []
    for displaced in phonopy.supercells_with_displacements:
        atoms = to_ase(displaced)
        atoms.calc = EMT()
        found.append(atoms.get_forces())
    phonopy.forces = found
    phonopy.produce_force_constants(calculate_full_force_constants=False)
    return Curvature(
        cell,
        np.asarray(phonopy.supercell_matrix),
        np.asarray(phonopy.primitive_matrix),
        np.asarray(phonopy.force_constants),
        "Cu",
        Origin("phonopy", "EMT", "ase"),
    )
