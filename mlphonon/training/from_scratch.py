"""Training a MACE from nothing: a recipe and labelled frames -> weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.errors import TrainingError
from mlphonon.io.atomic_files import write_whole
from mlphonon.potentials.mace.architecture import MaceArchitecture, save_weights
from mlphonon.potentials.mace.fused import fuse_convolutions
from mlphonon.training.dataset import (
    build_graphs,
    collate,
    device_of,
    edges_of,
    fit_atomic_energies,
    force_rms,
    make_batches,
    read_frames,
)
from mlphonon.training.element_sharing import plain_weights, share_elements
from mlphonon.training.loop import run_job
from mlphonon.training.loss import training_loss
from mlphonon.training.recipe import Recipe
from mlphonon.training.validation import measure_errors

if TYPE_CHECKING:
    import torch
    from mace.data import AtomicData


OUTPUT_GAIN = 5.0
"""Fresh weights give forces a thousand times too small. Messages divided by the root of the
number of neighbours (they add up with random signs) and this factor bring them near enough
that learning starts at once, not after some hundred steps."""


@dataclass
class Workspace:
    """A MACE trained from nothing: frames as graphs, and the model's shape."""

    recipe: Recipe
    architecture: MaceArchitecture
    training: list[AtomicData]
    validation: list[AtomicData]
    validation_kinds: tuple[str, ...]
    data_sha256: str

    patience = None

    @property
    def settings(self) -> Recipe:
        """How weights are moved."""
        return self.recipe

    @property
    def identity(self) -> list[str]:
        """Digests of recipe and data."""
        return [self.recipe.digest(), self.data_sha256]

    @cached_property
    def edges(self) -> np.ndarray:
        """Directed edges of each training graph, shape (n_frames,)."""
        return edges_of(self.training)

    def build(self) -> torch.nn.Module:
        """Return a fresh MACE."""
        model = self.architecture.build("float32")
        fuse_convolutions(model)
        if self.recipe.share_elements:
            share_elements(model)
        return model

    def batches(self, epoch: int) -> list[list[int]]:
        """Return indices of the training frames, shuffled."""
        rng = np.random.default_rng([self.recipe.seed, epoch])
        return make_batches(self.edges, self.recipe.edges_per_batch, rng)

    def loss(self, model: torch.nn.Module, batch: list[int], seed: Sequence[int]) -> torch.Tensor:
        """Return the errors of some frames."""
        graphs = collate([self.training[i] for i in batch], device_of(model))
        predicted = model(graphs.to_dict(), training=True, compute_force=True, compute_stress=True)
        return training_loss(self.recipe.loss, graphs, predicted)

    def validate(self, model: torch.nn.Module) -> tuple[dict[str, float], None]:
        """Return errors on held-out frames; the last weights are kept, whatever they are."""
        self.errors = measure_errors(model, self.validation, self.validation_kinds)
        return self.errors.summary(), None

    def write(self, model: torch.nn.Module, folder: Path) -> None:
        """Write weights, and errors by kind and element."""
        save_weights(plain_weights(model, self._plain_model), self.architecture, folder)
        table = {"by_kind": self.errors.by_kind(), "by_element": self.errors.by_element()}
        write_whole(folder / "errors.json", json.dumps(table, indent=1) + "\n")

    @cached_property
    def _plain_model(self) -> torch.nn.Module:
        return self.architecture.build("float32")


def prepare(recipe: Recipe, data: Sequence[Path]) -> Workspace:
    """Read, split and turn into graphs the labelled frames of the files `data`."""
    frames = read_frames(*data)
    training, validation = frames.split(recipe.validation_fraction, recipe.seed)
    elements = frames.elements
    references = fit_atomic_energies(training)
    if missing := set(elements) - references.keys():
        raise TrainingError(
            f"elements {sorted(missing)} occur in held-out crystals only",
            fix="change the recipe's seed or validation_fraction",
        )
    shape = recipe.shape
    kinds = recipe.loss.kinds
    graphs = build_graphs(training, elements, shape.r_max, kinds)
    edges = int(edges_of(graphs).sum())
    atoms = sum(graph.num_nodes for graph in graphs)
    architecture = MaceArchitecture(
        **shape.model_dump(),
        atomic_numbers=elements,
        atomic_energies=tuple(round(references[z], 6) for z in elements),
        avg_num_neighbors=round(float(np.sqrt(edges / atoms)), 4),
        scale=round(OUTPUT_GAIN * force_rms(training), 4),
    )
    held = build_graphs(validation, elements, shape.r_max, {})
    held_kinds = tuple(atoms.info["config"] for atoms in validation.frames)
    return Workspace(recipe, architecture, graphs, held, held_kinds, frames.sha256)


def train(recipe: Recipe, data: Sequence[Path], folder: Path) -> None:
    """Train by `recipe` on the frames in the files `data`; what comes of it goes to `folder`."""
    run_job(partial(prepare, recipe, tuple(data)), recipe, folder)
