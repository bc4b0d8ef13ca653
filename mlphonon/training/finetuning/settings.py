"""What decides how a potential is fine-tuned, in one frozen object."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mlphonon.training.optimisation import Optimisation
from mlphonon.training.recipe import LossSettings


class FinetuneLoss(LossSettings):
    """Weights of the mean norms of the errors.

    Second derivatives count as the errors of frequencies they make, THz (see
    `mlphonon.training.finetuning.curvature`). In ``benchmarks/finetuning.md`` a weight of 2 did as
    well as 10, and 50 worse; three times the default learning rate did worse, too.
    """

    energy: float = Field(default=20.0, ge=0)
    forces: float = Field(default=50.0, ge=0)
    stress: float = Field(default=20.0, ge=0)
    curvature: float = Field(default=10.0, ge=0)


class FinetuneSettings(Optimisation):
    """How a potential is fine-tuned.

    Attributes
    ----------
    loss : FinetuneLoss
        What counts how much.
    replay_steps : int
        Steps on old data for each step on new data.
    memory_fraction : float
        Share of the old data's formulas that is not rehearsed, and shows what is forgotten.
    freeze : int, optional
        Layers, from the first on, that stay as they are, the embedding with them.
    lora : int, optional
        Rank of the corrections that are learnt instead of the weights themselves.
    elastic : float
        Pull of the weights to where they began: this times the mean square distance is added to
        the loss.
    blend : float
        How far the result goes from the old weights (0) to the learnt ones (1). In between it keeps
        more of what was known (Wortsman et al., CVPR 2022, 7959).
    align_energies : bool
        Shift the new energies, element by element, to where the potential has them: two
        calculations rarely count energies from the same zero.
    share_elements : bool
        Let elements learn from one another (see `mlphonon.training.element_sharing`); for a large
        change of all weights only.
    patience : int, optional
        Epochs without a smaller phonon error on held-out crystals after which training ends.
    """

    loss: FinetuneLoss = FinetuneLoss()
    replay_steps: int = Field(default=4, ge=0)
    memory_fraction: float = Field(default=0.1, gt=0, lt=0.9)
    freeze: int | None = Field(default=None, ge=0)
    lora: int | None = Field(default=None, ge=1)
    elastic: float = Field(default=0.0, ge=0)
    blend: float = Field(default=1.0, gt=0, le=1)
    align_energies: bool = True
    share_elements: bool = False
    patience: int | None = Field(default=10, ge=1)
    epochs: float = Field(default=20, gt=0)
    learning_rate: float = Field(default=1e-3, gt=0)
    warmup_steps: int = Field(default=20, ge=1)
    decay: Literal["linear", "cosine"] = "cosine"
    decay_fraction: float = Field(default=1.0, gt=0, le=1)
    ema_decay: float = Field(default=0.99, ge=0, lt=1)

    @model_validator(mode="after")
    def _one_way(self) -> FinetuneSettings:
        if self.lora is not None and (self.freeze is not None or self.share_elements):
            raise ValueError("lora leaves all weights as they are; take freeze, or share_elements")
        return self
