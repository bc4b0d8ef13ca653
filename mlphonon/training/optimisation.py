"""How weights are moved: optimisers, and the course of their rates."""

from __future__ import annotations

import hashlib
import math
from typing import Literal

import torch
from pydantic import Field

from mlphonon.training.muon import Muon, matrix_blocks
from mlphonon.training.settings_file import Frozen


class Optimisation(Frozen):
    """Settings of a training run that do not depend on what is learnt.

    Adam (`learning_rate`) moves all weights; or all but the matrices, if these have a
    `matrix_learning_rate`: then Muon moves them (see `mlphonon.training.muon`). Rates rise over
    `warmup_steps`, stay, and fall to zero over the last `decay_fraction` of `epochs`; so a run
    that has not begun to fall may be given another `epochs` and resumed. Several `processes` share
    the work of each step, each on a GPU of its own where there are GPUs.
    """

    seed: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: int = Field(default=1, ge=1)
    edges_per_batch: int = Field(default=3000, ge=100)
    epochs: float = Field(default=20, gt=0)
    learning_rate: float = Field(default=0.01, gt=0)
    matrix_learning_rate: float | None = Field(default=None, gt=0)
    warmup_steps: int = Field(default=200, ge=1)
    decay: Literal["linear", "cosine"] = "linear"
    decay_fraction: float = Field(default=0.35, gt=0, le=1)
    weight_decay: float = Field(default=1e-6, ge=0)
    gradient_clip: float = Field(default=10.0, gt=0)
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    checkpoint_minutes: float = Field(default=4.0, ge=0)

    def digest(self) -> str:
        """SHA-256 of all that must stay the same when a run is resumed."""
        return hashlib.sha256(self.model_dump_json(exclude=FREE).encode()).hexdigest()


FREE = {"device", "epochs", "decay", "decay_fraction", "checkpoint_minutes", "patience"}
"""Settings that may differ when a run is resumed."""


def rate_share(settings: Optimisation, step: int, total: int) -> float:
    """Share of the full learning rates that a step of `total` gets."""
    falling = max(1.0, settings.decay_fraction * total)
    left = max(0.0, min(1.0, (total - step) / falling))
    if settings.decay == "cosine":
        left = (1 - math.cos(math.pi * left)) / 2
    return min((step + 1) / settings.warmup_steps, left)


def make_optimizers(model: torch.nn.Module, settings: Optimisation) -> list[torch.optim.Optimizer]:
    """Adam for all weights that are to move, or Muon for the matrices and Adam for all else."""
    rest = [p for p in model.parameters() if p.requires_grad]
    optimizers: list[torch.optim.Optimizer] = []
    if settings.matrix_learning_rate is not None:
        blocks = [block for block in matrix_blocks(model) if block.parameter.requires_grad]
        matrices = {id(block.parameter) for block in blocks}
        rest = [p for p in rest if id(p) not in matrices]
        optimizers.append(Muon(blocks, lr=settings.matrix_learning_rate))
    adam = torch.optim.Adam(
        rest, lr=settings.learning_rate, weight_decay=settings.weight_decay, amsgrad=True
    )
    return [adam, *optimizers]
