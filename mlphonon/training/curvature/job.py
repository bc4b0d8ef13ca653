"""A potential that learns DFT's curvature and a teacher's frames at once, for the training loop."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field

from mlphonon.potentials.mace.architecture import MaceArchitecture, load_weights, save_weights
from mlphonon.potentials.mace.fused import fuse_convolutions
from mlphonon.training.curvature.crystals import (
    CellStore,
    CurvedCrystal,
    mode_errors,
    read_crystals,
    split_crystals,
)
from mlphonon.training.curvature.frames import LabelledFrame, frame_errors, read_labelled
from mlphonon.training.element_sharing import plain_weights, share_elements
from mlphonon.training.optimisation.settings import LossSettings, OptimisationSettings
from mlphonon.training.quick_mace import QuickMace

WINDOW = 400
"""Crystals among which those of like density are put into one batch, so that rows fill well."""

JUDGED = 150
"""Validation crystals and frames that are asked at each report."""


class CurvatureLoss(LossSettings):
    """Weights of the errors; `curvature` of the THz that directions imply."""

    energy: float = 20.0
    forces: float = 50.0
    stress: float = 20.0
    curvature: float = 10.0


class CurvatureSettings(OptimisationSettings):
    """How a potential learns curvature.

    Attributes
    ----------
    loss : CurvatureLoss
        What counts how much.
    directions : int
        Of each crystal, each time it is drawn.
    most_atoms : int
        Of the small supercells.
    curved_edges, frame_edges : int
        Neighbours in a step, of crystals (at rest) and of frames; 0: none of these.
    """

    loss: CurvatureLoss = CurvatureLoss()
    directions: int = Field(default=2, ge=1)
    most_atoms: int = Field(default=20, ge=2)
    curved_edges: int = Field(default=3000, ge=0)
    frame_edges: int = Field(default=3000, ge=0)
    share_elements: bool = True


@dataclass(frozen=True)
class Batch:
    """Indices of training crystals, each with the lattice that was drawn, and of frames."""

    crystals: tuple[tuple[int, int], ...]
    frames: tuple[int, ...]


@dataclass(frozen=True)
class Sources:
    """Where everything is read from.

    Attributes
    ----------
    start : Path
        Folder with ``architecture.json`` and ``weights.safetensors``.
    constants : Path
        Folder with force constants (`PeriodicConstants.save`).
    frames : tuple of Path
        Labelled frames, extended XYZ.
    """

    start: Path
    constants: Path
    frames: tuple[Path, ...]

    def digest(self) -> str:
        """SHA-256 of the weights, the frames and the names of the crystals."""
        digest = hashlib.sha256((self.start / "weights.safetensors").read_bytes())
        for path in self.frames:
            digest.update(path.read_bytes())
        digest.update(" ".join(sorted(p.stem for p in self.constants.glob("*.npz"))).encode())
        return digest.hexdigest()


@dataclass
class CurvatureJob:
    """What is learnt and how it is judged, as the training loop asks for it.

    Attributes
    ----------
    sources : Sources
        Data and the potential to begin with.
    settings : CurvatureSettings
        How.
    """

    sources: Sources
    settings: CurvatureSettings
    architecture: MaceArchitecture = field(init=False)
    training: list[CurvedCrystal] = field(init=False)
    held: list[CurvedCrystal] = field(init=False)
    frames: list[LabelledFrame] = field(init=False)
    held_frames: list[LabelledFrame] = field(init=False)
    store: CellStore = field(init=False)
    patience: int | None = None
    _quick: QuickMace | None = None

    def __post_init__(self) -> None:
        path = self.sources.start / "architecture.json"
        self.architecture = MaceArchitecture.model_validate_json(path.read_text())
        numbers, r_max = self.architecture.atomic_numbers, self.architecture.r_max
        places = {z: place for place, z in enumerate(numbers)}
        crystals = read_crystals(self.sources.constants, numbers, self.settings.most_atoms, r_max)
        self.training, held = split_crystals(crystals)
        self.frames, held_frames = read_labelled(self.sources.frames, places, r_max)
        rng = np.random.default_rng(0)
        self.held = [held[i] for i in rng.permutation(len(held))[:JUDGED]]
        self.held_frames = [held_frames[i] for i in rng.permutation(len(held_frames))[: 2 * JUDGED]]
        self.store = CellStore(places, r_max)
        self._digest = self.sources.digest()

    @property
    def identity(self) -> list[str]:
        """Digests of settings, data and the starting potential."""
        return [self.settings.digest(), self._digest]

    @cached_property
    def _plain(self) -> torch.nn.Module:
        """A model of the same shape, whose weights are written over: building one takes long."""
        return load_weights(self.sources.start, "float64")

    def build(self) -> torch.nn.Module:
        """Return the model that is trained."""
        model = load_weights(self.sources.start, "float64").to(torch.float32).train()
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        fuse_convolutions(model)
        if self.settings.share_elements:
            share_elements(model, keep=True)
        return model

    def quick(self, model: torch.nn.Module) -> QuickMace:
        """Return the quick arithmetic of the model that is trained."""
        if self._quick is None or self._quick.model is not model:
            self._quick = QuickMace(model)
        return self._quick

    def batches(self, epoch: int) -> list[Batch]:
        """Return the batches of an epoch: each training crystal once, and as many frames beside."""
        rng = np.random.default_rng([self.settings.seed, epoch])
        crystals = _like_batches(
            [(one.edges, one.neighbours) for one in self.training],
            self.settings.curved_edges,
            rng,
        )
        frames: list[list[int]] = []
        measures = [(one.edges, one.edges / len(one.atoms)) for one in self.frames]
        while len(frames) < len(crystals):
            frames += _like_batches(measures, self.settings.frame_edges, rng)
        drawn = [
            tuple((i, int(rng.integers(len(self.training[i].lattices)))) for i in batch)
            for batch in crystals
        ]
        return [Batch(some, tuple(f)) for some, f in zip(drawn, frames, strict=False)]

    def loss(self, model: torch.nn.Module, batch: Batch, seed: Sequence[int]) -> torch.Tensor:
        """Return the weighted errors of a batch."""
        quick, settings = self.quick(model), self.settings
        cells = [self.store.get(self.training[i], which) for i, which in batch.crystals]
        rng = np.random.default_rng(list(seed))
        errors = mode_errors(quick, cells, settings.directions, rng, train=True)
        loss = settings.loss.curvature * errors.mean()
        if batch.frames and settings.frame_edges:
            frames = [self.frames[i] for i in batch.frames]
            loss = loss + frame_errors(quick, frames, train=True).loss(settings.loss)
        return loss

    def validate(self, model: torch.nn.Module) -> tuple[dict[str, float], float | None]:
        """Return errors of validation crystals (THz) and frames (meV/A, meV/atom).

        The first is the score. Directions are the same at each report.
        """
        quick, rng = QuickMace(model), np.random.default_rng(0)
        off = [
            mode_errors(quick, [self.store.get(one, 0)], 2, rng, train=False).mean()
            for one in self.held
        ]
        frames = [frame_errors(quick, [one], train=False) for one in self.held_frames]
        errors = {
            "modes_THz": float(torch.stack(off).mean()),
            "modes_median_THz": float(torch.stack(off).median()),
            "forces": 1e3 * float(torch.cat([one.forces for one in frames]).mean()),
            "energy": 1e3 * float(torch.cat([one.energy for one in frames]).mean()),
            "stress": 1e3 * float(torch.cat([one.stress for one in frames]).mean()),
        }
        return errors, errors["modes_THz"]

    def write(self, model: torch.nn.Module, folder: Path) -> None:
        """Write weights and architecture, and the settings."""
        save_weights(plain_weights(model, self._plain), self.architecture, folder)
        settings = self.settings.model_dump(mode="json")
        (folder / "settings.json").write_text(json.dumps(settings, indent=1) + "\n")


def _like_batches(
    measures: Sequence[tuple[float, float]], limit: int, rng: np.random.Generator
) -> list[list[int]]:
    """Return batches of at most `limit` edges, in each of which crystals are about as dense.

    Parameters
    ----------
    measures : sequence of (float, float)
        Edges and density of each.
    limit : int
        One that has more makes a batch alone.
    rng : Generator
        Decides.
    """
    order = rng.permutation(len(measures))
    batches: list[list[int]] = []
    for first in range(0, len(order), WINDOW):
        window = sorted(order[first : first + WINDOW], key=lambda i: measures[i][1])
        total = float(limit + 1)
        for index in window:
            if total + measures[index][0] > limit:
                batches.append([])
                total = 0.0
            batches[-1].append(int(index))
            total += measures[index][0]
    return [batches[i] for i in rng.permutation(len(batches))]


def describe(job: CurvatureJob) -> dict[str, Any]:
    """Return what is learnt from, in numbers."""
    return {
        "crystals": len(job.training),
        "validation crystals": len(job.held),
        "frames": len(job.frames),
        "validation frames": len(job.held_frames),
        "steps an epoch": len(job.batches(0)),
    }
