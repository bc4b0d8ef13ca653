"""MatGL's potentials (M3GNet, TensorNet) in their own environment, in single or double precision.

MatGL 4.1.2 (and 3.0.5 and 4.0.0, as far as tried) evaluates the weights it publishes wrongly for
every crystal of more than one element: since DGL was given up for PyG, some messages between
atoms are summed at, or read from, the other end of the edge than in training. In a pure element
the ends are alike and little shows; rock salt came out with a lattice constant of 6.5 A. Both
places are put right here (`_mend`): NaCl and MgO then have no stress at their PBE volume.
"""

from __future__ import annotations

from typing import Any

BROKEN = ("4.1.2",)
"""The versions that `_mend` was tried on."""


def make(weights: str, device: str, dtype: str) -> Any:
    """Return a MatGL calculator.

    Parameters
    ----------
    weights : str
        Folder with ``model.json``, ``model.pt`` and ``state.pt``.
    device : str
        A torch device.
    dtype : {"float32", "float64"}
        Precision of weights and structures. The weights were trained in float32; in float64
        the same function is evaluated without the rounding.
    """
    import matgl
    import torch

    if matgl.__version__ not in BROKEN:
        raise RuntimeError(f"matgl {matgl.__version__} was not checked for swapped messages")
    matgl.set_default_dtype("float", 64 if dtype == "float64" else 32)
    from matgl.ext.ase import PESCalculator

    _mend()
    potential = matgl.load_model(weights).to(device=device, dtype=getattr(torch, dtype))
    return PESCalculator(potential, stress_unit="eV/A3", use_voigt=True)


def _mend() -> None:
    """Send messages to the end of the edge that the published weights were trained with."""
    from matgl.layers import TensorEmbedding
    from matgl.layers._graph_convolution import M3GNetGraphConv, scatter_add

    message = TensorEmbedding.message
    TensorEmbedding.message = lambda self, x_i, x_j, **rest: message(self, x_j, x_i, **rest)

    import torch

    def node_update(
        self: Any, edge_index: Any, edges: Any, nodes: Any, rbf: Any, state: Any, n_nodes: int
    ) -> Any:
        source, target = edge_index
        parts = [nodes[source], nodes[target], edges, *([state] if self.include_state else [])]
        messages = self.node_update_func(torch.hstack(parts)) * self.node_weight_func(rbf)
        return scatter_add(messages, target, dim_size=n_nodes, dim=0)

    M3GNetGraphConv.node_update_ = node_update
