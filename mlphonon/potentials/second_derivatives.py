"""Rows of the Hessian of a model in torch, several at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.potentials.cores import side_by_side

if TYPE_CHECKING:
    import torch

    from mlphonon.potentials.potential import ProgressCallback

GPU_EDGES = 60_000
"""Pairs of neighbours that keep a GPU busy; further copies of a crystal would only cost the time
of their forces. Not measured yet."""


def differentiate_forces(
    forces: torch.Tensor,
    positions: torch.Tensor,
    directions: Sequence[tuple[int, np.ndarray]],
    at_once: int = 1,
    progress: ProgressCallback | None = None,
) -> np.ndarray:
    """Return rows of the Hessian, each contracted with one atom's displacement.

    The graph of the forces is kept; a row is one pass backwards through it. Passes may run side
    by side in threads, and where several copies of the crystal stand in the graph, each pass
    brings one row of each.

    Parameters
    ----------
    forces : Tensor, shape (n_copies, n_atoms, 3)
        With the graph that leads to `positions`.
    positions : Tensor, shape (n_copies * n_atoms, 3)
        Leaf of that graph.
    directions : sequence of (int, ndarray of shape (3,))
        Index of an atom and a vector, A.
    at_once : int
        Passes that run side by side.
    progress : callable, optional
        Called with the number of rows that were just done.

    Returns
    -------
    ndarray, shape (n_directions, n_atoms, 3)
        Minus the change of all forces to first order in the displacement, eV/A.
    """
    import torch

    copies, n_atoms, _ = forces.shape

    def take(part: Sequence[tuple[int, np.ndarray]]) -> np.ndarray:
        atoms = [atom for atom, _ in part]
        vectors = torch.as_tensor(np.array([vector for _, vector in part])).to(forces)
        along = (forces[torch.arange(len(part)), atoms] * vectors).sum()
        (slope,) = torch.autograd.grad(along, positions, retain_graph=True)
        return -slope.view(copies, n_atoms, 3)[: len(part)].cpu().numpy()

    parts = [directions[i : i + copies] for i in range(0, len(directions), copies)]
    rows = []
    with side_by_side(min(at_once, len(parts))) as apply:
        for found in apply(take, parts):
            rows.append(found)
            if progress is not None:
                progress(len(found))
    return np.concatenate(rows).astype(float)
