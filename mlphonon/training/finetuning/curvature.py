"""Second derivatives in the loss: products of the Hessian with random directions.

A product costs two more passes, a whole Hessian three times as many as there are atoms; over
random directions, products tell as much.
"""

from __future__ import annotations

from typing import Any

import torch

from mlphonon.units import THZ_OF_STIFFNESS


def hessian_products(
    model: torch.nn.Module, batch: Any, directions: torch.Tensor
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Evaluate a batch of graphs and the products of their Hessians with directions.

    Parameters
    ----------
    model : torch.nn.Module
        A MACE.
    batch : mace batch
        Graphs.
    directions : Tensor, shape (n_atoms, 3)
        Of all graphs, one after the other.

    Returns
    -------
    dict of Tensor
        What the model returns.
    Tensor, shape (n_atoms, 3)
        Products; gradients of the weights flow through them.
    """
    data = batch.to_dict()
    positions = data["positions"].detach().requires_grad_(True)
    data["positions"] = positions
    predicted = model(data, training=True, compute_force=True, compute_stress=True)
    along = (predicted["forces"] * directions).sum()
    (slope,) = torch.autograd.grad(along, positions, create_graph=True)
    return predicted, -slope


def frequency_errors(
    products: torch.Tensor, expected: torch.Tensor, masses: torch.Tensor, graph: torch.Tensor
) -> torch.Tensor:
    """Estimate what errors of second derivatives do to frequencies.

    A frequency is the root of a stiffness over a mass, so its error is that of the stiffness over
    mass and over twice the frequency; for which the crystal's typical one is taken. Stiff and
    soft crystals, light and heavy atoms then count alike.

    Parameters
    ----------
    products, expected : Tensor, shape (n_atoms, 3)
        Hessians times directions of unit root mean square, eV/A^2.
    masses : Tensor, shape (n_atoms,)
        amu.
    graph : Tensor of int, shape (n_atoms,)
        Graph of each atom.

    Returns
    -------
    Tensor, shape (n_atoms,)
        THz.
    """
    squared = THZ_OF_STIFFNESS**2 / (3**0.5 * masses)
    strength = squared * expected.norm(dim=1)
    n_graphs = int(graph[-1]) + 1
    sums = torch.zeros(n_graphs, dtype=strength.dtype, device=strength.device)
    counts = torch.bincount(graph, minlength=n_graphs)
    typical = (sums.index_add(0, graph, strength) / counts).clamp(min=1e-2).sqrt()[graph]
    # Adding a tiny length keeps the gradient of the norm finite where the error vanishes.
    error = torch.sqrt((products - expected).square().sum(dim=1) + 1e-10)
    return squared * error / (2 * typical)
