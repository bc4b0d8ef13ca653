"""A double well with a known answer: frequency, fit, depth, child, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.data import atomic_masses

from mlphonon import Phonons, compute_phonons
from mlphonon.instabilities.explanation import Explanation
from mlphonon.instabilities.family import Limits, explain_imaginary_modes
from mlphonon.instabilities.frozen_modes import commensurate_matrix
from mlphonon.potentials.calculator import AsePotential
from tests.helpers.double_wells import DoubleWell, caesium_chloride
from tests.helpers.springs import TO_THZ

QUICK = {"min_length": 7.9, "mesh": 20.0, "projected_mesh": 10.0, "band_points": 11, "metal": True}
SODIUM, CHLORINE = atomic_masses[11], atomic_masses[17]
REDUCED = SODIUM * CHLORINE / (SODIUM + CHLORINE)
A, B, J = 0.3, 10.0, 0.1
DEPTH = 1e3 * A**2 / (4 * B)
"""meV, of each direction alone."""


def test_forces_and_stress_are_slopes_of_the_energy() -> None:
    """Of the toy itself, turned in space."""
    atoms = caesium_chloride().repeat((2, 2, 1))
    atoms.rattle(0.05, seed=2)
    atoms.rotate(33, (1, 2, 0.5), rotate_cell=True)
    atoms.calc = DoubleWell(A, B, c=3.0, j=J)
    numerical = calculate_numerical_forces(atoms, 1e-4)
    np.testing.assert_allclose(atoms.get_forces(), numerical, atol=1e-5)
    np.testing.assert_allclose(
        atoms.get_stress(), calculate_numerical_stress(atoms, 1e-5), atol=1e-6
    )


@pytest.fixture(scope="module")
def ferroelectric() -> tuple[Phonons, AsePotential]:
    """Chlorine leaves the middle along an axis, everywhere alike."""
    potential = AsePotential(DoubleWell(A, B, c=B, j=J))
    return compute_phonons(caesium_chloride(), potential, **QUICK), potential


def test_polar_instability_is_a_saddle_with_the_right_frequency(ferroelectric) -> None:
    phonons, potential = ferroelectric
    explanation = explain_imaginary_modes(phonons, potential)
    mode = explanation.modes[0]
    assert (mode.label, mode.cause, mode.degeneracy) == ("GAMMA", "saddle", 3)
    exact = -TO_THZ * np.sqrt(A / REDUCED)
    assert mode.frequency_THz == pytest.approx(exact, rel=3e-3)
    # A difference over 0.01 A sees the quartic term: 3 b u^2 / a of the curvature at most.
    assert mode.measured_THz == pytest.approx(exact, rel=6e-3)


def test_well_and_child_of_the_polar_instability(ferroelectric) -> None:
    phonons, potential = ferroelectric
    explanation = explain_imaginary_modes(phonons, potential)
    root, child = explanation.family[:2]
    assert root.spacegroup == "Pm-3m (221)"
    assert child.spacegroup == "P4mm (99)"
    well = child.well
    assert well.n_atoms == 2
    assert well.coefficients_meV[2] == pytest.approx(-1e3 * A / (2 * REDUCED), rel=1e-4)
    assert well.coefficients_meV[4] == pytest.approx(1e3 * B / (4 * REDUCED**2), rel=1e-4)
    assert well.depth_meV == pytest.approx(DEPTH, rel=1e-3)
    assert well.minimum == pytest.approx(np.sqrt(REDUCED * A / B), rel=1e-3)
    assert child.energy_meV_per_atom == pytest.approx(-DEPTH / 2, rel=3e-3)
    assert child.stable
    assert explanation.ground_state == child
    text = "\n".join(explanation.describe())
    assert "P4mm" in text and "stable" in text


def test_direction_follows_the_anisotropy() -> None:
    """Where the directions do not hinder each other, all three are taken: R3m."""
    potential = AsePotential(DoubleWell(A, B, c=0.0, j=J))
    phonons = compute_phonons(caesium_chloride(), potential, **QUICK)
    child = explain_imaginary_modes(phonons, potential, Limits(children=1)).family[1]
    assert child.spacegroup == "R3m (160)"
    # The cage, which is not rigid, gives way a little.
    assert 1 < child.energy_meV_per_atom / (-3 * DEPTH / 2) < 1.03
    assert child.mode == "GAMMA 111"


def test_alternating_instability_doubles_the_cell() -> None:
    """Neighbours that shun each other: k(R) = -a + 12 j, and sodium stays where it is."""
    a, j = -0.6, -0.08
    potential = AsePotential(DoubleWell(a, B, c=B, j=j))
    phonons = compute_phonons(caesium_chloride(), potential, **QUICK)
    explanation = explain_imaginary_modes(phonons, potential, Limits(children=1))
    mode = explanation.modes[0]
    stiffness = -a + 12 * j
    assert (mode.label, mode.cause, mode.commensurate) == ("R", "instability", True)
    assert mode.frequency_THz == pytest.approx(-TO_THZ * np.sqrt(-stiffness / CHLORINE), rel=3e-3)
    child = explanation.family[1]
    assert child.n_atoms == 4
    assert child.well.n_atoms == 4
    assert child.energy_meV_per_atom == pytest.approx(-1e3 * stiffness**2 / (8 * B), rel=3e-3)
    assert child.stable


def test_explanation_is_saved_and_loaded(ferroelectric, tmp_path: Path) -> None:
    phonons, potential = ferroelectric
    explanation = explain_imaginary_modes(phonons, potential)
    folder = explanation.save(tmp_path / "result")
    assert Explanation.load(folder) == explanation
    assert (folder / "family.png").stat().st_size > 10_000
    written = sorted(path.name for path in (folder / "family").iterdir())
    assert written[0] == "NaCl.vasp" and len(written) == len(explanation.family)
    table = explanation.to_dataframe()
    assert list(table["frequency_THz"]) == [mode.frequency_THz for mode in explanation.modes]


@pytest.mark.parametrize(
    ("q", "index"),
    [
        ((0, 0, 0), 1),
        ((0.5, 0.5, 0.5), 2),
        ((0.5, 0, 0), 2),
        ((0.25, 0.5, 0.75), 4),
        ((1 / 3, 1 / 3, 0), 3),
    ],
)
def test_cell_of_a_wave_is_the_smallest(q: tuple, index: int) -> None:
    matrix = commensurate_matrix(np.array(q), np.diag([3.0, 4.0, 5.0]))
    assert round(np.linalg.det(matrix)) == index
    np.testing.assert_allclose(matrix @ q, np.rint(matrix @ q), atol=1e-9)
