from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mlphonon import load_potential
from mlphonon.errors import SettingsError, TrainingError
from mlphonon.training.from_scratch.compute import prepare, train
from mlphonon.training.from_scratch.settings import Recipe
from mlphonon.training.graphs import collate
from mlphonon.training.optimisation.log import time_left, write_log
from mlphonon.training.optimisation.loss import training_loss
from mlphonon.training.optimisation.optimisers import rate_share
from mlphonon.training.optimisation.settings import LossSettings
from mlphonon.training.optimisation.trainer import Trainer


def test_training_lowers_the_error_and_leaves_a_potential(
    data: Path, recipe_file: Path, tmp_path: Path
) -> None:
    changes = {"epochs": 40.0, "learning_rate": 0.05, "decay_fraction": 0.5}
    recipe = Recipe.read(recipe_file).model_copy(update=changes)
    train(recipe, [data], tmp_path / "run")
    with (tmp_path / "run" / "log.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < 0.6 * losses[0]
    errors = json.loads((tmp_path / "run" / "errors.json").read_text())
    assert set(errors["by_kind"]) == {"small", "medium"}
    assert load_potential(tmp_path / "run").info.backend == "mace"


def test_a_resumed_run_ends_with_the_same_weights_to_the_bit(
    data: Path, recipe_file: Path, tmp_path: Path
) -> None:
    recipe = Recipe.read(recipe_file)
    train(recipe, [data], tmp_path / "whole")
    work = prepare(recipe, [data])
    (tmp_path / "parts").mkdir()
    first = Trainer(work, tmp_path / "parts", 0)
    for frames in first.epoch_batches(0)[:3]:
        first.train_step(frames[0])
    first.save(1.0)
    train(recipe, [data], tmp_path / "parts")
    whole, parts = (
        load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "parts")
    )
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        assert torch.equal(value, parts[name]), name


@pytest.mark.slow
def test_two_processes_train_alike_on_both(data: Path, recipe_file: Path, tmp_path: Path) -> None:
    recipe = Recipe.read(recipe_file).model_copy(update={"processes": 2, "edges_per_batch": 200})
    train(recipe, [data], tmp_path / "two")
    with (tmp_path / "two" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    assert float(rows[-1]["epoch"]) == 2.0


def test_a_checkpoint_of_another_recipe_is_refused(
    data: Path, recipe_file: Path, tmp_path: Path
) -> None:
    recipe = Recipe.read(recipe_file)
    work = prepare(recipe, [data])
    Trainer(work, tmp_path, 0).save(0.0)
    other = prepare(recipe.model_copy(update={"learning_rate": 0.5}), [data])
    with pytest.raises(TrainingError, match="another recipe"):
        Trainer(other, tmp_path, 0)


def test_every_epoch_has_as_many_steps(data: Path, recipe_file: Path, tmp_path: Path) -> None:
    trainer = Trainer(prepare(Recipe.read(recipe_file), [data]), tmp_path, 0)
    assert {len(trainer.epoch_batches(epoch)) for epoch in range(30)} == {trainer.steps_per_epoch}


def test_rates_rise_stay_and_fall_to_zero() -> None:
    recipe = Recipe(warmup_steps=10, decay_fraction=0.5)
    assert rate_share(recipe, 0, 100) == pytest.approx(0.1)
    assert rate_share(recipe, 40, 100) == 1.0
    assert rate_share(recipe, 75, 100) == pytest.approx(0.5)
    assert rate_share(recipe, 100, 100) == 0.0


def test_each_weight_has_one_optimizer(data: Path, recipe_file: Path, tmp_path: Path) -> None:
    trainer = Trainer(prepare(Recipe.read(recipe_file), [data]), tmp_path, 0)
    held = [id(p) for o in trainer.optimizers for group in o.param_groups for p in group["params"]]
    assert len(held) == len(set(held))
    assert set(held) == {id(p) for p in trainer.parameters}


def test_loss_of_known_errors(data: Path, recipe_file: Path) -> None:
    work = prepare(Recipe.read(recipe_file), [data])
    batch = collate(work.training[:2])
    frames = batch.forces.shape[0]
    predicted = {
        "energy": batch.energy + torch.tensor([0.4, -0.8]),
        "forces": batch.forces + torch.tensor([0.3, 0.0, 0.4]),
        "stress": batch.stress + 0.01 * torch.eye(3),
    }
    settings = LossSettings(energy=2.0, forces=3.0, stress=5.0)
    weights = batch.weight.numpy()  # small 2, medium 1; four atoms each
    volumes = torch.linalg.det(batch.cell.view(-1, 3, 3)).abs().numpy() / 4
    expected = (
        2.0 * np.mean(weights * np.array([0.1, 0.2]))
        + 3.0 * 0.5 * weights.mean()
        + 5.0 * np.mean(weights * 0.01 * np.sqrt(3) * volumes)
    )
    assert frames == 8
    assert float(training_loss(settings, batch, predicted)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs: -1", "epochs"),
        ("learnign_rate: 1", "learnign_rate"),
        (": :", "cannot read"),
        ("shape: {r_max: 0}", "'r_max' of the network"),
    ],
)
def test_a_wrong_recipe_is_one_clear_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message) as caught:
        Recipe.read(path)
    assert "\n" not in str(caught.value)


def test_the_shipped_recipe_can_be_read() -> None:
    import mlphonon.potentials

    folder = Path(mlphonon.potentials.__file__).parent / "embedded"
    assert Recipe.read(folder / "recipe.yaml").processes == 2


def test_a_row_of_the_log_within_an_epoch_keeps_the_columns_of_others(
    data: Path, recipe_file: Path, tmp_path: Path
) -> None:
    """And is there long before the first epoch is over; a line, too, where there is no bar."""
    lines: list[str] = []
    recipe = Recipe.read(recipe_file, log_minutes=1e-9)
    trainer = Trainer(prepare(recipe, [data]), tmp_path, say=lines.append)
    trainer.run()
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, trainer.total_steps + 1))
    assert [bool(row["energy"]) for row in rows] == [
        step % trainer.steps_per_epoch == 0 for step in range(1, trainer.total_steps + 1)
    ]
    assert all(float(row["loss"]) > 0 for row in rows)
    within = [line for line in lines if line.startswith("step ")]
    assert within[0].startswith(f"step 1 of {trainer.total_steps}, loss ")
    assert within[0].endswith("min left")


def test_a_file_that_is_no_log_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("day,what\n1,went to the beach\n")
    with pytest.raises(TrainingError, match="is not the log of a training run"):
        write_log(path, {"step": 1, "loss": 2.0})
    assert "beach" in path.read_text()


def test_time_left_is_in_words() -> None:
    assert [time_left(seconds) for seconds in (5, 150, 3600, 12_000)] == [
        "1 min",
        "2 min",
        "1 h 0 min",
        "3 h 20 min",
    ]


def test_a_checkpoint_of_the_version_before_is_taken_up(
    data: Path, recipe_file: Path, tmp_path: Path
) -> None:
    """It lacks the best weights; those averaged at the same moment stand for them."""
    job = prepare(Recipe.read(recipe_file), [data])
    Trainer(job, tmp_path).save(1.0)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    del state["format"], state["best_weights"]
    torch.save(state, tmp_path / "checkpoint.pt")
    again = Trainer(job, tmp_path)
    assert again.seconds == 1.0
    for best, average in zip(again.best_weights, again.average, strict=True):
        assert torch.equal(best, average)
