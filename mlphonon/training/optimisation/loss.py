"""Errors that training lowers: mean norms, robust against the few violently displaced frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mlphonon.training.optimisation.settings import LossSettings

if TYPE_CHECKING:
    from mace.tools.torch_geometric.batch import Batch


def training_loss(
    settings: LossSettings, batch: Batch, predicted: dict[str, torch.Tensor]
) -> torch.Tensor:
    """Weighted sum of the mean norms of the energy, force and stress errors.

    A norm grows linearly with the error, so frames displaced by 0.02 A, which hold the
    second derivatives, count as much as those displaced by 0.08 A; a squared loss would
    hear only the latter.

    Energies in eV per atom, forces in eV/A (Euclidean norm per atom), stresses in
    eV/A^3 (Frobenius norm, times the volume per atom so that it is an energy per atom). A label
    that a frame lacks has weight zero.
    """
    counts = batch.ptr[1:] - batch.ptr[:-1]
    frame_weight = batch.weight
    atom_weight = (frame_weight * batch.forces_weight)[batch.batch]
    energy = (batch.energy - predicted["energy"]).abs() / counts
    force_error = batch.forces - predicted["forces"]
    # Adding a tiny length keeps the gradient of the norm finite where the error vanishes.
    forces = torch.sqrt(force_error.square().sum(dim=1) + 1e-10)
    volume = torch.linalg.det(batch.cell.view(-1, 3, 3)).abs() / counts
    stress_error = (batch.stress - predicted["stress"]).view(-1, 9)
    stress = torch.sqrt(stress_error.square().sum(dim=1) + 1e-12) * volume
    return (
        settings.energy * (frame_weight * batch.energy_weight * energy).mean()
        + settings.forces * (atom_weight * forces).mean()
        + settings.stress * (frame_weight * batch.stress_weight * stress).mean()
    )
