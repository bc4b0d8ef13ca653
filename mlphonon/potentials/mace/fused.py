"""Quicker arithmetic for MACE layers that are fed with scalars, for any device.

e3nn forms the product of sender features and spherical harmonics edge by edge, an array of
(edges, channels x (l_max + 1)^2) that is written, read and added up again, in each derivative
once more. Here the sum over neighbours is a matrix product, and that array never exists. Where
e3nn multiplies by one-hot elements, the element's matrix is simply taken. And contractions to
scalars are polynomials of invariants (`mlphonon.potentials.mace.invariants`).
"""

from __future__ import annotations

import copy
import math

import torch

from mlphonon.potentials.mace.invariants import ScalarContraction, fits

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
    replaced : torch.nn.Module, optional
        e3nn's tensor product whose place it takes.
    """

    def __init__(self, channels: int, l_max: int, replaced: torch.nn.Module | None = None) -> None:
        super().__init__()
        # In a tuple torch does not see it: no part of the weights or of what is trained.
        self._replaced = (replaced,)
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
    picked = values.index_select(0, slots.reshape(-1)).view(*slots.shape, values.shape[1])
    return picked * filled.unsqueeze(-1).to(values.dtype)


class ElementLinear(torch.nn.Module):
    """A linear map of features whose matrix is chosen by the atom's element.

    Takes the place of a ``FullyConnectedTensorProduct`` with one-hot attributes, which
    multiplies by all the zeros of the other elements too: 80 times the work.

    Parameters
    ----------
    product : torch.nn.Module
        e3nn's tensor product, of features with one copy of each degree and one-hot
        attributes. Its weights are shared with it, under the same name.
    """

    def __init__(self, product: torch.nn.Module) -> None:
        super().__init__()
        self._replaced = (product,)
        self.weight = product.weight
        self.n_elements = int(product.irreps_in2.dim)
        self.inputs = [(int(mul), int(ir.dim)) for mul, ir in product.irreps_in1]
        self.outputs = [int(mul) for mul, _ in product.irreps_out]

    def forward(self, features: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        """Map features, shape (n_nodes, dim_in), given one-hot attributes."""
        element = attributes.argmax(dim=1)
        order = torch.argsort(element, stable=True)
        present, counts = torch.unique_consecutive(element[order], return_counts=True)
        rows = features.index_select(0, order)
        # (element, channel) matrices of the elements that are present, one set for each degree.
        matrices = [part.index_select(1, present).unbind(1) for part in self._weights()]
        mapped = []
        for k, block in enumerate(rows.split(counts.tolist())):
            pieces = block.split([channels * dim for channels, dim in self.inputs], dim=1)
            mapped.append(
                torch.cat(
                    [
                        torch.einsum("ncm,cd->ndm", x.view(-1, channels, dim), w[k]).flatten(1)
                        for x, w, (channels, dim) in zip(pieces, matrices, self.inputs, strict=True)
                    ],
                    dim=1,
                )
            )
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order), device=order.device)
        return torch.cat(mapped).index_select(0, back)

    def _weights(self) -> list[torch.Tensor]:
        """Weights of each degree, shape (channels_in, n_elements, channels_out)."""
        shapes = [
            (channels, self.n_elements, out)
            for (channels, _), out in zip(self.inputs, self.outputs, strict=True)
        ]
        parts = self.weight.split([math.prod(shape) for shape in shapes])
        # e3nn's normalisation: unit variance out for unit variance in.
        return [
            part.view(shape) * (shape[0] * shape[1]) ** -0.5
            for part, shape in zip(parts, shapes, strict=True)
        ]


def fuse_convolutions(model: torch.nn.Module) -> None:
    """Put, in place, the quicker arithmetic into every layer of a MACE that it fits."""
    l_max = int(model.spherical_harmonics._lmax)
    for layer in model.interactions:
        if type(layer).__name__ not in HOOKED_LAYERS:
            continue
        # Models pickled by older versions of mace have no edge_irreps of their own.
        senders = getattr(layer, "edge_irreps", layer.node_feats_irreps)
        channels, convolution = senders.count((0, 1)), layer.conv_tp
        if (
            not isinstance(convolution, ScalarConvolution)
            and senders.dim == channels
            and convolution.weight_numel == channels * (l_max + 1)
        ):
            layer.conv_tp = ScalarConvolution(channels, l_max, convolution)
            layer.conv_fusion = True
        if not isinstance(layer.skip_tp, ElementLinear) and _maps_degree_by_degree(layer.skip_tp):
            layer.skip_tp = ElementLinear(layer.skip_tp)
    for product in model.products:
        contractions = product.symmetric_contractions
        if not getattr(product, "use_agnostic_product", False) and fits(
            contractions, int(product.linear.irreps_in.count((0, 1)))
        ):
            product.symmetric_contractions = ScalarContraction(contractions)


def is_fused(model: torch.nn.Module) -> bool:
    """Tell whether a MACE holds the quicker arithmetic in any layer."""
    return any(
        isinstance(layer.conv_tp, ScalarConvolution) or isinstance(layer.skip_tp, ElementLinear)
        for layer in model.interactions
    )


def plain_copy(model: torch.nn.Module) -> torch.nn.Module:
    """Return a copy of a MACE with e3nn's own layers where `fuse_convolutions` took their place.

    The layers that were replaced are kept in those that replaced them and share their weights; they
    are brought to the precision and the device that the model has now.
    """
    plain = copy.deepcopy(model)
    like = next(plain.parameters())
    for layer in plain.interactions:
        if isinstance(layer.conv_tp, ScalarConvolution):
            (layer.conv_tp,) = layer.conv_tp._replaced
            del layer.conv_fusion
        if isinstance(layer.skip_tp, ElementLinear):
            weight = layer.skip_tp.weight
            (layer.skip_tp,) = layer.skip_tp._replaced
            if layer.skip_tp.weight is not weight:
                # A parametrised weight is computed, and is another each time it is asked for.
                layer.skip_tp.weight = torch.nn.Parameter(weight.detach(), requires_grad=False)
    for product in plain.products:
        if isinstance(product.symmetric_contractions, ScalarContraction):
            product.symmetric_contractions = product.symmetric_contractions.replaced
    return plain.to(device=like.device, dtype=like.dtype)


def _maps_degree_by_degree(product: torch.nn.Module) -> bool:
    """Tell whether a tensor product has what `ElementLinear` takes for granted."""
    inputs, outputs = product.irreps_in1, product.irreps_out
    scalar_attributes = all(ir.l == 0 and ir.p == 1 for _, ir in product.irreps_in2)
    same_degrees = [ir for _, ir in inputs] == [ir for _, ir in outputs]
    each_once = len({ir for _, ir in inputs}) == len(inputs)
    return scalar_attributes and same_degrees and each_once
