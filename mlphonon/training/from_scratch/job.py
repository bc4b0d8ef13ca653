"""A training from scratch as the training loop sees it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.io.atomic_files import write_whole
from mlphonon.potentials.mace.architecture import MaceArchitecture, save_weights
from mlphonon.potentials.mace.fused import fuse_convolutions
from mlphonon.training.element_sharing import plain_weights, share_elements
from mlphonon.training.from_scratch.settings import Recipe
from mlphonon.training.graphs import collate, device_of, edges_of, make_batches
from mlphonon.training.optimisation.loss import training_loss
from mlphonon.training.validation import measure_errors

if TYPE_CHECKING:
    import torch
    from mace.data import AtomicData


@dataclass
class FromScratchJob:
    """Frames as graphs, and the shape of the network that learns from them.

    Attributes
    ----------
    settings : Recipe
        How.
    architecture : MaceArchitecture
        The network.
    training, validation : list of AtomicData
        What is learned from, and what errors are measured on.
    validation_kinds : tuple of str
        How the latter were distorted.
    data_sha256 : str
        Of all data.
    """

    settings: Recipe
    architecture: MaceArchitecture
    training: list[AtomicData]
    validation: list[AtomicData]
    validation_kinds: tuple[str, ...]
    data_sha256: str

    patience = None

    @property
    def identity(self) -> list[str]:
        """Digests of recipe and data."""
        return [self.settings.digest(), self.data_sha256]

    @cached_property
    def edges(self) -> np.ndarray:
        """Directed edges of each training graph, shape (n_frames,)."""
        return edges_of(self.training)

    def build(self) -> torch.nn.Module:
        """Return a fresh MACE."""
        model = self.architecture.build("float32")
        fuse_convolutions(model)
        if self.settings.share_elements:
            share_elements(model)
        return model

    def batches(self, epoch: int) -> list[list[int]]:
        """Return indices of the training frames, shuffled."""
        rng = np.random.default_rng([self.settings.seed, epoch])
        return make_batches(self.edges, self.settings.edges_per_batch, rng)

    def loss(self, model: torch.nn.Module, batch: list[int], seed: Sequence[int]) -> torch.Tensor:
        """Return the errors of some frames."""
        graphs = collate([self.training[i] for i in batch], device_of(model))
        predicted = model(graphs.to_dict(), training=True, compute_force=True, compute_stress=True)
        return training_loss(self.settings.loss, graphs, predicted)

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
