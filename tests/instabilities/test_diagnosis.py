"""Imaginary modes that are none of the crystal's, and which modes are looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from mlphonon import Phonons, compute_phonons
from mlphonon.instabilities.diagnosis import noise_floor
from mlphonon.instabilities.family import explain_imaginary_modes
from mlphonon.instabilities.modes import imaginary_modes
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from tests.helpers.double_wells import VectorSprings
from tests.helpers.springs import TO_THZ

QUICK = {"mesh": 20.0, "projected_mesh": 10.0, "band_points": 21, "metal": True}


def test_stable_crystal_has_nothing_to_explain(
    rocksalt_phonons: Phonons, rocksalt_springs: Potential
) -> None:
    explanation = explain_imaginary_modes(rocksalt_phonons, rocksalt_springs)
    assert explanation.modes == explanation.family == ()
    assert explanation.ground_state is None
    assert explanation.describe() == ["no imaginary mode: nothing to explain"]


def test_mode_that_only_interpolation_makes_imaginary() -> None:
    """A chain with springs over 1, 2 and 5 cells; five cells do not see the last, which holds Z."""
    atoms = Atoms("Cu", cell=np.diag([3.3, 3.3, 3.0]), pbc=True)
    springs = {(0, 0, 1): -0.1, (0, 0, 2): 1.0, (0, 0, 5): 0.3, (0, 1, 0): 1.0, (1, 0, 0): 1.0}
    potential = AsePotential(VectorSprings(springs, atoms.cell.array))
    phonons = compute_phonons(atoms, potential, supercell="2 2 5", relax=False, **QUICK)
    explanation = explain_imaginary_modes(phonons, potential)
    (mode,) = [mode for mode in explanation.modes if mode.label == "Z"]
    assert mode.cause == "truncation"
    assert not mode.commensurate
    mass = 63.546
    assert mode.frequency_THz == pytest.approx(-TO_THZ * np.sqrt(4 * 0.1 / mass), rel=1e-3)
    assert mode.measured_THz == pytest.approx(TO_THZ * np.sqrt(4 * (0.3 - 0.1) / mass), rel=1e-3)
    assert explanation.family == ()


def test_crystal_that_is_not_at_rest() -> None:
    """Copper that is stretched until shear waves are imaginary."""
    settings = {"min_length": 7.0, "relax": False, **QUICK}
    phonons = compute_phonons(bulk("Cu", a=4.4), EMT(), **settings)
    assert not phonons.stability.stable_by_threshold
    explanation = explain_imaginary_modes(phonons, AsePotential(EMT()))
    assert {mode.cause for mode in explanation.modes} == {"under-relaxation"}
    assert explanation.family == ()


def test_acoustic_noise_at_gamma(rocksalt_phonons: Phonons, rocksalt_springs: Potential) -> None:
    """A sum rule that is broken by less than the calculation's own error."""
    phonopy = rocksalt_phonons.phonopy.replicate()
    constants = np.array(rocksalt_phonons.phonopy.force_constants)
    floor = noise_floor(rocksalt_phonons)
    assert floor > 0.06
    mean_mass = phonopy.primitive.masses.mean()
    for row, atom in zip(constants, phonopy.primitive.p2s_map, strict=True):
        row[atom] -= mean_mass * (0.07 / TO_THZ) ** 2 * np.eye(3)
    phonopy.force_constants = constants
    phonons = Phonons(phonopy, rocksalt_phonons.record)
    (mode,) = explain_imaginary_modes(phonons, rocksalt_springs).modes
    assert (mode.label, mode.cause) == ("GAMMA", "numerical")
    assert mode.frequency_THz == pytest.approx(-0.07, abs=0.003)


def test_unstable_points_of_cubic_calcium_titanate(
    phonopy_examples: Path, rocksalt_phonons: Phonons
) -> None:
    """DFT's force constants: rotations at R and M, the polar mode at Gamma."""
    import phonopy

    folder = phonopy_examples / "CaTiO3"
    loaded = phonopy.load(
        folder / "phonopy_disp.yaml",
        force_sets_filename=folder / "FORCE_SETS",
        primitive_matrix="P",
        log_level=0,
    )
    record = rocksalt_phonons.record.model_copy(update={"name": "CaTiO3", "formula": "CaTiO3"})
    modes = imaginary_modes(Phonons(loaded, record))
    found = {mode.label: mode for mode in reversed(modes)}
    assert {"R", "M", "GAMMA"} <= found.keys()
    assert len(found["R"].eigenvectors) == len(found["GAMMA"].eigenvectors) == 3
    assert modes[0].label in ("R", "M")
