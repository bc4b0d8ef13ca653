"""The energy of a MACE with scalar features in few operations, for training on a CPU.

Mace's own layers spend most of a training step on things that a scalar network does not need: a
symmetric contraction that forms (l_max + 1)^6 numbers for every atom and channel, products with
one-hot elements, gathers and scatters in every derivative. Here

- edges stand in rows, one row for each atom, filled up with edges of length r_max, which
  contribute exactly nothing: no scatter, and sums over neighbours are matrix products;
- a contraction to scalars of vectors and tensors up to l = 2 is a polynomial of eight invariants;
  the weights of the contraction are mapped, exactly, to coefficients of these;
- the matrix of an atom's element is taken, and not multiplied by zeros.

The weights are those of the MACE that it was made of, so what is trained here *is* that MACE.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mlphonon.potentials.mace.fused import ElementLinear
from mlphonon.training.packed_graphs import PackedGraphs

INVARIANTS = ((0,), (1, 2, 3), (4, 5, 6, 7, 8))
"""Which of `_invariants` are of degree one, two and three."""

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
        dtype = next(model.parameters()).dtype
        self.quadratic, self.pairs = _quadratic_forms(dtype)
        self.maps = [
            [torch.as_tensor(m, dtype=dtype) for m in _contraction_maps(product, self)]
            for product in model.products
        ]

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
            found = self._invariants(torch.cat(mixed, dim=1) / self.neighbours)
            coefficients = self._coefficients(layer, product)[elements]
            features = (found * coefficients).sum(1) @ _linear(product.linear)
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

    def _invariants(self, x: torch.Tensor) -> torch.Tensor:
        """Return invariants of scalars, vectors and tensors, (n_atoms, 9, channels) as they come.

        Shape (n_atoms, 9, channels): s; s^2, v.v, t.t; s^3, s v.v, s t.t, v.t.v, t.t.t, the latter
        two by coupling to l = 2.
        """
        s, t = x[:, :1], x[:, 4:]
        squares = torch.matmul(self.quadratic, x[:, self.pairs[0]] * x[:, self.pairs[1]])
        two = torch.cat([s * s, squares[:, :2]], dim=1)
        vtv = (squares[:, 2:7] * t).sum(1, keepdim=True)
        ttt = (squares[:, 7:] * t).sum(1, keepdim=True)
        return torch.cat([s, two, s * two, vtv, ttt], dim=1)

    def _coefficients(self, layer: int, product: Any) -> torch.Tensor:
        """Return what each invariant counts, shape (n_elements, 9, channels)."""
        weights = _contraction_weights(product)
        return torch.cat(
            [torch.matmul(m, w) for m, w in zip(self.maps[layer], weights, strict=True)], dim=1
        )

    def _readout(self, readout: Any, features: torch.Tensor) -> torch.Tensor:
        if hasattr(readout, "linear"):
            return (features @ _linear(readout.linear))[:, 0]
        hidden = torch.nn.functional.silu(features @ _linear(readout.linear_1))
        return (hidden @ (self.act * _linear(readout.linear_2)))[:, 0]


def _check(model: torch.nn.Module) -> None:
    fits = (
        type(model).__name__ == "ScaleShiftMACE"
        and int(model.spherical_harmonics._lmax) == L_MAX
        and all(int(p.linear.irreps_in.lmax) == 0 for p in model.products)
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


def _contraction_weights(product: Any) -> list[torch.Tensor]:
    """Return weights of degrees one, two, three, shape (n_elements, n_paths, channels)."""
    (contraction,) = product.symmetric_contractions.contractions
    return [contraction.weights[1], contraction.weights[0], contraction.weights_max]


def _silu_norm() -> float:
    """Return the root mean square of silu over a normal distribution, as e3nn estimates it."""
    from e3nn.math import normalize2mom

    return 1.0 / float(normalize2mom(torch.nn.functional.silu).cst)


def _quadratic_forms(dtype: torch.dtype) -> tuple[torch.Tensor, tuple[list[int], list[int]]]:
    """Return the matrix that makes v.v, t.t, (vv)_2 and (tt)_2 of products of components."""
    from e3nn import o3

    pairs = [(i, j) for i in range(1, 4) for j in range(i, 4)]
    pairs += [(i, j) for i in range(4, 9) for j in range(i, 9)]
    vectors = o3.wigner_3j(1, 1, 2).to(torch.float64)
    tensors = o3.wigner_3j(2, 2, 2).to(torch.float64)
    matrix = torch.zeros(12, len(pairs), dtype=torch.float64)
    for column, (i, j) in enumerate(pairs):
        twice = 1.0 if i == j else 2.0
        if j < 4:
            matrix[0, column] = 1.0 if i == j else 0.0
            matrix[2:7, column] = twice * vectors[i - 1, j - 1]
        else:
            matrix[1, column] = 1.0 if i == j else 0.0
            matrix[7:, column] = twice * tensors[i - 4, j - 4]
    return matrix.to(dtype), ([i for i, _ in pairs], [j for _, j in pairs])


def _contraction_maps(product: Any, quick: QuickMace) -> list[np.ndarray]:
    """Return, for each degree, how the paths of a contraction are made of invariants.

    Shape (n_invariants, n_paths). Both are polynomials; their values at random points decide.
    """
    (contraction,) = product.symmetric_contractions.contractions
    x = torch.randn(60, 9, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    forms, quick.quadratic = quick.quadratic, quick.quadratic.to(torch.float64)
    values = quick._invariants(x)[..., 0].numpy()
    quick.quadratic = forms
    maps, point = [], x[..., 0].numpy()
    for degree, chosen in enumerate(INVARIANTS, start=1):
        u = contraction.U_tensors(degree).detach().to(torch.float64).numpy()
        paths = {
            1: lambda u: np.einsum("ik,ni->nk", u, point),
            2: lambda u: np.einsum("ijk,ni,nj->nk", u, point, point),
            3: lambda u: np.einsum("ijlk,ni,nj,nl->nk", u, point, point, point),
        }[degree](u)
        solution, *_ = np.linalg.lstsq(values[:, list(chosen)], paths, rcond=None)
        if np.abs(values[:, list(chosen)] @ solution - paths).max() > 1e-4:
            raise ValueError("a contraction is made of other invariants")
        maps.append(solution)
    return maps
