"""The stress of a self-consistent crystal, and the cell in which it is what was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from mlphonon import Phonons, compute_phonons
from mlphonon.anharmonic.sscha.cell import CellSearch, strained, symmetric_strains
from mlphonon.anharmonic.sscha.compute import self_consistent_phonons
from mlphonon.anharmonic.sscha.settings import SschaSettings
from mlphonon.crystal.crystal import make_crystal
from mlphonon.errors import PotentialError
from tests.helpers.crystals import quartz, rocksalt
from tests.helpers.quartic_wells import CELL, Wells, molecular_crystal

GPA = 160.21766340
VOLUME = float(np.linalg.det(CELL))
SWELLING = Wells((2.0, 2.0), b=0.5, softening=2.0, stiffness=20.0, shape=20.0)
"""Softer where it is larger (Grueneisen parameter 1); a bulk modulus of 40 GPa."""


def harmonic(wells: Wells) -> Phonons:
    return compute_phonons(
        molecular_crystal(),
        wells,
        relax=False,
        supercell="2 2 1",
        method="displacements",
        mesh=20,
        projected_mesh=10,
        band_points=11,
    )


def exact_free_energy(swelling: float, temperature: float) -> float:
    """Of a cell, eV; four cells in the supercell."""
    static = SWELLING.stiffness * swelling**2 / 2
    return static + SWELLING.swollen(swelling).exact_free_energy(temperature, cells=4)


@pytest.mark.parametrize("temperature", [0, 300])
def test_pressure_is_the_slope_of_the_free_energy(temperature: float) -> None:
    """The part of motion is half of it: it would be missed."""
    result = self_consistent_phonons(harmonic(SWELLING), SWELLING, temperature)
    step = 1e-4
    slope = exact_free_energy(step, temperature) - exact_free_energy(-step, temperature)
    expected = -slope / (2 * step * VOLUME) * GPA
    last = result.history.steps[-1]
    assert last.pressure_GPa is not None and last.pressure_error_GPa is not None
    assert last.pressure_error_GPa < 0.05 * expected
    assert last.pressure_GPa == pytest.approx(expected, abs=4 * last.pressure_error_GPa)


@pytest.mark.parametrize("pressure", [0.0, 1.0])
def test_the_cell_is_that_of_least_gibbs_energy(pressure: float) -> None:
    settings = SschaSettings(pressure=pressure, stress_tolerance=0.01)
    result = self_consistent_phonons(harmonic(SWELLING), SWELLING, 300, settings)
    found = minimize_scalar(
        lambda x: exact_free_energy(x, 300) + pressure / GPA * VOLUME * x,
        bounds=(-0.1, 0.1),
        method="bounded",
        options={"xatol": 1e-8},
    )
    swelling = result.phonons.atoms.get_volume() / VOLUME - 1
    assert abs(found.x) > 0.005
    # 0.01 GPa of 40.
    assert swelling == pytest.approx(found.x, abs=6e-4)
    how = result.phonons.record.renormalisation
    assert how is not None and how.converged and how.pressure_GPa == pressure
    assert result.history.steps[-1].cell > 0
    lengths = result.phonons.atoms.cell.lengths() / np.diag(CELL)
    assert lengths[0] == pytest.approx(lengths[1], abs=1e-9)
    assert how.free_energy_eV is not None


def test_few_steps_to_the_cell_are_said_not_to_converge() -> None:
    settings = SschaSettings(pressure=5.0, max_cell_steps=1, stress_tolerance=0.01, snapshots=20)
    result = self_consistent_phonons(harmonic(SWELLING), SWELLING, 300, settings)
    how = result.phonons.record.renormalisation
    assert how is not None and not how.converged


def test_strains_that_symmetry_leaves_free() -> None:
    cubic = make_crystal(rocksalt()).atoms
    (only,) = symmetric_strains(cubic, 1e-5)
    assert np.abs(only) == pytest.approx(np.eye(3) / np.sqrt(3))
    trigonal = symmetric_strains(make_crystal(quartz()).atoms, 1e-5)
    assert len(trigonal) == 2
    longer = strained(cubic, 0.01 * np.eye(3))
    assert longer.get_volume() / cubic.get_volume() == pytest.approx(1.01**3)
    assert longer.get_scaled_positions() == pytest.approx(cubic.get_scaled_positions())


def test_a_pressure_needs_a_potential_with_stress() -> None:
    from ase.calculators.calculator import Calculator

    from mlphonon.potentials.calculator import AsePotential

    class Forces(Calculator):
        implemented_properties = ["energy", "forces"]  # noqa: RUF012

        def calculate(self, atoms: object = None, *_: object) -> None:
            self.results = {"energy": 0.0, "forces": np.zeros((2, 3))}

    crystal = make_crystal(rocksalt())
    with pytest.raises(PotentialError, match="gives no stress; the cell cannot"):
        CellSearch.of(crystal.atoms, AsePotential(Forces()), 1e-5)
