"""Conductivity errors: none against a reference that the same potential made by phono3py alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from phono3py import Phono3py

from mlphonon.evaluation.metrics.conductivity import WORST, Conductivity
from mlphonon.evaluation.metrics.spectrum import Spectrum
from mlphonon.evaluation.protocol import Protocol
from mlphonon.evaluation.references.reference import ReferenceCrystal
from mlphonon.evaluation.scoring import score_crystal
from mlphonon.force_constants.cells import to_ase, to_phonopy
from mlphonon.potentials.potential import Potential

MESH = (5, 5, 5)
FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
PROTOCOL = Protocol.make(structures=("dft",), conductivity=True)


@pytest.fixture(scope="module")
def reference(embedded: Potential) -> ReferenceCrystal:
    """Silicon in its conventional cell, another setting of its primitive cell than ours."""
    atoms = bulk("Si", a=5.45, cubic=True)
    atoms.positions += (0.3, 0.1, 0.2)
    phono3py = Phono3py(
        to_phonopy(atoms),
        supercell_matrix=np.diag([1, 1, 1]),
        phonon_supercell_matrix=np.diag([2, 2, 2]),
        primitive_matrix=FCC,
        log_level=0,
    )
    phono3py.generate_displacements(distance=0.03)
    phono3py.generate_fc2_displacements(distance=0.03)

    def forces(cells: list) -> list[np.ndarray]:
        return [one.forces for one in embedded.evaluate([to_ase(cell) for cell in cells])]

    phono3py.forces = forces(phono3py.supercells_with_displacements)
    phono3py.phonon_forces = forces(phono3py.phonon_supercells_with_displacements)
    phono3py.produce_fc3()
    phono3py.produce_fc2()
    phono3py.symmetrize_fc3()
    phono3py.symmetrize_fc2()
    phono3py.mesh_numbers = MESH
    phono3py.init_phph_interaction()
    phono3py.run_thermal_conductivity(temperatures=[300], transport_type="SMM19")
    found = phono3py.thermal_conductivity
    modes = np.asarray(found.mode_kappa_matrix)[0, 0, ..., :3].sum(axis=2).mean(axis=-1)
    return ReferenceCrystal(
        key="Si",
        atoms=atoms,
        supercell_matrix=np.diag([2, 2, 2]),
        primitive_matrix=FCC,
        qpoints=np.asarray(found.qpoints),
        spectrum=Spectrum(np.asarray(found.frequencies), np.asarray(found.grid_weights)),
        conductivity=Conductivity(
            float(np.asarray(found.kappa)[0, 0, :3].mean()), modes, int(np.prod(MESH))
        ),
        third_order_supercell=np.diag([1, 1, 1]),
        q_mesh=MESH,
    )


def test_no_error_against_itself(reference: ReferenceCrystal, embedded: Potential) -> None:
    """Only how tetrahedra are averaged differs: 1 % on a mesh as coarse as this."""
    assert reference.conductivity is not None
    assert reference.conductivity.modes.sum() / 125 == pytest.approx(reference.conductivity.total)
    score, _ = score_crystal(reference, embedded, PROTOCOL)
    assert score.dft is not None
    errors = score.dft.errors
    assert errors["kappa_ratio"] == pytest.approx(1, abs=0.02)
    assert errors["kappa_sre"] < 0.02
    assert errors["kappa_srme"] < 0.05


def test_modes_are_told_apart(reference: ReferenceCrystal, embedded: Potential) -> None:
    """Shuffled q-points have the same total and wrong modes."""
    assert reference.conductivity is not None
    weights = reference.spectrum.weights
    same = np.flatnonzero(weights == weights.max())
    modes = reference.conductivity.modes.copy()
    modes[same] = modes[np.roll(same, 1)]
    wrong = replace(reference, conductivity=replace(reference.conductivity, modes=modes))
    score, _ = score_crystal(wrong, embedded, PROTOCOL)
    assert score.dft is not None
    assert score.dft.errors["kappa_sre"] < 0.02
    assert score.dft.errors["kappa_srme"] > 0.1


def test_imaginary_modes_count_worst(reference: ReferenceCrystal, embedded: Potential) -> None:
    stretched = reference.atoms.copy()
    stretched.set_cell(1.35 * stretched.cell.array, scale_atoms=True)
    score, _ = score_crystal(replace(reference, atoms=stretched), embedded, PROTOCOL)
    assert score.dft is not None
    assert score.dft.errors["kappa_srme"] == WORST


def test_not_unless_asked_for(reference: ReferenceCrystal, embedded: Potential) -> None:
    score, _ = score_crystal(reference, embedded, Protocol.make(structures=("dft",)))
    assert score.dft is not None
    assert "kappa_sre" not in score.dft.errors
