from __future__ import annotations

import numpy as np
import torch

from mlphonon.potentials.mace.architecture import MaceArchitecture
from mlphonon.potentials.mace.fused import fuse_convolutions
from mlphonon.training.element_sharing import share_elements
from mlphonon.training.optimisation.muon import MatrixBlock, Muon, matrix_blocks, orthogonalise


def mace(shared: bool) -> torch.nn.Module:
    torch.manual_seed(0)
    shape = MaceArchitecture(
        atomic_numbers=(8, 13, 14),
        atomic_energies=(0.0,) * 3,
        avg_num_neighbors=4.0,
        scale=5.0,
        r_max=4.0,
        hidden_irreps="8x0e",
        radial_mlp=(12,),
        first_interaction="RealAgnosticInteractionBlock",
    )
    model = shape.build("float64")
    fuse_convolutions(model)
    if shared:
        share_elements(model)
    return model


def test_singular_values_come_near_one_and_vectors_stay() -> None:
    rng = np.random.default_rng(1)
    for shape in ((40, 6), (6, 40), (8, 8)):
        # Singular values over two decades, as gradients have them.
        u, _, v = np.linalg.svd(rng.normal(size=shape), full_matrices=False)
        given = u * np.geomspace(1, 0.02, len(v)) @ v
        found = orthogonalise(torch.as_tensor(given)[None])[0].numpy()
        values = np.diag(u.T @ found @ v.T)
        np.testing.assert_allclose(found, u * values @ v, atol=1e-10)
        assert values.min() > 0.6
        assert values.max() < 1.3


def test_blocks_cover_the_matrices_of_a_mace_once_and_nothing_else() -> None:
    for shared in (False, True):
        model = mace(shared)
        blocks = list(matrix_blocks(model))
        assert len({id(block.parameter) for block in blocks}) == len(blocks)
        for block in blocks:
            assert block.count * block.rows * block.columns == block.parameter.numel()
        found = {id(block.parameter) for block in blocks}
        left = {n for n, p in model.named_parameters() if p.requires_grad and id(p) not in found}
        assert {name.split(".")[0] for name in left} == {"node_embedding", "products", "readouts"}
        assert all("linear" not in name for name in left if name.startswith("products"))
        n_layers = 2
        per_layer = 2 + 2 + (2 if shared else 1) + 1  # radial, up and down, elements, product
        assert len(blocks) == n_layers * per_layer


def test_a_square_block_is_the_matrix_that_the_layer_applies() -> None:
    linear = mace(shared=False).products[0].linear
    x = torch.randn(5, 8, dtype=torch.float64)
    matrix = linear.weight.view(8, 8)
    torch.testing.assert_close(linear(x), x @ matrix / 8**0.5)


def test_a_step_has_the_asked_size_in_every_direction() -> None:
    torch.manual_seed(2)
    weight = torch.nn.Parameter(torch.zeros(2 * 30 * 10, dtype=torch.float64))
    weight.grad = (torch.randn(2, 30, 10) * torch.logspace(0, -1, 10)).double().reshape(-1)
    Muon([MatrixBlock(weight, 2, 30, 10)], lr=0.01).step()
    step = weight.detach().view(2, 30, 10)
    for matrix in step:
        assert 0.006 < float(matrix.square().mean().sqrt()) < 0.013
        columns = matrix.norm(dim=0)
        assert float(columns.max() / columns.min()) < 1.8
    assert float((step.reshape(-1) * weight.grad).sum()) < 0


def test_momentum_carries_on_when_the_gradient_vanishes() -> None:
    weight = torch.nn.Parameter(torch.zeros(16, dtype=torch.float64))
    optimizer = Muon([MatrixBlock(weight, 1, 4, 4)], lr=0.1)
    weight.grad = torch.eye(4, dtype=torch.float64).reshape(-1)
    optimizer.step()
    before = weight.detach().clone()
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    moved = (weight.detach() - before).view(4, 4)
    assert float(moved.diagonal().max()) < -0.05
