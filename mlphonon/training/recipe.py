"""A training recipe: everything that decides what a training run gives, in one frozen object."""

from __future__ import annotations

from pydantic import Field

from mlphonon.training.optimisation import Optimisation
from mlphonon.training.settings_file import Frozen


class ShapeSettings(Frozen):
    """What of the architecture is chosen; the rest (elements, references) comes from the data."""

    r_max: float = Field(default=5.0, gt=0)
    num_bessel: int = 8
    num_polynomial_cutoff: int = 5
    max_ell: int = 2
    hidden_irreps: str = "64x0e"
    correlation: int = 3
    num_interactions: int = 2
    radial_mlp: tuple[int, ...] = (32, 32)
    readout_irreps: str = "16x0e"
    first_interaction: str = "RealAgnosticInteractionBlock"
    interaction: str = "RealAgnosticResidualInteractionBlock"
    distance_transform: str = "None"
    pair_repulsion: bool = False


class LossSettings(Frozen):
    """Weights of the mean norms of the errors (see `mlphonon.training.loss`)."""

    energy: float = 1.0
    forces: float = 50.0
    stress: float = 50.0
    kinds: dict[str, float] = Field(default_factory=dict)


class Recipe(Optimisation):
    """A training run. The same recipe and data give the same weights on the same machine."""

    shape: ShapeSettings = ShapeSettings()
    loss: LossSettings = LossSettings()
    share_elements: bool = True
    validation_fraction: float = Field(default=0.05, gt=0, lt=0.5)
    processes: int = Field(default=2, ge=1)
    matrix_learning_rate: float = Field(default=0.003, gt=0)
