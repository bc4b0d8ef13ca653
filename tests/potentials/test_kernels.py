"""Our quicker arithmetic gives what mace's own gives: values, forces, and what training needs."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from mlphonon.errors import PotentialError
from mlphonon.potentials.architecture import MaceArchitecture
from mlphonon.potentials.fused import ElementLinear, ScalarConvolution, fuse_convolutions
from mlphonon.potentials.kernels import accelerate, probe_structure, require_same_forces
from mlphonon.potentials.mace import MacePotential

ELEMENTS = (8, 13, 14)
DENSITY = "RealAgnosticDensityInteractionBlock"


def small_model(**changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    values = {
        "atomic_numbers": ELEMENTS,
        "atomic_energies": (0.0, 1.0, 2.0),
        "avg_num_neighbors": 12.0,
        "scale": 1.0,
        "hidden_irreps": "8x0e",
        "radial_mlp": (8,),
        "r_max": 4.0,
        "first_interaction": "RealAgnosticInteractionBlock",
    }
    return MaceArchitecture(**(values | changes)).build("float64")


def batch_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    from mace.tools.torch_geometric.batch import Batch

    maker = MacePotential(copy.deepcopy(model), name="maker")
    structures = [probe_structure(8), probe_structure(14)]
    structures[0].numbers[::3] = 13
    return Batch.from_data_list([maker._graph(atoms) for atoms in structures]).to_dict()


@pytest.mark.parametrize(
    ("changes", "fused_layers"),
    [
        ({}, 2),
        ({"first_interaction": DENSITY}, 2),
        ({"hidden_irreps": "8x0e+8x1o"}, 1),
        ({"max_ell": 3, "correlation": 2}, 2),
    ],
)
def test_values_and_training_gradients_are_the_same(changes: dict, fused_layers: int) -> None:
    plain = small_model(**changes)
    fused = copy.deepcopy(plain)
    fuse_convolutions(fused)
    kinds = [type(layer.conv_tp) for layer in fused.interactions]
    assert kinds.count(ScalarConvolution) == fused_layers
    assert any(isinstance(layer.skip_tp, ElementLinear) for layer in fused.interactions)
    batch = batch_of(plain)
    gradients = []
    results = []
    for model in (plain, fused):
        out = model(dict(batch), training=True, compute_force=True, compute_stress=True)
        # Quadratic in the forces: its gradient needs mixed second derivatives.
        (out["forces"].square().sum() + out["energy"].square().sum()).backward()
        results.append(out)
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    assert float(results[0]["forces"].detach().abs().max()) > 1e-3
    for key in ("energy", "forces", "stress"):
        torch.testing.assert_close(results[0][key], results[1][key], rtol=1e-10, atol=1e-11)
    assert gradients[0].keys() == gradients[1].keys()
    for name, expected in gradients[0].items():
        if expected is not None:
            torch.testing.assert_close(gradients[1][name], expected, rtol=1e-8, atol=1e-9)


def test_an_atom_without_neighbours_has_no_message() -> None:
    convolution = ScalarConvolution(channels=2, l_max=1)
    message = convolution(
        torch.ones(3, 2), torch.ones(1, 4), torch.ones(1, 4), torch.tensor([[0], [2]])
    )
    assert message.shape == (3, 8)
    assert message[:2].abs().max() == 0
    assert message[2].abs().min() > 0


def test_accelerate_names_what_it_uses() -> None:
    assert accelerate(small_model(), "cpu")[1] == "matmul"
    assert MacePotential(small_model(), name="small").info.kernels == "matmul"


@pytest.mark.parametrize("wrong", [1e-3, np.nan])
def test_kernels_that_change_forces_are_refused(wrong: float) -> None:
    forces = np.zeros((4, 3))
    changed = forces.copy()
    changed[1, 2] = wrong
    with pytest.raises(PotentialError, match="kernels change forces"):
        require_same_forces(forces, changed, "cuequivariance", "float64")
    require_same_forces(forces, forces + 1e-12, "cuequivariance", "float64")
