"""Optimisers, and the course of their rates."""

from __future__ import annotations

import math

import torch

from mlphonon.training.optimisation.muon import Muon, matrix_blocks
from mlphonon.training.optimisation.settings import OptimisationSettings


def rate_share(settings: OptimisationSettings, step: int, total: int) -> float:
    """Share of the full learning rates that a step of `total` gets."""
    falling = max(1.0, settings.decay_fraction * total)
    left = max(0.0, min(1.0, (total - step) / falling))
    if settings.decay == "cosine":
        left = (1 - math.cos(math.pi * left)) / 2
    return min((step + 1) / settings.warmup_steps, left)


def make_optimizers(
    model: torch.nn.Module, settings: OptimisationSettings
) -> list[torch.optim.Optimizer]:
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
