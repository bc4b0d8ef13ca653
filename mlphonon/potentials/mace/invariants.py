"""Symmetric contractions to scalars as polynomials of a few invariants.

A contraction of scalars, vectors and l = 2 tensors to scalars, of degree three, is computed by mace
with 9^3 numbers for every atom and channel. All that it can be is a sum of nine invariants, with
coefficients that its weights decide, exactly; which takes a tenth of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

DEGREES = ((0,), (1, 2, 3), (4, 5, 6, 7, 8))
"""Which of `invariants` are of degree one, two and three."""

ROUNDING = {torch.float64: 1e-12, torch.float32: 1e-5}
"""By which a contraction, by constants of that precision, may differ from the polynomial."""


class ScalarContraction(torch.nn.Module):
    """Takes the place of a ``SymmetricContraction`` that `fits`, and shares its weights.

    Parameters
    ----------
    replaced : torch.nn.Module
        Mace's; its parameters keep their names.
    """

    def __init__(self, replaced: torch.nn.Module) -> None:
        super().__init__()
        # In tuples torch does not see them: neither weights nor cast with these.
        self._replaced = (replaced,)
        self.contractions = replaced.contractions
        self._maps = contraction_maps(self.contractions[0])
        self._forms = quadratic_forms()

    def forward(self, features: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        """Contract features, shape (n_nodes, channels, 9), of one-hot elements."""
        found = self.invariants(features.transpose(1, 2))
        return (found * self.coefficients()[attributes.argmax(dim=1)]).sum(dim=1)

    def invariants(self, x: torch.Tensor) -> torch.Tensor:
        """Return invariants of scalars s, vectors v and tensors t, as the nine components come.

        Parameters
        ----------
        x : Tensor, shape (n_nodes, 9, channels)

        Returns
        -------
        Tensor, shape (n_nodes, 9, channels)
            s; s^2, v.v, t.t; s^3, s v.v, s t.t, (v v)_2 . t, (t t)_2 . t.
        """
        return invariants(x, self._forms)

    def coefficients(self) -> torch.Tensor:
        """Return what each invariant counts, shape (n_elements, 9, channels)."""
        contraction = self.contractions[0]
        weights = (contraction.weights[1], contraction.weights[0], contraction.weights_max)
        pairs = zip(self._maps, weights, strict=True)
        return torch.cat([torch.matmul(m.to(w), w) for m, w in pairs], dim=1)

    @property
    def replaced(self) -> torch.nn.Module:
        """Mace's contraction, with the same weights."""
        return self._replaced[0]


Forms = tuple[torch.Tensor, list[int], list[int]]
"""A matrix, and the components whose products it multiplies."""


def quadratic_forms() -> Forms:
    """Return the matrix that makes v.v, t.t, (v v)_2 and (t t)_2 of products of components."""
    from e3nn import o3

    pairs = [(i, j) for i in range(1, 4) for j in range(i, 4)]
    pairs += [(i, j) for i in range(4, 9) for j in range(i, 9)]
    vectors, tensors = (o3.wigner_3j(degree, degree, 2, dtype=torch.float64) for degree in (1, 2))
    matrix = torch.zeros(12, len(pairs), dtype=torch.float64)
    for column, (i, j) in enumerate(pairs):
        twice = 1.0 if i == j else 2.0
        if j < 4:
            matrix[0, column] = float(i == j)
            matrix[2:7, column] = twice * vectors[i - 1, j - 1]
        else:
            matrix[1, column] = float(i == j)
            matrix[7:, column] = twice * tensors[i - 4, j - 4]
    return matrix, [i for i, _ in pairs], [j for _, j in pairs]


def invariants(x: torch.Tensor, forms: Forms) -> torch.Tensor:
    """Return the nine invariants; see `ScalarContraction.invariants`."""
    matrix, first, second = forms
    s, t = x[:, :1], x[:, 4:]
    squares = torch.matmul(matrix.to(x), x[:, first] * x[:, second])
    two = torch.cat([s * s, squares[:, :2]], dim=1)
    vvt = (squares[:, 2:7] * t).sum(dim=1, keepdim=True)
    ttt = (squares[:, 7:] * t).sum(dim=1, keepdim=True)
    return torch.cat([s, two, s * two, vvt, ttt], dim=1)


def contraction_maps(contraction: Any) -> tuple[torch.Tensor, ...]:
    """Return, for each degree, how the paths of a contraction are made of invariants.

    Both are polynomials; their values at random points decide.

    Returns
    -------
    tuple of Tensor, shape (n_invariants, n_paths) each

    Raises
    ------
    ValueError
        If the contraction is made of other invariants.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 9, 1, dtype=torch.float64, generator=generator)
    values, points = invariants(x, quadratic_forms())[..., 0].numpy(), x[..., 0].numpy()
    sums = ("ik,ni->nk", "ijk,ni,nj->nk", "ijlk,ni,nj,nl->nk")
    maps = []
    for degree, chosen in enumerate(DEGREES, start=1):
        constants = contraction.U_tensors(degree)
        exact = constants.detach().cpu().to(torch.float64).numpy()
        paths = np.einsum(sums[degree - 1], exact, *[points] * degree, optimize=True)
        ours = values[:, list(chosen)]
        solution, *_ = np.linalg.lstsq(ours, paths, rcond=None)
        if np.abs(ours @ solution - paths).max() > ROUNDING[constants.dtype] * np.abs(paths).max():
            raise ValueError("the contraction is made of other invariants")
        maps.append(torch.as_tensor(solution))
    return tuple(maps)


def fits(contractions: Any, channels: int) -> bool:
    """Tell whether a contraction of mace is one that `ScalarContraction` computes."""
    if type(contractions).__name__ != "SymmetricContraction":
        return False
    inputs = [(int(mul), int(ir.l), int(ir.p)) for mul, ir in contractions.irreps_in]
    outputs = [(int(mul), int(ir.l), int(ir.p)) for mul, ir in contractions.irreps_out]
    right = (
        inputs == [(channels, 0, 1), (channels, 1, -1), (channels, 2, 1)]
        and outputs == [(channels, 0, 1)]
        and contractions.contractions[0].correlation == len(DEGREES)
    )
    if not right:
        return False
    try:
        contraction_maps(contractions.contractions[0])
    # Constants that were rounded would change the energy more than rounding does.
    except ValueError:
        return False
    return True
