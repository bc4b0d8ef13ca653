"""A fine-tuning from files to a folder."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import bulk

from mlphonon import load_potential
from mlphonon.errors import SettingsError, TrainingError
from mlphonon.training.data.frame import TrainingData, join
from mlphonon.training.data.store import read_data, write_data
from mlphonon.training.finetuning.adaptation import adapt, write_out
from mlphonon.training.finetuning.compute import align_energies, finetune, prepare
from mlphonon.training.finetuning.inputs import FinetuneInputs
from mlphonon.training.finetuning.job import LEAST_STEPS, FinetuneJob
from mlphonon.training.finetuning.settings import FinetuneLoss, FinetuneSettings
from mlphonon.training.finetuning.start import load_start
from mlphonon.training.optimisation.checkpoint import load_checkpoint
from mlphonon.training.optimisation.trainer import Trainer
from tests.training.finetuning.conftest import labelled_metal


class Evil:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.mark),))


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def tune(job: FinetuneJob, folder: Path) -> dict[str, torch.Tensor]:
    """Train, without judging before and after, and return the weights that were kept."""
    folder.mkdir(exist_ok=True)
    Trainer(job, folder).run()
    return weights(job.model_of(load_checkpoint(folder, job.identity)["best_weights"]))


def test_phonons_of_a_metal_that_was_not_shown_become_better(
    metals: Path, old: Path, tmp_path: Path
) -> None:
    """The embedded potential from end to end; the other tests train a tiny one."""
    settings = FinetuneSettings(epochs=2.5, replay_steps=1, warmup_steps=5, edges_per_batch=500)
    (tmp_path / "training_space.npz").write_text("of earlier weights")
    mark = tmp_path / "mark"
    torch.save(Evil(mark), tmp_path / "potential.model")
    card = finetune(FinetuneInputs(metals, replay=old), settings, tmp_path)
    assert card["after"]["curvature_THz"] < 0.75 * card["before"]["curvature_THz"]
    assert not mark.exists(), "what lay in the folder was unpickled"
    assert card["samples"]["curved"] == 8
    file = tmp_path / "potential.model"
    assert card["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert json.loads((tmp_path / "card.json").read_text())["after"] == card["after"]
    assert card["sha256"] in (tmp_path / "CARD.md").read_text()
    # The same forces in mace's own calculator, by the pickle and by the safe files.
    from mace.calculators import MACECalculator

    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=1)
    tuned = load_potential(tmp_path)
    assert tuned.training_space.n_crystals(29) > 0
    own = tuned.evaluate([atoms])[0].forces
    atoms.calc = MACECalculator(model_paths=str(file), device="cpu", default_dtype="float64")
    assert np.abs(atoms.get_forces() - own).max() < 1e-6


def test_a_run_that_was_stopped_ends_with_the_same_weights(
    inputs: FinetuneInputs, quick: FinetuneSettings, tmp_path: Path
) -> None:
    whole = tune(prepare(inputs, quick), tmp_path / "whole")
    (tmp_path / "parts").mkdir()
    first = Trainer(prepare(inputs, quick), tmp_path / "parts")
    for batches in first.epoch_batches(0)[:3]:
        first.train_step(batches[0])
    first.save(1.0)
    parts = tune(prepare(inputs, quick), tmp_path / "parts")
    start = weights(load_start(inputs.potential).model)
    assert any(not torch.allclose(whole[name], start[name].to(whole[name])) for name in whole)
    for name, weight in whole.items():
        assert torch.equal(weight, parts[name]), name


def test_what_is_frozen_does_not_move(
    inputs: FinetuneInputs, quick: FinetuneSettings, tmp_path: Path
) -> None:
    start = weights(load_start(inputs.potential).model)
    tuned = tune(prepare(inputs, quick.model_copy(update={"freeze": 1})), tmp_path)
    moved = {n for n, w in tuned.items() if not torch.allclose(w, start[n].to(w), atol=1e-6)}
    held = {
        name
        for name in tuned
        if name.startswith("node_embedding") or ".0." in name.replace("contractions.0", "")
    }
    assert held and not held & moved
    assert moved


def test_corrections_of_low_rank_begin_at_nothing_and_are_merged() -> None:
    start = load_start("embedded")
    settings = FinetuneSettings(lora=2)
    model = adapt(start, settings)
    learns = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert 0 < learns < 0.1 * sum(p.numel() for p in start.model.parameters())
    before = dict(start.model.named_parameters())
    for name, weight in write_out(model, start, lora=True).named_parameters():
        assert torch.allclose(weight, before[name].to(weight), atol=1e-6), name
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    after = dict(write_out(model, start, lora=True).named_parameters())
    changed = {n for n, w in after.items() if not torch.allclose(w, before[n].to(w), atol=1e-4)}
    assert "interactions.1.linear_up.weight" in changed
    assert not any(
        "embedding" in name and "radial" not in name
        for name in changed - {"node_embedding.linear.weight"}
    )


def test_a_blend_lies_between_the_old_weights_and_the_new() -> None:
    start = load_start("embedded")
    model = adapt(start, FinetuneSettings())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    old = dict(start.model.named_parameters())
    for name, weight in write_out(model, start, lora=False, blend=0.25).named_parameters():
        assert torch.allclose(weight - old[name], torch.full_like(weight, 0.25), atol=1e-5), name


def test_pulled_back_weights_stay_nearer(
    inputs: FinetuneInputs, quick: FinetuneSettings, tmp_path: Path
) -> None:
    begun = weights(load_start(inputs.potential).model)

    def distance(elastic: float) -> float:
        job = prepare(inputs, quick.model_copy(update={"elastic": elastic}))
        tuned = tune(job, tmp_path / str(elastic))
        return sum(float((w - begun[n].to(w)).square().sum()) for n, w in tuned.items())

    assert distance(1e8) < 0.5 * distance(0.0)


def test_an_epoch_sees_all_new_data_and_four_times_as_many_old_steps(
    inputs: FinetuneInputs,
) -> None:
    job = prepare(inputs, FinetuneSettings())
    batches = job.batches(0)
    new = [batch for batch in batches if batch.part == "curved"]
    seen = [i for batch in new for i in batch.indices]
    # Eight are few, so they are seen several times, all as often.
    assert {seen.count(i) for i in range(8)} == {len(seen) // 8}
    assert len(new) >= LEAST_STEPS
    assert sum(batch.part == "replay" for batch in batches) == 4 * len(new)
    assert job.batches(0) == batches
    assert job.batches(1) != batches
    assert job.memory and job.replay
    assert prepare(inputs, FinetuneSettings(replay_steps=0)).replay == []


def test_energies_are_shifted_by_element_and_by_nothing_else() -> None:
    start = load_start("embedded")
    data = join([labelled_metal("Cu"), labelled_metal("Al")])
    shifts = {29: 7.0, 13: -2.0}
    off = tuple(
        replace(frame, energy=frame.energy + sum(shifts[int(z)] for z in frame.atoms.numbers))
        for frame in data.frames
    )
    one, other = align_energies(data, start), align_energies(TrainingData(off), start)
    for first, second in zip(one.frames, other.frames, strict=True):
        assert first.energy == pytest.approx(second.energy, abs=1e-4)
    gaps = [one.frames[0].energy - one.frames[1].energy, data.frames[0].energy]
    assert gaps[0] == pytest.approx(gaps[1] - data.frames[1].energy, abs=1e-9)


@pytest.fixture
def with_helium(metals: Path, tmp_path: Path) -> Path:
    """The same data and one crystal more."""
    data = read_data(metals)
    frame = data.frames[0]
    atoms = frame.atoms.copy()
    atoms.numbers[:] = 2
    helium = replace(frame, atoms=atoms, crystal="He-fcc")
    path = tmp_path / "he.h5"
    write_data(TrainingData((*data.frames, helium), held_out=data.held_out), path)
    return path


def test_crystals_of_elements_that_the_potential_does_not_know_are_refused_by_name(
    with_helium: Path, inputs: FinetuneInputs
) -> None:
    with pytest.raises(TrainingError, match=r"does not know He, .* 1 of the crystals hold: He-fcc"):
        prepare(replace(inputs, data=with_helium), FinetuneSettings())


def test_crystals_of_unknown_elements_may_be_left_out(
    with_helium: Path, inputs: FinetuneInputs
) -> None:
    lines: list[str] = []
    settings = FinetuneSettings(leave_out_unknown=True)
    job = prepare(replace(inputs, data=with_helium), settings, lines.append)
    assert lines == ["1 crystals with He are left out: He-fcc"]
    assert len(job.training) == len(prepare(inputs, settings).training) == 8
    assert len(job.held_out) == 2


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_checkpoint_of_other_settings_is_refused(
    processes: int, inputs: FinetuneInputs, quick: FinetuneSettings, tmp_path: Path
) -> None:
    Trainer(prepare(inputs, quick), tmp_path).save(0.0)
    changes = {"loss": FinetuneLoss(curvature=1.0), "processes": processes}
    with pytest.raises(TrainingError, match="another recipe or data set") as caught:
        finetune(inputs, quick.model_copy(update=changes), tmp_path)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt"]


@pytest.mark.slow
def test_two_processes_learn_as_well(metals: Path, quick: FinetuneSettings, tmp_path: Path) -> None:
    card = finetune(FinetuneInputs(metals), quick.model_copy(update={"processes": 2}), tmp_path)
    assert card["after"]["curvature_THz"] < card["before"]["curvature_THz"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epochs: -1", "epochs"),
        ("lora: 2\nfreeze: 1", "do not fit together; lora leaves all weights"),
        ("lora: 1000000", "'lora' of the training cannot be 1000000"),
        ("epochs: .inf", "'epochs' of the training cannot be inf"),
        ("curvature: 3", "curvature"),
        ("- 1", "holds no settings"),
        (": :", "cannot read"),
    ],
)
def test_wrong_settings_are_one_clear_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "ft.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=said) as caught:
        FinetuneSettings.read(path)
    assert "\n" not in str(caught.value)


def test_only_a_mace_is_trained(tmp_path: Path) -> None:
    factory = tmp_path / "made.py"
    factory.write_text("from ase.calculators.emt import EMT as make\n")
    with pytest.raises(TrainingError, match="only MACE is trained"):
        load_start(f"python:{__import__('sys').executable}:{factory}:make")


def test_the_settings_that_the_embedded_potential_was_trained_with_can_be_read() -> None:
    import mlphonon.potentials

    folder = Path(mlphonon.potentials.__path__[0]) / "embedded"
    assert FinetuneSettings.read(folder / "finetune.yaml").share_elements
