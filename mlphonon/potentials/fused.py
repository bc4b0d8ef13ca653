"""A quicker convolution for MACE models whose messages start from scalars, for any device.

e3nn forms the product of sender features and spherical harmonics edge by edge, an array of
(edges, channels x (l_max + 1)^2) that is written, read and added up again, in each derivative
once more. Here the sum over neighbours is a matrix product, and that array never exists.
"""

from __future__ import annotations

import torch


HOOKED_LAYERS = frozenset(
    {
        "RealAgnosticInteractionBlock",
        "RealAgnosticResidualInteractionBlock",
        "RealAgnosticDensityInteractionBlock",
        "RealAgnosticDensityResidualInteractionBlock",
    }
)
"""Layers of mace whose forward looks for ``conv_fusion`` and whose results were compared."""


class ScalarConvolution(torch.nn.Module):
    """Sum over neighbours of scalar features times radial weights times spherical harmonics.

    Takes the place of ``conv_tp`` and the scatter that follows it, through the hook that mace
    keeps for fused kernels (``conv_fusion``). The numbers are those of the original to
    rounding; parameters there are none.

    Parameters
    ----------
    channels : int
        Number of scalar channels.
    l_max : int
        Highest degree of the spherical harmonics.
    """

    def __init__(self, channels: int, l_max: int) -> None:
        super().__init__()
        self.channels = channels
        self.l_max = l_max

    def forward(
        self,
        node_feats: torch.Tensor,
        edge_attrs: torch.Tensor,
        tp_weights: torch.Tensor,
        edge_index: torch.Tensor,
    ) -> torch.Tensor:
        """Return messages.

        Parameters
        ----------
        node_feats : Tensor, shape (n_nodes, channels)
            Scalar features of the senders.
        edge_attrs : Tensor, shape (n_edges, (l_max + 1)^2)
            Spherical harmonics of the edges.
        tp_weights : Tensor, shape (n_edges, (l_max + 1) * channels)
            Radial weights, one block of channels for each degree.
        edge_index : Tensor, shape (2, n_edges)
            Sender and receiver of each edge.

        Returns
        -------
        Tensor, shape (n_nodes, channels * (l_max + 1)^2)
            Degree after degree, channels outermost within each, as e3nn lays them out.
        """
        sender, receiver = edge_index[0], edge_index[1]
        slots, filled = neighbour_slots(receiver, node_feats.shape[0])
        degrees = self.l_max + 1
        features = node_feats.index_select(0, sender).unsqueeze(1)
        weighted = features * tp_weights.view(-1, degrees, self.channels)
        left = _gather(weighted.flatten(1), slots, filled).transpose(1, 2)
        right = _gather(edge_attrs, slots, filled)
        blocks = zip(
            left.split(self.channels, dim=1),
            right.split([2 * degree + 1 for degree in range(degrees)], dim=2),
            strict=True,
        )
        return torch.cat([torch.bmm(a, b).flatten(1) for a, b in blocks], dim=1)


def neighbour_slots(receiver: torch.Tensor, n_nodes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Lay out the edges of each node in a row, filled up to the longest.

    Returns
    -------
    slots : Tensor of int, shape (n_nodes, most)
        Edge in each slot; empty slots hold 0.
    filled : Tensor of bool, shape (n_nodes, most)
        Which slots hold an edge.
    """
    order = torch.argsort(receiver, stable=True)
    counts = torch.bincount(receiver, minlength=n_nodes)
    most = int(counts.max()) if receiver.numel() else 0
    place = torch.arange(most, device=receiver.device)
    filled = place[None, :] < counts[:, None]
    slots = torch.zeros_like(filled, dtype=torch.long)
    slots[filled] = order
    return slots, filled


def _gather(values: torch.Tensor, slots: torch.Tensor, filled: torch.Tensor) -> torch.Tensor:
    picked = values.index_select(0, slots.reshape(-1)).view(*slots.shape, -1)
    return picked * filled.unsqueeze(-1).to(values.dtype)


def fuse_convolutions(model: torch.nn.Module) -> torch.nn.Module:
    """Put a `ScalarConvolution` into every layer of a MACE that starts from scalars alone."""
    l_max = int(model.spherical_harmonics._lmax)
    for layer in model.interactions:
        if type(layer).__name__ not in HOOKED_LAYERS:
            continue
        # Models pickled by older versions of mace have no edge_irreps of their own.
        senders = getattr(layer, "edge_irreps", layer.node_feats_irreps)
        channels = senders.count((0, 1))
        if senders.dim == channels and layer.conv_tp.weight_numel == channels * (l_max + 1):
            layer.conv_tp = ScalarConvolution(channels, l_max)
            layer.conv_fusion = True
    return model
