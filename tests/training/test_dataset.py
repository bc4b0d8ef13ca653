from __future__ import annotations

import gzip
from pathlib import Path

import ase.io
import numpy as np
import pytest

from mlphonon.errors import TrainingError
from mlphonon.training.dataset import (
    LabelledFrames,
    build_graphs,
    fit_atomic_energies,
    force_rms,
    make_batches,
    read_frames,
)


def test_gzipped_and_plain_frames_are_the_same(data: Path, tmp_path: Path) -> None:
    packed = tmp_path / "frames.extxyz.gz"
    packed.write_bytes(gzip.compress(data.read_bytes()))
    plain, unpacked = read_frames(data), read_frames(packed)
    assert len(plain.frames) == len(unpacked.frames) == 16
    np.testing.assert_array_equal(plain.frames[5].positions, unpacked.frames[5].positions)


def test_several_files_are_joined_in_order(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "more.extxyz"
    ase.io.write(other, ase.io.read(data, index="3:5"), format="extxyz")
    joined, first = read_frames(data, other), read_frames(data)
    assert len(joined.frames) == 18
    np.testing.assert_array_equal(joined.frames[16].positions, first.frames[3].positions)
    assert joined.sha256 not in {first.sha256, read_frames(other).sha256}


def test_split_keeps_all_frames_of_a_formula_together(data: Path) -> None:
    frames = read_frames(data)
    kept, held = frames.split(0.2, seed=9)
    assert len(kept.frames) + len(held.frames) == len(frames.frames)
    assert held.frames
    names = [{a.info["material_id"] for a in side.frames} for side in (kept, held)]
    assert not names[0] & names[1]


def test_atomic_energies_recover_a_sum_over_atoms(data: Path) -> None:
    frames = read_frames(data).frames
    truth = {13: -3.0, 28: 1.5, 29: -2.0, 46: 0.5, 47: 4.0, 78: -7.0, 79: 0.25}
    for atoms in frames:
        atoms.info["REF_energy"] = sum(truth[int(z)] for z in atoms.numbers)
    fitted = fit_atomic_energies(LabelledFrames(frames, ""))
    assert fitted == pytest.approx(truth, abs=1e-9)


def test_force_rms_is_over_components(data: Path) -> None:
    frames = read_frames(data).frames[:1]
    frames[0].arrays["REF_forces"] = np.array([[3.0, 0, 0], [0, 4.0, 0], [0, 0, 0], [0, 0, 0]])
    assert force_rms(LabelledFrames(frames, "")) == pytest.approx(np.sqrt(25 / 12))


def test_graphs_carry_labels_weights_and_neighbours(data: Path) -> None:
    frames = read_frames(data)
    graph = build_graphs(frames, frames.elements, 3.0, {"small": 2.5})[0]
    atoms = frames.frames[0]
    assert float(graph.weight) == 2.5
    np.testing.assert_allclose(graph.forces, atoms.arrays["REF_forces"], atol=1e-6)
    np.testing.assert_allclose(graph.stress[0], atoms.info["REF_stress"], atol=1e-8)
    assert graph.edge_index.shape[1] == 12 * len(atoms)  # fcc: twelve nearest neighbours


def test_batches_hold_every_frame_once_and_stay_below_the_limit() -> None:
    edges = np.array([300, 100, 900, 50, 700, 2000, 10])
    batches = make_batches(edges, 1000, np.random.default_rng(0))
    assert sorted(i for batch in batches for i in batch) == list(range(7))
    assert all(edges[batch].sum() <= 1000 or len(batch) == 1 for batch in batches)


def test_a_frame_without_a_label_is_named(data: Path, tmp_path: Path) -> None:
    frames = list(read_frames(data).frames)
    del frames[2].info["config"]
    ase.io.write(tmp_path / "bad.extxyz", frames, format="extxyz")
    with pytest.raises(TrainingError, match="frame 2 has no config"):
        read_frames(tmp_path / "bad.extxyz")


def test_garbage_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.extxyz.gz"
    path.write_bytes(b"not a gzip")
    with pytest.raises(TrainingError, match="cannot read labelled frames"):
        read_frames(path)
