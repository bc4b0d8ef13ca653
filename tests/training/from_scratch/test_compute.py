"""From labelled structures to what a training from scratch begins with."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from mlphonon.errors import TrainingError
from mlphonon.training.data.frame import TrainingData
from mlphonon.training.data.reading import read_sources
from mlphonon.training.data.store import write_data
from mlphonon.training.from_scratch.compute import (
    fit_atomic_energies,
    force_rms,
    hold_out,
    prepare,
)
from mlphonon.training.from_scratch.settings import Recipe


@pytest.fixture
def frames(data: Path) -> TrainingData:
    return read_sources([data])[0]


def test_gzipped_and_plain_frames_are_the_same(
    data: Path, frames: TrainingData, tmp_path: Path
) -> None:
    packed = tmp_path / "frames.extxyz.gz"
    packed.write_bytes(gzip.compress(data.read_bytes()))
    (unpacked,) = read_sources([packed])
    assert len(frames.frames) == len(unpacked.frames) == 16
    for one, two in zip(frames.frames, unpacked.frames, strict=True):
        assert one.fingerprint() == two.fingerprint()
        np.testing.assert_array_equal(one.forces, two.forces)


def test_several_files_are_joined_in_order(data: Path, recipe_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "more.extxyz"
    ase.io.write(other, ase.io.read(data, index="3:5"), format="extxyz")
    recipe = Recipe.read(recipe_file)
    one, both = prepare(recipe, [data]), prepare(recipe, [data, other])
    sizes = [len(job.training) + len(job.validation) for job in (one, both)]
    assert sizes == [16, 18]
    assert one.data_sha256 != both.data_sha256 != prepare(recipe, [other, data]).data_sha256


def test_all_frames_of_a_formula_are_on_one_side(frames: TrainingData) -> None:
    split = hold_out(frames, 0.2, seed=9)
    kept, held = split.part(held_out=False), split.part(held_out=True)
    assert len(kept.frames) + len(held.frames) == len(frames.frames)
    assert held.frames
    assert not set(kept.formulas) & set(held.formulas)


def test_the_split_is_that_of_the_shipped_recipe(frames: TrainingData) -> None:
    """By the first eight digits of SHA-256 of seed and Hill formula, as it was drawn then."""
    assert hold_out(frames, 0.2, seed=9).held_out == {"AuCu3"}
    assert hold_out(frames, 0.2, seed=1).held_out == {"Pt", "Al"}
    assert hold_out(frames, 0.5, seed=1).held_out == {"Pt", "Al", "Ni"}


def test_a_formula_stays_on_its_side_when_data_are_added(frames: TrainingData) -> None:
    few = replace(frames, frames=frames.frames[:8])
    whole = hold_out(frames, 0.3, seed=4).held_out
    assert hold_out(few, 0.3, seed=4).held_out == whole & set(few.formulas)


def test_what_a_data_set_holds_out_is_held_out(
    frames: TrainingData, recipe_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "data.h5"
    write_data(replace(frames, held_out=frozenset({"AuCu3"})), path)
    job = prepare(Recipe.read(recipe_file).model_copy(update={"seed": 1}), [path])
    assert (len(job.training), len(job.validation)) == (14, 2)


def test_references_and_scale_come_from_what_is_learned_from_alone(
    frames: TrainingData, recipe_file: Path, tmp_path: Path
) -> None:
    """Energies and forces of held-out crystals may not leak into the network's constants."""
    path, wild = tmp_path / "data.h5", tmp_path / "wild.h5"
    held = frozenset({"AuCu3"})
    write_data(replace(frames, held_out=held), path)
    shifted = [
        replace(f, energy=f.energy + 100.0, forces=9 * f.forces) if f.formula in held else f
        for f in frames.frames
    ]
    write_data(TrainingData(tuple(shifted), held_out=held), wild)
    recipe = Recipe.read(recipe_file)
    assert prepare(recipe, [path]).architecture == prepare(recipe, [wild]).architecture


def test_atomic_energies_recover_a_sum_over_atoms(frames: TrainingData) -> None:
    truth = {13: -3.0, 28: 1.5, 29: -2.0, 46: 0.5, 47: 4.0, 78: -7.0, 79: 0.25}
    summed = [
        replace(frame, energy=sum(truth[int(z)] for z in frame.atoms.numbers))
        for frame in frames.frames
    ]
    assert fit_atomic_energies(summed) == pytest.approx(truth, abs=1e-9)
    # What has no energy says nothing of them.
    assert fit_atomic_energies([*summed, replace(summed[0], energy=None)]) == pytest.approx(truth)


def test_force_rms_is_over_components(frames: TrainingData) -> None:
    forces = np.array([[3.0, 0, 0], [0, 4.0, 0], [0, 0, 0], [0, 0, 0]])
    frame = replace(frames.frames[0], forces=forces)
    assert force_rms([frame]) == pytest.approx(np.sqrt(25 / 12))


def test_data_that_do_not_do_are_one_clear_line(
    frames: TrainingData, recipe_file: Path, tmp_path: Path
) -> None:
    recipe = Recipe.read(recipe_file)

    def message(data: TrainingData) -> str:
        write_data(data, tmp_path / "data.h5")
        with pytest.raises(TrainingError) as caught:
            prepare(recipe, [tmp_path / "data.h5"])
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no structure with energy" in message(TrainingData())
    no_energies = tuple(replace(frame, energy=None) for frame in frames.frames)
    assert "no structure with energy" in message(TrainingData(no_energies))
    still = tuple(replace(frame, forces=0 * frame.forces) for frame in frames.frames)
    assert "all forces are zero" in message(TrainingData(still))
    one = tuple(frame for frame in frames.frames if frame.formula == "Cu")
    assert "no formula is held out" in message(TrainingData(one))
    assert "occur in held-out crystals only" in message(replace(frames, held_out=frozenset({"Ni"})))


def test_structures_without_forces_and_garbage_are_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.extxyz"
    ase.io.write(path, bulk("Cu"), format="extxyz")
    with pytest.raises(TrainingError, match=r"a structure of Cu in .* has no forces"):
        prepare(Recipe(), [path])
    packed = tmp_path / "bad.extxyz.gz"
    packed.write_bytes(b"not a gzip")
    with pytest.raises(TrainingError, match="cannot read") as caught:
        prepare(Recipe(), [packed])
    assert "\n" not in str(caught.value)
