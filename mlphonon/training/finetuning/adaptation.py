"""Which weights of a MACE may move: all, the later layers, or corrections of low rank."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from mlphonon.errors import TrainingError
from mlphonon.potentials.mace.fused import fuse_convolutions
from mlphonon.training.element_sharing import plain_weights, share_elements

if TYPE_CHECKING:
    import torch

    from mlphonon.training.finetuning.settings import FinetuneSettings
    from mlphonon.training.finetuning.start import Start


def adapt(start: Start, settings: FinetuneSettings) -> torch.nn.Module:
    """Return the model that is trained, its weights free to move as the settings say."""
    model = start.trainable()
    fuse_convolutions(model)
    if settings.lora is not None:
        _add_low_rank(model, settings.lora)
    if settings.share_elements:
        share_elements(model, keep=True)
    if settings.freeze is not None:
        _freeze(model, settings.freeze)
    return model


def _add_low_rank(model: torch.nn.Module, rank: int) -> None:
    from mace.modules.lora import inject_LoRAs

    inject_LoRAs(model, rank=rank, alpha=rank)


def _freeze(model: torch.nn.Module, layers: int) -> None:
    """Hold the embedding and the first `layers` layers, their readouts with them."""
    total = len(model.interactions)
    if layers >= total:
        raise TrainingError(
            f"freezing {layers} layers leaves nothing to learn",
            f"the potential has {total}",
            f"freeze at most {total - 1}",
        )
    held = [model.node_embedding]
    for parts in (model.interactions, model.products, model.readouts):
        held += list(parts[:layers])
    for module in held:
        for parameter in module.parameters():
            parameter.requires_grad_(False)


def write_out(
    model: torch.nn.Module, start: Start, lora: bool, blend: float = 1.0
) -> torch.nn.Module:
    """Return a copy of the starting potential, in float64, that holds the trained weights.

    Parameters
    ----------
    model : torch.nn.Module
        What `adapt` made, trained.
    start : Start
        What it began with.
    lora : bool
        Whether corrections of low rank are to be merged.
    blend : float
        Share of the way from the old weights to the trained ones.
    """
    import torch

    if lora:
        from mace.modules.lora import merge_lora_weights

        model = merge_lora_weights(model, inplace=False)
    plain = plain_weights(model, copy.deepcopy(start.model))
    if blend < 1:
        with torch.no_grad():
            for new, old in zip(plain.parameters(), start.model.parameters(), strict=True):
                new.copy_(torch.lerp(old, new, blend))
    return plain
