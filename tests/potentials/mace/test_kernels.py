"""Our quicker arithmetic gives what mace's own gives: values, forces, and what training needs."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms

from mlphonon.errors import PotentialError
from mlphonon.potentials.mace.architecture import MaceArchitecture, load_weights, save_weights
from mlphonon.potentials.mace.fused import (
    ElementLinear,
    ScalarConvolution,
    fuse_convolutions,
    is_fused,
    plain_copy,
)
from mlphonon.potentials.mace.kernels import accelerate, probe_structure, require_same_forces
from mlphonon.potentials.mace.mace_potential import MacePotential, WeightsInfo
from mlphonon.training.element_sharing import share_elements

ELEMENTS = (8, 13, 14)
DENSITY = "RealAgnosticDensityInteractionBlock"


SMALL = {
    "atomic_numbers": ELEMENTS,
    "atomic_energies": (0.0, 1.0, 2.0),
    "avg_num_neighbors": 12.0,
    "scale": 1.0,
    "hidden_irreps": "8x0e",
    "radial_mlp": (8,),
    "r_max": 4.0,
    "first_interaction": "RealAgnosticInteractionBlock",
}


def small_model(**changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return MaceArchitecture(**(SMALL | changes)).build("float64")


def batch_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    from mace.tools.torch_geometric.batch import Batch

    maker = MacePotential(copy.deepcopy(model), WeightsInfo("maker"))
    structures = [probe_structure(8), probe_structure(14)]
    structures[0].numbers[::3] = 13
    return Batch.from_data_list([maker.graph(atoms) for atoms in structures]).to_dict()


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
    assert MacePotential(small_model(), WeightsInfo("small")).info.kernels == "matmul"


@pytest.mark.parametrize("wrong", [1e-3, np.nan])
def test_kernels_that_change_forces_are_refused(wrong: float) -> None:
    forces = np.zeros((4, 3))
    changed = forces.copy()
    changed[1, 2] = wrong
    with pytest.raises(PotentialError, match="kernels change forces"):
        require_same_forces(forces, changed, "cuequivariance", "float64")
    require_same_forces(forces, forces + 1e-12, "cuequivariance", "float64")


def distorted() -> Atoms:
    atoms = probe_structure(8)
    atoms.numbers[::3] = 13
    return atoms


def forces(potential: MacePotential) -> np.ndarray:
    return potential.evaluate([distorted()])[0].forces


SHAPES = [{}, {"hidden_irreps": "8x0e+8x1o"}, {"first_interaction": DENSITY, "max_ell": 3}]


@pytest.mark.parametrize("changes", SHAPES)
def test_plain_kernels_can_be_had_back(changes: dict) -> None:
    original = small_model(**changes)
    expected = MacePotential(copy.deepcopy(original), WeightsInfo("small"), kernels="plain")
    quick = MacePotential(copy.deepcopy(original), WeightsInfo("small", "abc"))
    plain = quick.with_plain_kernels()
    assert (quick.info.kernels, plain.info.kernels) == ("matmul", "e3nn")
    assert replace(plain.info, kernels="matmul") == quick.info
    assert is_fused(quick.model) and not is_fused(plain.model)
    assert not {id(m) for m in quick.model.modules()} & {id(m) for m in plain.model.modules()}
    kinds = [[type(m).__name__ for m in model.modules()] for model in (plain.model, original)]
    assert kinds[0] == kinds[1]
    assert not any(hasattr(layer, "conv_fusion") for layer in plain.model.interactions)
    assert np.abs(forces(quick)).max() > 1e-3
    np.testing.assert_allclose(forces(plain), forces(quick), rtol=0, atol=1e-10)
    np.testing.assert_allclose(forces(plain), forces(expected), rtol=0, atol=1e-13)
    assert plain.with_plain_kernels() is plain
    assert expected.with_plain_kernels() is expected


def test_plain_kernels_of_a_copy_with_other_weights() -> None:
    quick = MacePotential(small_model(), WeightsInfo("small"))
    other = copy.deepcopy(quick.model)
    for parameter in other.parameters():
        parameter.mul_(1.1)
    changed = MacePotential(other, WeightsInfo("changed"))
    assert changed.info.kernels == "matmul"
    assert np.abs(forces(changed) - forces(quick)).max() > 1e-3
    np.testing.assert_allclose(
        forces(changed.with_plain_kernels()), forces(changed), rtol=0, atol=1e-10
    )


def test_plain_kernels_in_another_precision() -> None:
    quick = MacePotential(small_model(), WeightsInfo("small"))
    single = quick.in_precision("float32")
    assert single.info.kernels == "matmul"
    plain = single.with_plain_kernels()
    assert (plain.info.dtype, plain.info.kernels) == ("float32", "e3nn")
    assert {p.dtype for p in plain.model.parameters()} == {torch.float32}
    np.testing.assert_allclose(forces(plain), forces(quick), rtol=0, atol=1e-4)
    double = quick.with_plain_kernels().in_precision("float32")
    assert double.info.kernels == "e3nn"
    np.testing.assert_allclose(forces(double), forces(plain), rtol=0, atol=1e-5)


def test_plain_kernels_of_shared_elements() -> None:
    """There a weight is a sum that is computed, not a parameter."""
    model = small_model()
    fuse_convolutions(model)
    share_elements(model)
    shared = MacePotential(model, WeightsInfo("shared"))
    plain = MacePotential(plain_copy(model), WeightsInfo("plain"), kernels="plain")
    assert is_fused(shared.model) and not is_fused(plain.model)
    skips = [layer.skip_tp.weight for layer in plain.model.interactions]
    for found, layer in zip(skips, model.interactions, strict=True):
        torch.testing.assert_close(found.data, layer.skip_tp.weight.data)


def test_layers_that_were_replaced_are_not_stored_with_the_weights(tmp_path: Path) -> None:
    changes = {"hidden_irreps": "8x0e+8x1o"}
    plain, quick = small_model(**changes), small_model(**changes)
    fuse_convolutions(quick)
    names = set(dict(plain.named_parameters()))
    assert set(dict(quick.named_parameters())) == names
    assert set(quick.state_dict()) <= set(plain.state_dict())
    kept = [layer.skip_tp for layer in quick.interactions]
    assert any(isinstance(skip, ElementLinear) for skip in kept)
    for skip in kept:
        if isinstance(skip, ElementLinear):
            assert skip._replaced[0].weight is skip.weight
    architecture = MaceArchitecture(**(SMALL | changes))
    save_weights(quick, architecture, tmp_path / "quick")
    save_weights(plain, architecture, tmp_path / "plain")
    for name in ("weights.safetensors", "architecture.json"):
        assert (tmp_path / "quick" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    assert not is_fused(load_weights(tmp_path / "quick"))


def test_replaced_layers_take_little_memory() -> None:
    """What was replaced shares its weights; tables of constants are all that is kept."""
    big = {"hidden_irreps": "64x0e", "max_ell": 3, "radial_mlp": (64, 64)}
    model = small_model(**big)
    fuse_convolutions(model)
    own = {p.data_ptr(): p.nbytes for p in model.parameters()}
    kept = [part._replaced[0] for part in model.modules() if hasattr(part, "_replaced")]
    tables = {
        t.data_ptr(): t.nbytes for part in kept for t in [*part.parameters(), *part.buffers()]
    }
    extra = sum(size for place, size in tables.items() if place not in own)
    assert len(kept) > 2
    assert extra < 0.02 * sum(own.values())


def test_fusing_twice_changes_nothing() -> None:
    model = small_model(hidden_irreps="8x0e+8x1o")
    fuse_convolutions(model)
    before = list(model.modules())
    fuse_convolutions(model)
    assert list(model.modules()) == before
    assert MacePotential(model, WeightsInfo("again")).info.kernels == "matmul"


def test_kernels_that_are_another_model_leave_the_first_to_go_back_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As those of cuEquivariance, for which a GPU is needed, are."""

    def convert(model: torch.nn.Module, device: str) -> tuple[torch.nn.Module, str]:
        converted = copy.deepcopy(model)
        for layer in converted.interactions:
            layer.skip_tp = ElementLinear(layer.skip_tp)
            layer.skip_tp._replaced = (None,)
        return converted, "cuequivariance"

    monkeypatch.setattr("mlphonon.potentials.mace.mace_potential.accelerate", convert)
    quick = MacePotential(small_model(), WeightsInfo("small"))
    assert quick.info.kernels == "cuequivariance"
    for potential, atol in ((quick, 1e-10), (quick.in_precision("float32"), 1e-4)):
        plain = potential.with_plain_kernels()
        assert (potential.info.kernels, plain.info.kernels) == ("cuequivariance", "e3nn")
        assert not is_fused(plain.model)
        np.testing.assert_allclose(forces(plain), forces(potential), rtol=0, atol=atol)
