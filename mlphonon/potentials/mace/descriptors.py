"""What a MACE sees of the environment of an atom, in numbers that no rotation changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from mace.data import AtomicData


def invariant_features(
    model: torch.nn.Module, graph: AtomicData, device: torch.device | str
) -> np.ndarray:
    """Return the scalar node features of all layers, as `MACECalculator.get_descriptors` does.

    Parameters
    ----------
    model : torch.nn.Module
        A MACE energy model.
    graph : AtomicData
        One structure.
    device : str or torch.device
        Where the model is.

    Returns
    -------
    ndarray of float64, shape (n_atoms, n_features)
        Layer after layer.
    """
    import torch
    from mace.tools.torch_geometric.batch import Batch

    batch = Batch.from_data_list([graph]).to(device)
    with torch.no_grad():
        out: dict[str, Any] = model(batch.to_dict(), training=False, compute_force=False)
    features = out["node_feats"].cpu().numpy().astype(float)
    return np.ascontiguousarray(features[:, _scalars(model)])


def _scalars(model: torch.nn.Module) -> np.ndarray:
    """Return which features are scalars, shape (n_all_features,)."""
    from e3nn import o3

    kinds = []
    for layer in model.products:
        for number, kind in o3.Irreps(str(layer.linear.irreps_out)):
            kinds.append(np.full(number * kind.dim, kind.l == 0))
    return np.concatenate(kinds)
