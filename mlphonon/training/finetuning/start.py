"""The potential that a fine-tuning begins with."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlphonon.errors import TrainingError
from mlphonon.potentials.loading import load_potential
from mlphonon.potentials.mace.architecture import MaceArchitecture, read_architecture
from mlphonon.potentials.mace.mace_potential import MacePotential, WeightsInfo
from mlphonon.potentials.potential import DescriptorPotential, TrainablePotential
from mlphonon.training.graphs import GraphBuilder

if TYPE_CHECKING:
    import torch

    from mlphonon.potentials.potential import PotentialInfo
    from mlphonon.potentials.training_space import TrainingSpace


@dataclass(frozen=True)
class Start:
    """A MACE that is to be fine-tuned.

    Attributes
    ----------
    model : torch.nn.Module
        In float64, plain arithmetic; not changed.
    info : PotentialInfo
        What is known of it.
    head : str
        The head that learns.
    architecture : MaceArchitecture, optional
        Where the potential is stored as weights and architecture.
    training_space : TrainingSpace, optional
        The environments it was trained on.
    """

    model: torch.nn.Module
    info: PotentialInfo
    head: str
    architecture: MaceArchitecture | None
    training_space: TrainingSpace | None = None

    def trainable(self) -> torch.nn.Module:
        """Return a copy in float32 whose weights may move."""
        import torch

        model = copy.deepcopy(self.model).to(torch.float32).train()
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        return model

    def potential(self) -> MacePotential:
        """Return it as a potential in float32, for labels and comparisons."""
        return MacePotential(
            copy.deepcopy(self.model),
            WeightsInfo(self.info.name, self.info.sha256, training_space=self.training_space),
            head=self.head,
            dtype="float32",
        )

    @cached_property
    def graphs(self) -> GraphBuilder:
        """Makes its graphs."""
        return GraphBuilder(
            elements=tuple(int(z) for z in self.model.atomic_numbers),
            r_max=float(self.model.r_max),
            head=self.head,
            heads=tuple(getattr(self.model, "heads", None) or [self.head]),
        )


def load_start(potential: str, head: str | None = None, allow_pickle: bool = False) -> Start:
    """Load the potential that a fine-tuning begins with.

    Raises
    ------
    TrainingError
        If it is no MACE.
    """
    options: dict[str, Any] = {"device": "cpu", "dtype": "float64", "kernels": "plain"}
    loaded = load_potential(potential, head=head, allow_pickle=allow_pickle, **options)
    if not isinstance(loaded, TrainablePotential):
        raise TrainingError(
            f"potential '{potential}' cannot be fine-tuned here",
            f"it is of backend '{loaded.info.backend}', and only MACE is trained",
            "take a MACE (see 'mlphonon potentials list'), or label with it and train a MACE",
        )
    architecture = _architecture(potential)
    space = loaded.training_space if isinstance(loaded, DescriptorPotential) else None
    return Start(loaded.model, loaded.info, loaded.head, architecture, space)


def _architecture(potential: str) -> MaceArchitecture | None:
    import mlphonon.potentials

    inside = Path(mlphonon.potentials.__path__[0]) / "embedded"
    folder = inside if potential == "embedded" else Path(potential)
    path = folder / "architecture.json"
    return read_architecture(path) if path.is_file() else None
