"""A training recipe: everything that decides what a training from scratch gives."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from mlphonon.settings_base import Settings
from mlphonon.training.optimisation.settings import LossSettings, OptimisationSettings


class ShapeSettings(Settings):
    """What of the architecture is chosen; the rest (elements, references) comes from the data.

    Upper bounds are far above what pays; beyond them one layer alone fills a machine's memory.
    """

    words: ClassVar[str] = "the network"

    r_max: float = Field(default=5.0, gt=0, le=20)
    """Up to which distance atoms are neighbours, A: two layers then feel 10 A."""

    num_bessel: int = Field(default=8, ge=1, le=64)
    """Radial functions."""

    num_polynomial_cutoff: int = Field(default=5, ge=2, le=20)
    """How smoothly messages fade towards `r_max`: this many derivatives vanish there."""

    max_ell: int = Field(default=2, ge=0, le=6)
    """Largest degree of the spherical harmonics."""

    hidden_irreps: str = "64x0e"
    """Scalars alone: with vectors a force call costs a fifth more and a step a quarter."""

    correlation: int = Field(default=3, ge=1, le=4)
    """Neighbours in one product, so 3 is four-body."""

    num_interactions: int = Field(default=2, ge=1, le=6)
    """Layers."""

    radial_mlp: tuple[int, ...] = (32, 32)
    """Widths of the radial network."""

    readout_irreps: str = "16x0e"
    """Of the last layer's readout."""

    first_interaction: str = "RealAgnosticInteractionBlock"
    """mace's name of the first layer."""

    interaction: str = "RealAgnosticResidualInteractionBlock"
    """mace's name of the others."""

    distance_transform: str = "None"
    """mace's name of what distances go through first."""

    pair_repulsion: bool = False
    """Add the repulsion of Ziegler, Biersack and Littmark."""


class Recipe(OptimisationSettings):
    """A training from scratch. The same recipe and data give the same weights on one machine."""

    shape: ShapeSettings = ShapeSettings()
    """The network."""

    loss: LossSettings = LossSettings()
    """What counts how much."""

    share_elements: bool = True
    """Let elements learn from one another (see `mlphonon.training.element_sharing`)."""

    validation_fraction: float = Field(default=0.05, gt=0, lt=0.5)
    """Share of formulas to hold out, of data that hold out none themselves."""

    processes: int = Field(default=2, ge=1, le=256)
    """Two one-thread processes do 1.36 times the work of one with two threads."""

    matrix_learning_rate: float | None = Field(default=0.003, gt=0, le=10)
    """Muon learns matrices quicker than Adam: 254 against 293 meV/A after four minutes."""
