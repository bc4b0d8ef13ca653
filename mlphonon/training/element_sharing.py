"""Letting elements learn from one another while a MACE is trained.

A MACE keeps weights of its own for every element, and an element that occurs in three frames
of a hundred learns from three of a hundred. Here each such weight is a sum: a part common to
all elements, to its group, to its period, and one that follows its size, which every frame
teaches; and a rest of its own. After training the sums are written out, and what remains is
an ordinary MACE.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.nn.utils import parametrize

from mlphonon.crystal.periodic_table import period_and_group
from mlphonon.potentials.mace.fused import ElementLinear


def element_descriptors(numbers: tuple[int, ...]) -> np.ndarray:
    """Constant, period and group as one-hot vectors, and covalent radius scaled to [-1, 1].

    Returns
    -------
    ndarray, shape (n_elements, 28)
        Rows of unit length.
    """
    from ase.data import covalent_radii

    rows = np.zeros((len(numbers), 28))
    rows[:, 0] = 1.0
    for row, number in zip(rows, numbers, strict=True):
        period, group = period_and_group(number)
        row[period] = row[7 + group] = 1.0
    radii = covalent_radii[list(numbers)]
    rows[:, 27] = 2 * (radii - radii.min()) / np.ptp(radii) - 1 if np.ptp(radii) > 0 else 0.0
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class _SharedWeight(torch.nn.Module):
    """Weight = descriptors times what is shared, plus each element's own."""

    def __init__(self, weight: torch.Tensor, shape: tuple[int, int, int], rows: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("rows", torch.as_tensor(rows, dtype=weight.dtype), persistent=False)
        before, elements, _ = shape
        after = weight.numel() // (before * elements)
        spread = float(weight.detach().std())
        start = torch.randn(before, rows.shape[1], after, dtype=weight.dtype)
        self.shared = torch.nn.Parameter(spread * start)

    def forward(self, own: torch.Tensor) -> torch.Tensor:
        shared = torch.einsum("ek,bka->bea", self.rows, self.shared)
        return shared.reshape(own.shape) + own


def share_elements(model: torch.nn.Module, keep: bool = False) -> None:
    """Put, in place, shared parts into all weights of a (fused) MACE that belong to elements.

    Fresh weights begin as shared parts drawn at random; with `keep` the weights stay as they are
    and the shared parts begin at zero.
    """
    rows = element_descriptors(tuple(int(z) for z in model.atomic_numbers))
    for module, name, shape in _element_weights(model, len(rows)):
        sharing = _SharedWeight(getattr(module, name), shape, rows)
        parametrize.register_parametrization(module, name, sharing, unsafe=True)
        with torch.no_grad():
            (sharing.shared if keep else module.parametrizations[name].original).zero_()


def _element_weights(
    model: torch.nn.Module, n: int
) -> Iterator[tuple[torch.nn.Module, str, tuple[int, int, int]]]:
    """Yield module, name and shape (before, n_elements, after) of each element-wise weight."""
    yield model.node_embedding.linear, "weight", (1, n, -1)
    for layer in model.interactions:
        if isinstance(layer.skip_tp, ElementLinear):
            skip = layer.skip_tp
            if len({(channels, *skip.outputs) for channels, _ in skip.inputs}) == 1:
                yield skip, "weight", (sum(channels for channels, _ in skip.inputs), n, -1)
    for product in model.products:
        for contraction in product.symmetric_contractions.contractions:
            yield contraction, "weights_max", (1, n, -1)
            for index in range(len(contraction.weights)):
                yield contraction.weights, str(index), (1, n, -1)


def plain_weights(shared: torch.nn.Module, plain: torch.nn.Module) -> torch.nn.Module:
    """Write the sums of `shared` out into `plain`, a MACE of the same shape; returns `plain`."""
    with torch.no_grad():
        for name, parameter in plain.named_parameters():
            value = shared
            for part in name.split("."):
                value = getattr(value, part)
            parameter.copy_(value)
    return plain
