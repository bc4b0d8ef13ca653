"""The training domain of a fine-tuned potential, old and new."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import bulk

from mlphonon import load_potential
from mlphonon.errors import PotentialError
from mlphonon.potentials.mace.architecture import save_weights
from mlphonon.potentials.potential import DescriptorPotential
from mlphonon.potentials.training_space import FILE
from mlphonon.training.data.frame import Curvature, Frame, Origin, TrainingData
from mlphonon.training.finetuning.start import Start, load_start
from mlphonon.training.finetuning.training_space import MOST_DRIFT, write_training_space


@pytest.fixture(scope="module")
def start() -> Start:
    return load_start("embedded")


@pytest.fixture(scope="module")
def magnesia() -> TrainingData:
    """Far from what the embedded potential was trained on, so that it is seen to be new."""
    atoms = bulk("MgO", "rocksalt", a=4.21, cubic=True)
    atoms.rattle(0.02, seed=1)
    frame = Frame(atoms, np.zeros((8, 3)), None, None, "MgO", "rattle", Origin("a test"))
    return TrainingData((frame,))


def written(start: Start, data: TrainingData, folder: Path, moved: float = 0.0) -> str:
    """Write the training space of a potential whose weights have moved by a random share."""
    model = start.trainable()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 + moved * torch.randn_like(parameter))
    torch.save(model, folder / "potential.model")
    assert start.architecture is not None
    save_weights(model, start.architecture, folder)
    return write_training_space(start, model, data, folder)


def farthest(potential: object) -> float:
    assert isinstance(potential, DescriptorPotential)
    assert potential.training_space is not None
    atoms = bulk("MgO", "rocksalt", a=4.21)
    return float(potential.training_space.distances(potential, atoms).max())


def test_a_tuned_potential_knows_what_it_was_trained_on_before_and_now(
    start: Start, magnesia: TrainingData, tmp_path: Path
) -> None:
    outcome = written(start, magnesia, tmp_path, moved=1e-3)
    assert FILE in outcome and "not written" not in outcome
    folder = load_potential(tmp_path, device="cpu")
    pickled = load_potential(tmp_path / "potential.model", device="cpu", allow_pickle=True)
    before = load_potential("embedded", device="cpu")
    for tuned in (folder, pickled):
        assert farthest(tuned) < 0.4 < 0.6 < farthest(before)
        assert isinstance(tuned, DescriptorPotential) and tuned.training_space is not None
        salt = bulk("CaS", "rocksalt", a=5.72)
        assert tuned.training_space.distances(tuned, salt).max() < 0.4


def test_nothing_is_kept_of_descriptors_that_have_moved_far(
    start: Start, magnesia: TrainingData, tmp_path: Path
) -> None:
    outcome = written(start, magnesia, tmp_path, moved=0.2)
    assert "moved too far" in outcome and f"{MOST_DRIFT:g} at most" in outcome
    assert not (tmp_path / FILE).exists()
    assert load_potential(tmp_path, device="cpu").training_space is None


def test_nothing_is_written_where_the_first_training_is_not_known(
    start: Start, magnesia: TrainingData, tmp_path: Path
) -> None:
    outcome = written(replace(start, training_space=None), magnesia, tmp_path)
    assert "it is not known what" in outcome
    assert not (tmp_path / FILE).exists()


def test_beside_other_weights_it_is_refused(
    start: Start, magnesia: TrainingData, tmp_path: Path
) -> None:
    written(start, magnesia, tmp_path)
    space = (tmp_path / FILE).read_bytes()
    model = start.trainable()
    torch.save(model.double(), tmp_path / "potential.model")
    assert (tmp_path / FILE).read_bytes() == space
    with pytest.raises(PotentialError, match="belongs to other weights"):
        load_potential(tmp_path / "potential.model", device="cpu", allow_pickle=True)


def test_crystals_of_force_constants_count(start: Start, copper: Curvature) -> None:
    from mlphonon.training.training_domain import structures_of

    (one,) = structures_of(TrainingData((), (copper,)))
    assert one.info["material_id"] == "Cu"
    assert len(one) == len(copper.unitcell)
