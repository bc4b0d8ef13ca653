"""What decides how a potential is fine-tuned, in one frozen object, and the reason for each."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mlphonon.training.optimisation.settings import (
    MOST_EPOCHS,
    LossSettings,
    OptimisationSettings,
)


class FinetuneLoss(LossSettings):
    """Weights of the mean norms of the errors."""

    energy: float = Field(default=20.0, ge=0)
    """Of eV/atom."""

    forces: float = Field(default=50.0, ge=0)
    """Of eV/A."""

    stress: float = Field(default=20.0, ge=0)
    """Of eV/atom."""

    curvature: float = Field(default=10.0, ge=0)
    """Of THz: second derivatives count as the errors of frequencies they make (see
    `mlphonon.training.finetuning.curvature`). In ``benchmarks/finetuning.md`` a weight of 2 did
    as well as 10, and 50 worse."""


class FinetuneSettings(OptimisationSettings):
    """How a potential is fine-tuned."""

    loss: FinetuneLoss = FinetuneLoss()
    """What counts how much."""

    replay_steps: int = Field(default=4, ge=0, le=1000)
    """Steps on old data for each step on new data: so that what was known stays known."""

    memory_fraction: float = Field(default=0.1, gt=0, lt=0.9)
    """Share of the old data's formulas that is not replayed, and shows what is forgotten."""

    freeze: int | None = Field(default=None, ge=0)
    """Layers, from the first on, that stay as they are, the embedding with them."""

    lora: int | None = Field(default=None, ge=1, le=256)
    """Rank of the corrections that are learned instead of the weights themselves; as many as a
    layer has channels (64 to 256) is all there is."""

    elastic: float = Field(default=0.0, ge=0)
    """Pull of the weights to where they began: this times the mean square distance is added to
    the loss."""

    blend: float = Field(default=1.0, gt=0, le=1)
    """How far the result goes from the old weights (0) to the trained ones (1). In between it
    keeps more of what was known (Wortsman et al., CVPR 2022, 7959)."""

    align_energies: bool = True
    """Shift the new energies, element by element, to where the potential has them: two
    calculations rarely count energies from the same zero."""

    leave_out_unknown: bool = False
    """Leave out crystals with elements that the potential does not know, instead of refusing the
    data set for them."""

    share_elements: bool = False
    """Let elements learn from one another (see `mlphonon.training.element_sharing`); for a large
    change of all weights only."""

    patience: int | None = Field(default=10, ge=1)
    """Epochs without a smaller phonon error on held-out crystals after which training ends."""

    epochs: float = Field(default=20, gt=0, le=MOST_EPOCHS)
    """Times that all new data are seen."""

    learning_rate: float = Field(default=1e-3, gt=0, le=10)
    """A tenth of that from scratch; three times this did worse."""

    warmup_steps: int = Field(default=20, ge=1)
    """Few: the data are few."""

    decay: Literal["linear", "cosine"] = "cosine"
    """Shape of the fall."""

    decay_fraction: float = Field(default=1.0, gt=0, le=1)
    """Rates fall from the beginning: nothing has to be found from afar."""

    ema_decay: float = Field(default=0.99, ge=0, lt=1)
    """A tenth of the steps from scratch: runs are short."""

    @model_validator(mode="after")
    def _one_way(self) -> FinetuneSettings:
        if self.lora is not None and (self.freeze is not None or self.share_elements):
            raise ValueError("lora leaves all weights as they are; take freeze, or share_elements")
        return self
