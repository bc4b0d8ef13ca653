"""Frames and force constants -> labelled graphs, with second derivatives along directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mlphonon.training.data.frame import Curvature, Frame, TrainingData
from mlphonon.training.graphs import collate

if TYPE_CHECKING:
    from ase import Atoms
    from mace.data import AtomicData

    from mlphonon.training.finetuning.start import Start

FORCE_CONSTANTS = "force constants"
"""Kind of a sample that was made of them."""


@dataclass(frozen=True)
class Sample:
    """A graph and what is known of its second derivatives.

    Attributes
    ----------
    graph : AtomicData
        With labels; what is not known has weight zero.
    kind : str
        How the structure was distorted.
    masses : Tensor, shape (n_atoms,)
        amu.
    directions, responses : Tensor, shape (n_directions, n_atoms, 3)
        Hessian times direction is response, eV/A^2.
    hessian : Tensor, shape (3 n_atoms, 3 n_atoms), optional
        The whole Hessian, eV/A^2; directions are drawn at random then.
    """

    graph: AtomicData
    kind: str
    masses: torch.Tensor
    directions: torch.Tensor
    responses: torch.Tensor
    hessian: torch.Tensor | None = None

    @property
    def curved(self) -> bool:
        """Whether second derivatives are known."""
        return self.hessian is not None or len(self.directions) > 0

    def draw(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a direction and what the Hessian makes of it, each of shape (n_atoms, 3)."""
        if self.hessian is None:
            chosen = int(rng.integers(len(self.directions)))
            return self.directions[chosen], self.responses[chosen]
        way = torch.as_tensor(rng.normal(size=(len(self.masses), 3)).astype(np.float32))
        return way, (self.hessian @ way.reshape(-1)).view(-1, 3)


def make_samples(data: TrainingData, start: Start, kinds: dict[str, float]) -> list[Sample]:
    """Turn data into samples for the potential `start`; `kinds` weights frames by their kind."""
    samples = [_of_frame(frame, start, kinds.get(frame.kind, 1.0)) for frame in data.frames]
    weight = kinds.get(FORCE_CONSTANTS, 1.0)
    return samples + [_of_curvature(one, start, weight) for one in data.curvatures]


def _of_frame(frame: Frame, start: Start, weight: float) -> Sample:
    return Sample(
        graph=start.graphs.of_frame(frame, weight),
        kind=frame.kind,
        masses=_single(frame.atoms.get_masses()),
        directions=_single(frame.directions),
        responses=_single(frame.responses),
    )


def _of_curvature(curvature: Curvature, start: Start, weight: float) -> Sample:
    supercell, full = full_force_constants(curvature)
    n_atoms = len(supercell)
    hessian = full.transpose(0, 2, 1, 3).reshape(3 * n_atoms, 3 * n_atoms)
    nothing = torch.empty((0, n_atoms, 3))
    return Sample(
        graph=start.graphs.graph(supercell, {}, weight),
        kind=FORCE_CONSTANTS,
        masses=_single(supercell.get_masses()),
        directions=nothing,
        responses=nothing,
        hessian=_single(hessian),
    )


def full_force_constants(curvature: Curvature) -> tuple[Atoms, np.ndarray]:
    """Return the supercell and its force constants, shape (n_atoms, n_atoms, 3, 3), eV/A^2."""
    from phonopy.harmonic.force_constants import compact_fc_to_full_fc

    from mlphonon.force_constants.cells import to_ase

    phonopy = curvature.phonopy()
    full = compact_fc_to_full_fc(phonopy.primitive, curvature.force_constants)
    return to_ase(phonopy.supercell), np.asarray(full)


def _single(values: Any) -> torch.Tensor:
    return torch.as_tensor(np.ascontiguousarray(values, dtype=np.float32))


@dataclass(frozen=True)
class CurvatureBatch:
    """A batch of graphs and a direction for each, with what is expected along it."""

    graphs: Any
    masses: torch.Tensor
    directions: torch.Tensor
    responses: torch.Tensor


def draw_batch(
    samples: Sequence[Sample], rng: np.random.Generator, device: torch.device | str = "cpu"
) -> CurvatureBatch:
    """Join samples whose second derivatives are known, each with a direction."""
    drawn = [sample.draw(rng) for sample in samples]
    return CurvatureBatch(
        collate([sample.graph for sample in samples], device),
        torch.cat([sample.masses for sample in samples]).to(device),
        torch.cat([way for way, _ in drawn]).to(device),
        torch.cat([response for _, response in drawn]).to(device),
    )
