"""Nothing that is to judge a fine-tuning is learned from: held-out and kept-back formulas.

Each test adds to what must be excluded and looks for it where it must not be.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlphonon.errors import TrainingError
from mlphonon.training.data.frame import Curvature, TrainingData, join
from mlphonon.training.data.store import read_data, write_data
from mlphonon.training.finetuning.compute import prepare, split_old_data, trained_on
from mlphonon.training.finetuning.inputs import FinetuneInputs
from mlphonon.training.finetuning.samples import Sample
from mlphonon.training.finetuning.settings import FinetuneSettings
from mlphonon.training.finetuning.start import Start, load_start
from tests.training.finetuning.conftest import labelled_metal


@pytest.fixture(scope="module")
def start(tiny: Path) -> Start:
    return load_start(str(tiny))


@pytest.fixture
def replay(tmp_path: Path) -> Path:
    """Old data, among them the metal that the new data hold out."""
    path = tmp_path / "replay.h5"
    write_data(
        join([labelled_metal(name, directions=0) for name in ("Cu", "Al", "Ni", "Ag")]), path
    )
    return path


def split(
    inputs: FinetuneInputs, replay: Path, start: Start, **changes: object
) -> tuple[set[str], set[str]]:
    """Return the formulas that are replayed, and those that are kept back."""
    settings = FinetuneSettings(memory_fraction=0.4, **changes)
    parts = split_old_data(replace(inputs, replay=replay), settings, start, read_data(inputs.data))
    return set(parts[0].formulas), set(parts[1].formulas)


def test_a_held_out_formula_is_not_replayed(
    inputs: FinetuneInputs, replay: Path, start: Start
) -> None:
    assert read_data(inputs.data).held_out == {"Cu"}
    for seed in range(5):
        replayed, kept_back = split(inputs, replay, start, seed=seed)
        assert "Cu" not in replayed | kept_back
        assert replayed | kept_back == {"Al", "Ni", "Ag"}


def test_what_the_old_data_hold_out_is_not_replayed_either(
    inputs: FinetuneInputs, replay: Path, start: Start
) -> None:
    write_data(replace(read_data(replay), held_out=frozenset({"Ni"})), replay)
    replayed, kept_back = split(inputs, replay, start)
    assert replayed | kept_back == {"Al", "Ag"}


def test_what_shows_forgetting_is_not_replayed(
    inputs: FinetuneInputs, replay: Path, start: Start
) -> None:
    for seed in range(5):
        replayed, kept_back = split(inputs, replay, start, seed=seed)
        assert kept_back and replayed
        assert not replayed & kept_back
    # Without replay steps it shows forgetting all the same.
    assert split(inputs, replay, start, replay_steps=0) == (set(), split(inputs, replay, start)[1])


def test_samples_are_of_the_sides_that_they_must_be(
    inputs: FinetuneInputs, replay: Path, copper: Curvature, tmp_path: Path
) -> None:
    """Copper is held out: frames and force constants are in what judges and nowhere else."""
    data = read_data(inputs.data)
    write_data(replace(data, curvatures=(copper,)), tmp_path / "data.h5")
    inputs = replace(inputs, data=tmp_path / "data.h5", replay=replay)
    job = prepare(inputs, FinetuneSettings(memory_fraction=0.4))

    def elements(samples: list[Sample]) -> set[int]:
        return {z for sample in samples for z in numbers(job.start, sample)}

    assert elements(job.held_out) == {29}
    assert len(job.held_out) == 3
    assert [one.formula for one in job.curvatures] == ["Cu"]
    assert elements(job.training) == {13, 28, 46, 47}
    assert 29 not in elements(job.replay) | elements(job.memory)
    assert not elements(job.replay) & elements(job.memory)
    assert 29 not in {
        z for one in trained_on(inputs, job).frames for z in one.atoms.numbers.tolist()
    }


def numbers(start: Start, sample: Sample) -> list[int]:
    known = start.model.atomic_numbers.tolist()
    return [known[i] for i in sample.graph.node_attrs.argmax(dim=1).tolist()]


def test_old_data_of_held_out_formulas_alone_are_too_little(
    inputs: FinetuneInputs, start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "old.h5"
    write_data(join([labelled_metal("Cu"), labelled_metal("Al")]), path)
    with pytest.raises(TrainingError, match="too little to replay"):
        split(inputs, path, start)


def test_joined_data_hold_out_what_any_part_does() -> None:
    names = ("Cu", "Al", "Ni")
    parts = [replace(labelled_metal(name), held_out=frozenset({name})) for name in names]
    joined = join([*parts, labelled_metal("Ag")])
    assert joined.held_out == set(names)
    assert set(joined.part(held_out=False).formulas) == {"Ag"}
    # A formula that one part holds out is held out of the other parts, too.
    both = join([labelled_metal("Cu"), TrainingData(held_out=frozenset({"Cu"}))])
    assert not both.part(held_out=False).frames


def test_errors_are_of_labels_that_there_are(inputs: FinetuneInputs, tmp_path: Path) -> None:
    """What phonopy leaves has no energies: an error of them would be the energies themselves."""
    data = read_data(inputs.data)
    bare = [replace(f, energy=None, stress=None) if f.formula == "Cu" else f for f in data.frames]
    write_data(replace(data, frames=tuple(bare)), tmp_path / "bare.h5")
    job = prepare(replace(inputs, data=tmp_path / "bare.h5"), FinetuneSettings())
    errors, _ = job.judge(job.start.trainable())
    assert {"energy", "stress"}.isdisjoint(errors)
    assert errors["force_rattle"] > 0
    one = next(i for i, frame in enumerate(data.frames) if frame.formula == "Cu")
    bare[one] = replace(data.frames[one], stress=None)
    write_data(replace(data, frames=tuple(bare)), tmp_path / "one.h5")
    settings = FinetuneSettings(align_energies=False)
    job = prepare(replace(inputs, data=tmp_path / "one.h5"), settings)
    errors, _ = job.judge(job.start.trainable())
    found = job.start.potential().evaluate([data.frames[one].atoms])[0].energy
    expected = abs(found - data.frames[one].energy) / len(data.frames[one].atoms)
    assert errors["energy"] == pytest.approx(1e3 * expected, rel=1e-4)
    assert "stress" not in errors
