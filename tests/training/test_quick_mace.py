from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from mace.data import AtomicData, config_from_atoms
from mace.tools import AtomicNumberTable

from mlphonon.potentials.mace.architecture import MaceArchitecture
from mlphonon.potentials.mace.fused import fuse_convolutions
from mlphonon.training.element_sharing import share_elements
from mlphonon.training.graphs import collate
from mlphonon.training.packed_graphs import PackedGraphs, join
from mlphonon.training.quick_mace import QuickMace

SHAPE = MaceArchitecture(
    atomic_numbers=(8, 12, 14),
    atomic_energies=(-1.0, -2.0, -3.0),
    avg_num_neighbors=11.0,
    scale=1.7,
    shift=0.3,
    r_max=4.0,
    hidden_irreps="8x0e",
    radial_mlp=(8, 6),
    readout_irreps="4x0e",
    first_interaction="RealAgnosticInteractionBlock",
)
PLACES = {8: 0, 12: 1, 14: 2}


def fused(shared: bool = False, **changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    model = MaceArchitecture(**(SHAPE.model_dump() | changes)).build("float64")
    fuse_convolutions(model)
    if shared:
        share_elements(model)
    return model


@pytest.fixture
def crystals() -> list[Atoms]:
    """Of unequal density, so that rows are filled up."""
    found = [bulk("MgO", "rocksalt", 4.2, cubic=True), bulk("Si"), bulk("O", "bcc", 2.9)]
    for seed, atoms in enumerate(found):
        atoms.rattle(0.1, seed=seed)
    return found


def packed(crystals: list[Atoms]) -> PackedGraphs:
    graphs = join([PackedGraphs.of(atoms, PLACES, 4.0) for atoms in crystals], 4.0)
    return replace(graphs, positions=graphs.positions.double(), offsets=graphs.offsets.double())


def by_mace(
    model: torch.nn.Module, graphs: PackedGraphs, crystals: list[Atoms], forces: bool = True
) -> dict:
    table = AtomicNumberTable(list(SHAPE.atomic_numbers))
    found = []
    for number, atoms in enumerate(crystals):
        single = atoms.copy()
        # Single precision, as the packed graphs have it.
        single.positions = graphs.positions[graphs.graph == number].numpy()
        config = config_from_atoms(single)
        found.append(AtomicData.from_config(config, z_table=table, cutoff=4.0))
    batch = collate(found).to_dict()
    batch = {
        k: v.double() if torch.is_tensor(v) and v.is_floating_point() else v
        for k, v in batch.items()
    }
    return model(batch, compute_force=forces, compute_stress=forces)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("layers", [2, 3])
def test_energies_forces_and_stresses_are_those_of_mace(
    crystals: list[Atoms], shared: bool, layers: int
) -> None:
    model = fused(shared, num_interactions=layers)
    quick, graphs = QuickMace(model), packed(crystals)
    expected = by_mace(model, graphs, crystals)
    strain = torch.zeros(3, 3, 3, dtype=torch.float64, requires_grad=True)
    positions = graphs.positions.requires_grad_(True)
    symmetric = (strain + strain.transpose(1, 2)) / 2
    each = quick.node_energies(graphs, positions, symmetric)
    slope, virial = torch.autograd.grad(each.sum(), (positions, strain))
    energies = torch.zeros(3, dtype=torch.float64).index_add(0, graphs.graph, each)
    energies = energies + quick.free_energies(graphs)
    volumes = torch.tensor([atoms.get_volume() for atoms in crystals], dtype=torch.float64)
    # Lattice vectors are rounded to single precision in packed graphs.
    torch.testing.assert_close(energies, expected["energy"], atol=2e-6, rtol=0)
    torch.testing.assert_close(-slope, expected["forces"], atol=2e-5, rtol=0)
    torch.testing.assert_close(
        virial / volumes[:, None, None], expected["stress"], atol=1e-6, rtol=0
    )
    torch.testing.assert_close(quick.forces(graphs, graphs.positions), -slope)


def test_gradients_of_weights_are_those_of_mace(crystals: list[Atoms]) -> None:
    gradients = []
    for quick in (True, False):
        model = fused(shared=True)
        graphs = packed(crystals)
        if quick:
            energy = QuickMace(model).node_energies(graphs, graphs.positions).sum()
        else:
            energy = by_mace(model, graphs, crystals, forces=False)["energy"].sum()
        energy.backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    for name, expected in gradients[1].items():
        if "atomic_energies" in name:
            continue
        scale = float(expected.abs().max())
        torch.testing.assert_close(gradients[0][name], expected, atol=1e-5 * scale, rtol=0)


def test_filling_counts_for_nothing(crystals: list[Atoms]) -> None:
    quick, graphs = QuickMace(fused()), packed(crystals)
    own = torch.arange(len(graphs.elements))[:, None].expand(-1, 5)
    far = torch.zeros(len(graphs.elements), 5, 3, dtype=torch.float64)
    far[..., 0] = 4.0
    longer = replace(
        graphs,
        senders=torch.cat([graphs.senders, own], dim=1),
        offsets=torch.cat([graphs.offsets, far], dim=1),
    )
    for one in (graphs, longer):
        assert one.slots == one.senders.shape[0] * one.senders.shape[1]
    torch.testing.assert_close(
        quick.forces(longer, longer.positions), quick.forces(graphs, graphs.positions)
    )


def test_networks_of_another_kind_are_refused() -> None:
    for changes in ({"hidden_irreps": "8x0e + 8x1o"}, {"max_ell": 1}, {"pair_repulsion": True}):
        with pytest.raises(ValueError, match="scalar features"):
            QuickMace(fused(**changes))
    np.testing.assert_allclose(float(QuickMace(fused()).r_max), 4.0)
