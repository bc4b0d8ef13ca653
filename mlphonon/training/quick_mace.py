"""The energy of a MACE with scalar features in few operations, for training on a CPU.

Mace's own layers spend most of a training step on things that a scalar network does not need: a
symmetric contraction that forms (l_max + 1)^6 numbers for every atom and channel, products with
one-hot elements, gathers and scatters in every derivative. Here

- edges stand in rows, one row for each atom, filled up with edges of length r_max, which
  contribute exactly nothing: no scatter, and sums over neighbours are matrix products;
- contractions to scalars are polynomials of invariants (`mlphonon.potentials.mace.invariants`);
- the matrix of an atom's element is taken, and not multiplied by zeros.

The weights are those of the MACE that it was made of, so what is trained here *is* that MACE.
"""

from __future__ import annotations

from typing import Any

import torch

from mlphonon.potentials.mace.fused import ElementLinear
from mlphonon.potentials.mace.invariants import ScalarContraction
from mlphonon.training.packed_graphs import PackedGraphs

L_MAX = 2


class QuickMace:
    """Energies and forces of a fused MACE (`mlphonon.potentials.mace.fused`), by its own weights.

    Parameters
    ----------
    model : torch.nn.Module
        A ScaleShiftMACE with scalar features, l_max 2 and correlation 3, fused; element sharing
        (`mlphonon.training.element_sharing`) is heeded.

    Raises
    ------
    ValueError
        If the model is of another kind.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        _check(model)
        self.model = model
        self.r_max = float(model.r_max)
        self.power = int(model.radial_embedding.cutoff_fn.p)
        self.neighbours = float(model.interactions[0].avg_num_neighbors)
        self.act = 1.0 / float(_silu_norm())

    def node_energies(
        self, graphs: PackedGraphs, positions: torch.Tensor, strain: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return each atom's share of the energy, without that of free atoms, eV.

        Parameters
        ----------
        graphs : PackedGraphs
            Neighbours.
        positions : Tensor, shape (n_atoms, 3)
            A.
        strain : Tensor, shape (n_graphs, 3, 3), optional
            Symmetric; what each crystal is strained by.
        """
        model, elements, n = self.model, graphs.elements, len(graphs.elements)
        vectors = positions[:, None] - positions[graphs.senders] + graphs.offsets
        if strain is not None:
            vectors = vectors + torch.bmm(vectors, strain[graphs.graph])
        harmonics, radial = self._edges(vectors)
        features = _linear(model.node_embedding.linear)
        energies = positions.new_zeros(n)
        channels = features.shape[1]
        for layer, (interaction, product) in enumerate(
            zip(model.interactions, model.products, strict=True)
        ):
            up = features @ _linear(interaction.linear_up)
            # In the first layer all atoms of an element are alike.
            source = elements[graphs.senders] if layer == 0 else graphs.senders
            weights = self._radial_weights(interaction, radial).view(n, -1, L_MAX + 1, channels)
            messages = (weights * up[source][:, :, None]).unbind(2)
            parts = [
                torch.bmm(y, m) @ w
                for y, m, w in zip(
                    harmonics, messages, _linears(interaction.linear, L_MAX + 1), strict=True
                )
            ]
            own = _element_matrices(interaction.skip_tp)
            if layer == 0:
                mixed = [torch.bmm(x, s[elements]) for x, s in zip(parts, own, strict=True)]
                kept = None
            else:
                mixed = parts
                kept = torch.bmm(features[:, None], own[0][elements])[:, 0]
            contraction = product.symmetric_contractions
            found = contraction.invariants(torch.cat(mixed, dim=1) / self.neighbours)
            contracted = (found * contraction.coefficients()[elements]).sum(1)
            features = contracted @ _linear(product.linear)
            features = features if kept is None else features + kept
            energies = energies + self._readout(model.readouts[layer], features)
        scaling = model.scale_shift
        return scaling.scale.reshape(()) * energies + scaling.shift.reshape(())

    def free_energies(self, graphs: PackedGraphs) -> torch.Tensor:
        """Return the energies of the atoms by themselves, shape (n_graphs,), eV."""
        of_elements = self.model.atomic_energies_fn.atomic_energies.reshape(-1)
        each = of_elements[graphs.elements].to(torch.float64)
        return each.new_zeros(graphs.n_graphs).index_add(0, graphs.graph, each)

    def forces(
        self, graphs: PackedGraphs, positions: torch.Tensor, create_graph: bool = False
    ) -> torch.Tensor:
        """Return forces, shape (n_atoms, 3), eV/A."""
        positions = positions.detach().requires_grad_(True)
        total = self.node_energies(graphs, positions).sum()
        (slope,) = torch.autograd.grad(total, positions, create_graph=create_graph)
        return -slope

    def _edges(self, vectors: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Return spherical harmonics, (n_atoms, 2l+1, most) each, and radial functions."""
        lengths = vectors.square().sum(-1, keepdim=True).sqrt()
        x, y, z = (vectors / lengths).unbind(-1)
        root3, root5 = 3**0.5, 5**0.5
        first = torch.stack([x, y, z], dim=1) * root3
        second = torch.stack(
            [
                root3 * x * z,
                root3 * x * y,
                y * y - 0.5 * (x * x + z * z),
                root3 * y * z,
                root3 / 2 * (z * z - x * x),
            ],
            dim=1,
        )
        embedding = self.model.radial_embedding
        u, p = lengths / self.r_max, self.power
        tail = (p + 1) * (p + 2) / 2 - u * (p * (p + 2) - u * (p * (p + 1) / 2))
        envelope = 1 - u**p * tail
        bessel = torch.sin(embedding.bessel_fn.bessel_weights * lengths) * (
            embedding.bessel_fn.prefactor * envelope / lengths
        )
        return [torch.ones_like(x)[:, None], first, root5 * second], bessel

    def _radial_weights(self, interaction: Any, radial: torch.Tensor) -> torch.Tensor:
        layers = list(interaction.conv_tp_weights.children())
        values = radial.flatten(0, 1)
        for number, layer in enumerate(layers):
            factor = 1.0 if number == 0 else self.act
            values = values @ (layer.weight * (factor * layer.weight.shape[0] ** -0.5))
            if number < len(layers) - 1:
                values = torch.nn.functional.silu(values)
        return values

    def _readout(self, readout: Any, features: torch.Tensor) -> torch.Tensor:
        if hasattr(readout, "linear"):
            return (features @ _linear(readout.linear))[:, 0]
        hidden = torch.nn.functional.silu(features @ _linear(readout.linear_1))
        return (hidden @ (self.act * _linear(readout.linear_2)))[:, 0]


def _check(model: torch.nn.Module) -> None:
    fits = (
        type(model).__name__ == "ScaleShiftMACE"
        and int(model.spherical_harmonics._lmax) == L_MAX
        and all(isinstance(p.symmetric_contractions, ScalarContraction) for p in model.products)
        and all(isinstance(i.skip_tp, ElementLinear) for i in model.interactions)
        and not hasattr(model, "pair_repulsion")
        and not hasattr(model.radial_embedding, "distance_transform")
        and getattr(model.radial_embedding, "apply_cutoff", True)
    )
    if not fits:
        raise ValueError("only a fused MACE with scalar features and l_max 2 can be evaluated so")


def _linear(linear: Any) -> torch.Tensor:
    """Return the matrix of an e3nn ``Linear`` between scalars, normalised as e3nn does."""
    rows, columns = int(linear.irreps_in.dim), int(linear.irreps_out.dim)
    return linear.weight.view(rows, columns) * rows**-0.5


def _linears(linear: Any, degrees: int) -> torch.Tensor:
    """Return the matrices of each degree, shape (degrees, channels, channels)."""
    channels = int(linear.irreps_in.count((0, 1)))
    return linear.weight.view(degrees, channels, -1) * channels**-0.5


def _element_matrices(linear: Any) -> list[torch.Tensor]:
    """Return matrices of each degree, shape (n_elements, channels_in, channels_out)."""
    return [part.transpose(0, 1) for part in linear._weights()]


def _silu_norm() -> float:
    """Return the root mean square of silu over a normal distribution, as e3nn estimates it."""
    from e3nn.math import normalize2mom

    return 1.0 / float(normalize2mom(torch.nn.functional.silu).cst)
