"""Samples: second derivatives from force constants and from labels are the same thing."""

from __future__ import annotations

import numpy as np
import pytest
from ase.calculators.emt import EMT

from mlphonon.potentials.calculator import AsePotential
from mlphonon.training.data.frame import Curvature, TrainingData
from mlphonon.training.data.labelling import label
from mlphonon.training.finetuning.phonon_error import spectrum_distances
from mlphonon.training.finetuning.samples import (
    FORCE_CONSTANTS,
    draw_batch,
    full_force_constants,
    make_samples,
)
from mlphonon.training.finetuning.start import Start, load_start


@pytest.fixture(scope="module")
def start() -> Start:
    return load_start("embedded")


def test_force_constants_answer_as_the_teacher_does(copper: Curvature, start: Start) -> None:
    (sample,) = make_samples(TrainingData(curvatures=(copper,)), start, {})
    assert sample.kind == FORCE_CONSTANTS and sample.curved
    assert float(sample.graph.energy_weight) == float(sample.graph.forces_weight) == 0.0
    way, response = sample.draw(np.random.default_rng(1))
    supercell, full = full_force_constants(copper)
    supercell.info = {"material_id": "Cu", "config": "rest"}
    (said,) = label([supercell], AsePotential(EMT()), directions=1)
    along = said.arrays["REF_directions"]
    expected = np.einsum("ijab,jb->ia", full, along)
    largest = np.abs(expected).max()
    assert np.abs(said.arrays["REF_responses"] - expected).max() < 0.01 * largest
    assert np.abs(response.numpy() - np.einsum("ijab,jb->ia", full, way.numpy())).max() < 1e-4


def test_directions_differ_from_draw_to_draw(copper: Curvature, start: Start) -> None:
    (sample,) = make_samples(TrainingData(curvatures=(copper,)), start, {FORCE_CONSTANTS: 3.0})
    assert float(sample.graph.weight) == 3.0
    drawn = draw_batch([sample, sample], np.random.default_rng(2))
    assert drawn.directions.shape == drawn.responses.shape == (64, 3)
    assert not np.allclose(drawn.directions[:32], drawn.directions[32:])


def test_a_potential_is_no_distance_from_its_own_phonons(copper: Curvature, start: Start) -> None:
    """Stiffer by 2 %: frequencies higher by 1 %."""
    from dataclasses import replace

    from phonopy import Phonopy

    from mlphonon.force_constants.autodiff import from_second_derivatives
    from mlphonon.force_constants.cells import to_phonopy

    potential = start.potential()
    phonopy = Phonopy(
        to_phonopy(copper.unitcell), copper.supercell_matrix, copper.primitive_matrix, log_level=0
    )
    phonopy.generate_displacements(is_plusminus=False)
    from_second_derivatives(phonopy, potential, "float32")
    own = replace(copper, force_constants=np.array(phonopy.force_constants))
    stiff = replace(own, force_constants=1.02 * own.force_constants)
    mesh = phonopy.run_mesh(30.0, is_gamma_center=True)
    mean = np.average(mesh.frequencies.mean(axis=1), weights=mesh.weights)
    same, off = spectrum_distances(potential, [own, stiff])
    assert same < 1e-4
    assert off == pytest.approx(mean * (1.02**0.5 - 1), rel=1e-3)
