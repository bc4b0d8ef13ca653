from __future__ import annotations

import pytest
import torch

from mlphonon.potentials.mace.architecture import MaceArchitecture
from mlphonon.potentials.mace.fused import fuse_convolutions, plain_copy
from mlphonon.potentials.mace.invariants import ScalarContraction, fits, invariants, quadratic_forms

SHAPE = {
    "atomic_numbers": (8, 14),
    "atomic_energies": (0.0, 0.0),
    "avg_num_neighbors": 5.0,
    "scale": 1.0,
    "hidden_irreps": "6x0e",
    "radial_mlp": (8,),
}


def contractions(dtype: str = "float64", **changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    model = MaceArchitecture(**(SHAPE | changes)).build(dtype)
    return model.products[0].symmetric_contractions


def test_the_polynomial_is_the_contraction_and_so_are_its_derivatives() -> None:
    plain = contractions()
    assert fits(plain, 6)
    x = torch.randn(7, 6, 9, dtype=torch.float64, requires_grad=True)
    y = torch.eye(2, dtype=torch.float64)[[0, 1, 1, 0, 1, 0, 0]]
    found = []
    for each in (plain, ScalarContraction(plain)):
        value = each(x, y)
        (slope,) = torch.autograd.grad(value.square().sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(slope.square().sum(), x, retain_graph=True)
        weight = torch.autograd.grad(slope.square().sum(), plain.contractions[0].weights_max)[0]
        found.append((value.detach(), slope.detach(), second, weight))
    for ours, maces in zip(*found, strict=True):
        torch.testing.assert_close(ours, maces, rtol=1e-10, atol=1e-10 * float(maces.abs().max()))


def test_invariants_do_not_change_when_the_crystal_is_turned() -> None:
    from e3nn import o3

    x = torch.randn(5, 9, 3, dtype=torch.float64)
    turn = o3.rand_matrix(dtype=torch.float64)
    irreps = o3.Irreps("0e + 1o + 2e")
    turned = torch.einsum("ij,njc->nic", irreps.D_from_matrix(turn).to(x), x)
    forms = quadratic_forms()
    torch.testing.assert_close(invariants(turned, forms), invariants(x, forms))


@pytest.mark.parametrize(
    "changes",
    [{"hidden_irreps": "6x0e + 6x1o"}, {"max_ell": 1}, {"max_ell": 3}, {"correlation": 2}],
)
def test_other_contractions_stay_as_they_are(changes: dict[str, object]) -> None:
    assert not fits(contractions(**changes), 6)


def test_constants_that_were_rounded_are_left_alone_in_double_precision() -> None:
    rounded = contractions("float32")
    assert fits(rounded, 6)
    assert not fits(rounded.double(), 6)


def test_weights_keep_their_names_and_the_plain_model_comes_back() -> None:
    model = MaceArchitecture(**SHAPE).build("float64")
    names = [name for name, _ in model.named_parameters()]
    fuse_convolutions(model)
    assert [name for name, _ in model.named_parameters()] == names
    assert isinstance(model.products[0].symmetric_contractions, ScalarContraction)
    plain = plain_copy(model)
    assert type(plain.products[0].symmetric_contractions).__name__ == "SymmetricContraction"
