"""Group velocities against slopes of frequencies."""

from __future__ import annotations

import numpy as np
import pytest

from mlphonon import Phonons, compute_phonons
from mlphonon.potentials.calculator import AsePotential
from mlphonon.properties import rms_group_velocity
from tests.helpers.heat import heat_capacities
from tests.helpers.springs import TO_THZ, LatticeSprings, cubic_axes, simple_cubic


def test_group_velocity_against_finite_differences(quartz_phonons: Phonons) -> None:
    """On another mesh, without any point of high symmetry."""
    numbers = np.array([7, 7, 6])
    whole = np.stack(np.meshgrid(*map(np.arange, numbers), indexing="ij"), -1).reshape(-1, 3)
    qpoints = (whole + np.array([0.31, 0.17, 0.43])) / numbers
    steps = 1e-4 * quartz_phonons.atoms.cell.array.T
    slopes = [
        quartz_phonons.frequencies(qpoints + step) - quartz_phonons.frequencies(qpoints - step)
        for step in steps
    ]
    # Angular frequency over wave number: the factors 2 pi cancel; THz A are 0.1 km/s.
    squares = (np.array(slopes) ** 2).sum(axis=0) / (2 * 1e-4) ** 2 / 100
    heat = heat_capacities(quartz_phonons.frequencies(qpoints))
    expected = np.sqrt((heat * squares).sum() / heat.sum())
    assert rms_group_velocity(quartz_phonons) == pytest.approx(expected, rel=0.03)


def test_of_a_hot_simple_cubic_crystal_by_hand() -> None:
    """Every mode has k then: m w^2 = 2 K sum_i (1 - cos q_i a), so dw/dq_i = K a sin / (m w).

    The springs are as stiff across, so that all polarisations are alike: where only symmetry
    makes modes equal, phonopy gives each the mean of their velocities, which is shorter.
    """
    a, stiffness = 3.3, 2.0
    springs = AsePotential(LatticeSprings(cubic_axes(a), stiffness, stiffness))
    phonons = compute_phonons(simple_cubic(a), springs, min_length=9, mesh=20)
    places = (np.arange(80) + 0.5) / 80 * 2 * np.pi
    phases = np.stack(np.meshgrid(places, places, places), -1).reshape(-1, 3)
    squares = 2 * stiffness * (1 - np.cos(phases)).sum(axis=1)
    slopes = ((stiffness * a * np.sin(phases)) ** 2).sum(axis=1) / squares
    mass = phonons.phonopy.primitive.masses[0]
    # sqrt(eV/amu) is 2 pi TO_THZ A THz, which are 0.1 km/s each.
    expected = 2 * np.pi * TO_THZ * np.sqrt(slopes.mean() / mass) / 10
    found = rms_group_velocity(phonons, temperature=1e5, mesh_length=100)
    assert found == pytest.approx(expected, rel=2e-3)


def test_cold_crystals_carry_heat_at_the_velocity_of_sound(fcc: Phonons) -> None:
    """Long waves alone have heat capacity then, and the bands of fcc flatten above them."""
    hot, cold = (rms_group_velocity(fcc, temperature=t, mesh_length=80) for t in (300.0, 15.0))
    assert hot < 0.8 * cold
