"""Settings of a training run that do not depend on what is learned, and the reason for each."""

from __future__ import annotations

import hashlib
from typing import ClassVar, Literal

from pydantic import Field

from mlphonon.settings_base import Settings

MOST_EPOCHS = 100_000
"""Far beyond any use; above, a step count no longer fits a progress bar."""


class OptimisationSettings(Settings):
    """How weights are moved.

    Adam moves all weights; or all but the matrices, if these have a `matrix_learning_rate`: then
    Muon moves them (see `mlphonon.training.optimisation.muon`).
    """

    words: ClassVar[str] = "the training"

    seed: int = Field(default=1, ge=0, lt=2**31)
    """The same seed gives the same weights on the same machine."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """A GPU, if there is one."""

    processes: int = Field(default=1, ge=1, le=256)
    """Share the work of each step, each on a GPU of its own where there are GPUs."""

    edges_per_batch: int = Field(default=3000, ge=100, le=10**8)
    """Most directed edges in a batch: cost and memory go with these, not with atoms."""

    epochs: float = Field(default=20, gt=0, le=MOST_EPOCHS)
    """Times that all data are seen."""

    learning_rate: float = Field(default=0.01, gt=0, le=10)
    """Of Adam. Rates rise over `warmup_steps`, stay, and fall to zero over the last
    `decay_fraction` of `epochs`; so a run that has not begun to fall may be given other `epochs`
    and resumed."""

    matrix_learning_rate: float | None = Field(default=None, gt=0, le=10)
    """Of Muon: root mean square of one step's change of a weight."""

    warmup_steps: int = Field(default=200, ge=1)
    """Adam's averages of squared gradients are noise in the first steps."""

    decay: Literal["linear", "cosine"] = "linear"
    """Shape of the fall."""

    decay_fraction: float = Field(default=0.35, gt=0, le=1)
    """Share of the run over which rates fall."""

    weight_decay: float = Field(default=1e-6, ge=0, le=1)
    """Of Adam."""

    gradient_clip: float = Field(default=10.0, gt=0)
    """Largest norm of all gradients together: a violently displaced frame is one among many."""

    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    """What is judged and kept is an average of weights over about 1 / (1 - this) steps."""

    checkpoint_minutes: float = Field(default=4.0, ge=0, le=1e5)
    """So much work is lost at most when a run is stopped."""

    log_minutes: float = Field(default=2.0, gt=0, le=1e5)
    """A row of the log, and a line where there is no terminal, at least so often."""

    def digest(self) -> str:
        """SHA-256 of all that must stay the same when a run is resumed."""
        return hashlib.sha256(self.model_dump_json(exclude=FREE).encode()).hexdigest()


FREE = {
    "device",
    "epochs",
    "decay",
    "decay_fraction",
    "checkpoint_minutes",
    "log_minutes",
    "patience",
}
"""Settings that may differ when a run is resumed."""


class LossSettings(Settings):
    """Weights of the mean norms of the errors (see `mlphonon.training.optimisation.loss`)."""

    words: ClassVar[str] = "the loss"

    energy: float = Field(default=1.0, ge=0)
    """Of eV/atom."""

    forces: float = Field(default=50.0, ge=0)
    """Of eV/A. Energies alone say little of second derivatives; 50 to 1 took the force error of
    the embedded potential from 386 to 213 meV/A in one pass."""

    stress: float = Field(default=50.0, ge=0)
    """Of eV/atom (stress times the volume of an atom)."""

    kinds: dict[str, float] = Field(default_factory=dict)
    """Weights of frames by how they were distorted; 1 otherwise."""
