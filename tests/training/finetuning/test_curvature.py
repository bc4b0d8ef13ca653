"""Products of Hessians: right, and differentiable by the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from mace.data import AtomicData, Configuration
from mace.tools import AtomicNumberTable

from mlphonon.potentials.mace.fused import fuse_convolutions
from mlphonon.training.finetuning.curvature import frequency_errors, hessian_products
from mlphonon.training.graphs import collate
from tests.helpers.springs import TO_THZ
from tests.helpers.tiny_mace import TINY

NUMBERS = (13, 29)


@pytest.fixture
def model() -> torch.nn.Module:
    torch.manual_seed(3)
    changes = {"atomic_numbers": NUMBERS, "scale": 5.0, "max_ell": 2, "hidden_irreps": "8x0e"}
    made = TINY.model_copy(update=changes).build("float64")
    fuse_convolutions(made)
    return made


def graph(atoms: Atoms) -> AtomicData:
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return AtomicData.from_config(
            Configuration(
                atomic_numbers=atoms.numbers,
                positions=atoms.positions,
                properties={},
                property_weights={},
                cell=atoms.cell.array,
                pbc=(True, True, True),
            ),
            z_table=AtomicNumberTable(list(NUMBERS)),
            cutoff=4.0,
        )
    finally:
        torch.set_default_dtype(previous)


def crystals() -> list[Atoms]:
    made = [bulk("Al", cubic=True), bulk("Cu", cubic=True)]
    made[1].symbols[0] = "Al"
    for seed, atoms in enumerate(made):
        atoms.rattle(0.05, seed=seed)
    return made


def forces(model: torch.nn.Module, structures: list[Atoms]) -> torch.Tensor:
    batch = collate([graph(atoms) for atoms in structures])
    return model(batch.to_dict(), compute_force=True)["forces"].detach()


def directions() -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(5).normal(size=(8, 3)))


def test_products_are_slopes_of_forces(model: torch.nn.Module) -> None:
    ways = directions()
    batch = collate([graph(atoms) for atoms in crystals()])
    predicted, products = hessian_products(model, batch, ways)
    step, ends = 1e-4, []
    for sign in (1, -1):
        moved = crystals()
        for k, atoms in enumerate(moved):
            atoms.positions += sign * step * ways[4 * k : 4 * k + 4].numpy()
        ends.append(forces(model, moved))
    slopes = (ends[1] - ends[0]) / (2 * step)
    scale = float(products.detach().abs().max())
    assert float((products.detach() - slopes).abs().max()) < 1e-6 * scale
    assert torch.allclose(predicted["forces"], forces(model, crystals()), atol=1e-12)


def test_weights_feel_second_derivatives(model: torch.nn.Module) -> None:
    """Third derivatives, by the positions twice and by a weight, against differences."""
    batch = collate([graph(atoms) for atoms in crystals()])
    ways, target = directions(), torch.ones(8, 3, dtype=torch.float64)

    def loss() -> torch.Tensor:
        _, products = hessian_products(model, batch, ways)
        return (products - target).square().sum()

    names = ("interactions.1.linear_up.weight", "products.0.linear.weight")
    weights = [dict(model.named_parameters())[name] for name in names]
    gradients = torch.autograd.grad(loss(), weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        at = int(gradient.abs().argmax())
        step, ends = 1e-5, []
        for sign in (1, -1):
            with torch.no_grad():
                weight.view(-1)[at] += sign * step
            ends.append(float(loss().detach()))
            with torch.no_grad():
                weight.view(-1)[at] -= sign * step
        slope = (ends[0] - ends[1]) / (2 * step)
        assert float(gradient.view(-1)[at]) == pytest.approx(slope, rel=1e-6)


def test_an_error_of_a_stiffness_is_told_as_one_of_a_frequency() -> None:
    """Two crystals of independent oscillators: k 1 % too large makes frequencies 0.5 % too high."""
    masses = torch.tensor([10.0] * 4 + [40.0] * 2)
    stiffness = torch.tensor([3.0] * 4 + [0.5] * 2)[:, None]
    graph_of = torch.tensor([0, 0, 0, 0, 1, 1])
    # Of unit root mean square, as directions are.
    ways = torch.ones(6, 3)
    errors = frequency_errors(1.01 * stiffness * ways, stiffness * ways, masses, graph_of)
    expected = 0.005 * TO_THZ * np.sqrt(stiffness[:, 0] / masses)
    assert torch.allclose(errors, expected.float(), rtol=1e-3)
