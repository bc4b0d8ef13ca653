"""Graphs carry labels and neighbours; batches are of even cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mlphonon.training.data.reading import read_sources
from mlphonon.training.graphs import GraphBuilder, make_batches

METALS = (13, 28, 29, 46, 47, 78, 79)


def test_graphs_carry_labels_weights_and_neighbours(data: Path) -> None:
    frame = read_sources([data])[0].frames[0]
    graph = GraphBuilder(METALS, 3.0).of_frame(frame, weight=2.5)
    assert float(graph.weight) == 2.5
    assert float(graph.energy) == np.float32(frame.energy)
    np.testing.assert_allclose(graph.forces, frame.forces, atol=1e-6)
    np.testing.assert_allclose(graph.stress[0], frame.stress, atol=1e-8)
    assert graph.edge_index.shape[1] == 12 * len(frame.atoms)  # fcc: twelve nearest neighbours
    assert float(graph.energy_weight) == float(graph.forces_weight) == 1.0


def test_a_label_that_is_missing_weighs_nothing(data: Path) -> None:
    frame = replace(read_sources([data])[0].frames[0], energy=None, stress=None)
    graph = GraphBuilder(METALS, 3.0).of_frame(frame)
    assert float(graph.energy_weight) == float(graph.stress_weight) == 0.0
    assert float(graph.forces_weight) == 1.0


def test_batches_hold_every_frame_once_and_stay_below_the_limit() -> None:
    edges = np.array([300, 100, 900, 50, 700, 2000, 10])
    batches = make_batches(edges, 1000, np.random.default_rng(0))
    assert sorted(i for batch in batches for i in batch) == list(range(7))
    assert all(edges[batch].sum() <= 1000 or len(batch) == 1 for batch in batches)
