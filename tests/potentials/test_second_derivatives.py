"""Rows of the Hessian: of several copies at once as of one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mlphonon.potentials.mace.mace_potential import MacePotential
from mlphonon.potentials.second_derivatives import differentiate_forces
from tests.helpers.crystals import triclinic

VECTORS = np.random.default_rng(1).normal(size=(7, 3))
DIRECTIONS = [(i % 4, vector) for i, vector in enumerate(VECTORS)]


def test_rows_of_a_cubic_energy_are_those_on_paper() -> None:
    """E = sum x^3 / 6 of each coordinate: the Hessian is diagonal and holds x."""
    positions = torch.tensor(np.random.default_rng(0).normal(size=(4, 3)), requires_grad=True)
    (slope,) = torch.autograd.grad((positions**3).sum() / 6, positions, create_graph=True)
    rows = differentiate_forces(-slope.view(1, 4, 3), positions, DIRECTIONS)
    x = positions.detach().numpy()
    for row, (atom, vector) in zip(rows, DIRECTIONS, strict=True):
        expected = np.zeros((4, 3))
        expected[atom] = x[atom] * vector
        np.testing.assert_allclose(row, expected, atol=1e-14)


@pytest.mark.parametrize("copies", [2, 3, 7])
def test_copies_bring_a_row_each(embedded: MacePotential, copies: int) -> None:
    """As on a GPU: 7 rows in passes of so many."""
    graph = embedded.graph(triclinic())
    one, many = (
        differentiate_forces(*embedded._differentiable_forces(graph, n), DIRECTIONS)
        for n in (1, copies)
    )
    np.testing.assert_allclose(many, one, atol=1e-10)
