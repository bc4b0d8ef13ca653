from __future__ import annotations

import numpy as np
import torch

from mlphonon.potentials.mace.architecture import MaceArchitecture
from mlphonon.potentials.mace.fused import fuse_convolutions
from mlphonon.potentials.mace.kernels import probe_structure
from mlphonon.potentials.mace.mace_potential import MacePotential, WeightsInfo
from mlphonon.training.element_sharing import (
    element_descriptors,
    plain_weights,
    share_elements,
)

SHAPE = MaceArchitecture(
    atomic_numbers=(8, 13, 14, 26, 57),
    atomic_energies=(0.0,) * 5,
    avg_num_neighbors=4.0,
    scale=5.0,
    r_max=4.0,
    hidden_irreps="8x0e",
    radial_mlp=(8,),
    first_interaction="RealAgnosticInteractionBlock",
)


def test_descriptors_are_unit_rows_and_closest_within_a_group() -> None:
    rows = element_descriptors((3, 11, 17, 35, 26))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0)
    likeness = rows @ rows.T
    assert likeness[0, 1] > likeness[0, 2]  # Li with Na rather than with Cl
    assert likeness[2, 3] > likeness[2, 4]  # Cl with Br rather than with Fe


def test_written_out_weights_give_the_same_forces() -> None:
    torch.manual_seed(0)
    shared = SHAPE.build("float64")
    fuse_convolutions(shared)
    share_elements(shared)
    with torch.no_grad():
        for name, parameter in shared.named_parameters():
            if name.endswith("original"):
                parameter.normal_()
    plain = plain_weights(shared, SHAPE.build("float64"))
    atoms = probe_structure(14)
    atoms.numbers[::2] = 57
    expected = MacePotential(shared, WeightsInfo("shared")).evaluate([atoms])[0].forces
    found = MacePotential(plain, WeightsInfo("plain")).evaluate([atoms])[0].forces
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_an_element_that_is_absent_learns_from_its_group() -> None:
    torch.manual_seed(0)
    model = SHAPE.build("float64")
    fuse_convolutions(model)
    share_elements(model)
    from mace.tools.torch_geometric.batch import Batch

    graph = MacePotential(SHAPE.build("float64"), WeightsInfo("maker")).graph(probe_structure(26))
    out = model(Batch.from_data_list([graph]).to_dict(), training=True, compute_force=True)
    out["forces"].square().sum().backward()
    weight = model.interactions[0].skip_tp.parametrizations.weight
    own = weight.original.grad.view(-1, 5, 8)
    assert own[:, 3].abs().max() > 0
    assert own[:, [0, 1, 2, 4]].abs().max() == 0
    shared = weight[0].shared.grad
    assert shared[:, 0].abs().max() > 0  # what is common to all
