"""What a campaign keeps of a crystal, against formulas of its springs."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from scipy import constants

from mlphonon import Phonons, compute_phonons
from mlphonon.potentials.calculator import AsePotential
from mlphonon.screening.quantities.measure import (
    QUANTITIES,
    THERMAL,
    measure,
    measure_thermal,
)
from tests.helpers.crystals import VIEWS, quartz
from tests.helpers.fcc import LATTICE_CONSTANT, STIFFNESS, sound_velocity_by_hand
from tests.helpers.heat import KELVIN_PER_THZ
from tests.helpers.springs import (
    TO_THZ,
    LatticeSprings,
    NetworkSprings,
    cubic_axes,
    fcc_neighbours,
    simple_cubic,
)


@pytest.fixture(scope="module")
def copper() -> Phonons:
    """fcc with central springs to nearest neighbours: C_11 = 2 K/a, C_12 = C_44 = K/a."""
    springs = LatticeSprings(fcc_neighbours(LATTICE_CONSTANT), STIFFNESS, 0.0)
    return compute_phonons(
        bulk("Cu", a=LATTICE_CONSTANT), AsePotential(springs), min_length=10, mesh=250
    )


@pytest.fixture(scope="module")
def of_copper(copper: Phonons) -> dict:
    return measure(copper)


@pytest.fixture(scope="module")
def of_rocksalt(rocksalt_phonons: Phonons) -> dict:
    return measure(rocksalt_phonons)


@pytest.fixture(scope="module")
def of_quartz(quartz_phonons: Phonons) -> dict:
    return measure(quartz_phonons)


def test_every_quantity_is_measured_and_is_what_it_says(
    of_copper: dict, of_rocksalt: dict, of_quartz: dict
) -> None:
    for found in (of_copper, of_rocksalt, of_quartz):
        assert list(found) == [quantity.name for quantity in QUANTITIES]
        for quantity in QUANTITIES:
            value = found[quantity.name]
            assert value is None or type(value) is quantity.kind, quantity.name
    # Nobody measured springs against DFT.
    without = {name for name, value in of_copper.items() if value is None}
    assert without == {"gap", "expected_error"}
    assert [name for name, value in of_quartz.items() if value is None] == ["expected_error"]


def test_verdict_is_that_of_the_phonons(of_rocksalt: dict, rocksalt_phonons: Phonons) -> None:
    trust = rocksalt_phonons.trust
    assert of_rocksalt["verdict"] == trust.verdict == "use with care"
    assert of_rocksalt["doubts"] == "LO-TO splitting"
    assert of_rocksalt["numerical_error"] == trust.numerical_error


def test_quantities_have_names_of_their_own() -> None:
    names = [quantity.name for quantity in (*QUANTITIES, *THERMAL)]
    assert len(set(names)) == len(names)
    assert all(quantity.description for quantity in (*QUANTITIES, *THERMAL))


def test_cell(of_rocksalt: dict, rocksalt_phonons: Phonons) -> None:
    assert of_rocksalt["formula"] == "NaCl"
    assert of_rocksalt["spacegroup"] == "Fm-3m (225)"
    assert of_rocksalt["n_atoms"] == 2
    assert of_rocksalt["mass"] == pytest.approx((22.98977 + 35.453) / 2, rel=1e-4)
    assert of_rocksalt["volume"] == pytest.approx(5.69**3 / 8, rel=1e-6)
    # 58.44 g in a mole of NaCl, four of which fill a cube.
    density = 4 * 58.443 / constants.N_A / (5.69e-8) ** 3
    assert of_rocksalt["density"] == pytest.approx(density, rel=1e-4)
    assert of_rocksalt["n_atoms_supercell"] == len(rocksalt_phonons.phonopy.supercell)


def test_gap_of_rocksalt(of_rocksalt: dict) -> None:
    """At L the heavy and the light atoms move alone, each against all its springs."""
    heavy, light = (TO_THZ * np.sqrt(8.0 / mass) for mass in (35.453, 22.98977))
    assert of_rocksalt["gap"] == pytest.approx(light - heavy, rel=1e-4)
    optical = TO_THZ * np.sqrt(8.0 * (1 / 35.453 + 1 / 22.98977))
    assert of_rocksalt["max_frequency"] == pytest.approx(optical, rel=1e-4)
    assert of_rocksalt["min_frequency"] == pytest.approx(0, abs=1e-3)
    assert of_rocksalt["stable"]
    assert of_rocksalt["stable_by_share"]
    assert of_rocksalt["imaginary_share"] == 0


def test_branches_that_overlap_leave_no_gap(of_quartz: dict) -> None:
    assert of_quartz["gap"] == 0


def test_elastic_quantities(of_copper: dict) -> None:
    unit = STIFFNESS / LATTICE_CONSTANT * constants.e * 1e30 / 1e9
    assert of_copper["bulk_modulus"] == pytest.approx(4 / 3 * unit, rel=2e-3)
    # C' = 1/2, C_44 = 1: Voigt (1 + 3) / 5, Reuss 5 C' C_44 / (2 C_44 + 3 C').
    shear = (0.8 + 2.5 / 3.5) / 2
    assert of_copper["shear_modulus"] == pytest.approx(shear * unit, rel=2e-3)
    velocity = sound_velocity_by_hand()
    assert of_copper["sound_velocity"] == pytest.approx(velocity / 1e3, rel=2e-3)
    density = 4 / (LATTICE_CONSTANT * 1e-10) ** 3
    theta = constants.hbar / constants.k * velocity * (6 * np.pi**2 * density) ** (1 / 3)
    assert of_copper["debye_temperature"] == pytest.approx(theta, rel=2e-3)


def test_thermal_properties_are_per_mole_of_atoms(rocksalt_phonons: Phonons) -> None:
    cold, hot = measure_thermal(rocksalt_phonons, [0, 4000.0])
    assert list(hot) == ["temperature", *(quantity.name for quantity in THERMAL)]
    assert all(type(value) is float for value in hot.values())
    assert (cold["temperature"], cold["c_v"], cold["entropy"]) == (0, 0, 0)
    assert cold["free_energy"] == pytest.approx(measure(rocksalt_phonons)["zero_point_energy"])
    assert hot["c_v"] == pytest.approx(3 * constants.R, rel=2e-3)


def test_zero_point_energy(of_rocksalt: dict, rocksalt_phonons: Phonons) -> None:
    """Three modes of h nu / 2 to an atom."""
    _, frequencies, stars = rocksalt_phonons.mesh
    mean = stars @ frequencies.mean(axis=1) / stars.sum()
    energy = 3 * constants.h * mean * 1e12 / 2 * constants.N_A / 1e3
    assert of_rocksalt["zero_point_energy"] == pytest.approx(energy, rel=1e-4)


@pytest.fixture(scope="module")
def metal() -> Phonons:
    return compute_phonons(bulk("Cu"), EMT(), min_length=12, mesh=40, projected_mesh=60)


@pytest.mark.parametrize(("symbol", "expected"), [("Al", 0.0), ("Po", None), ("Tc", None)])
def test_elements_without_a_mixture_of_isotopes(symbol: str, expected: float | None) -> None:
    springs = AsePotential(LatticeSprings(cubic_axes(3.3), 3.0, 1.0))
    found = measure(compute_phonons(simple_cubic(3.3, symbol), springs, min_length=6, mesh=20))
    assert found["isotope_rate"] == expected
    assert found["group_velocity"] > 0


def test_unstable_crystal_has_no_sound() -> None:
    """Transverse springs that push: shear waves along an axis are unstable."""
    springs = AsePotential(LatticeSprings(cubic_axes(3.3), 3.0, -0.1))
    phonons = compute_phonons(simple_cubic(3.3), springs, min_length=9, mesh=40)
    found = measure(phonons)
    assert {name for name, value in found.items() if value is None} == {
        "gap",
        "expected_error",
        "sound_velocity",
        "debye_temperature",
        "bulk_modulus",
        "shear_modulus",
    }
    assert not found["stable"]
    assert found["min_frequency"] == pytest.approx(-TO_THZ * np.sqrt(0.8 / 63.546), rel=1e-3)
    assert found["imaginary_share"] == phonons.stability.imaginary_share > 0
    theta = KELVIN_PER_THZ * TO_THZ * np.sqrt(5 / 3 * (2 * 3.0 - 4 * 0.1) / 63.546)
    assert found["debye_temperature_dos"] == pytest.approx(theta, rel=1e-3)
    assert 0 < found["group_velocity"] < 10


def test_crystal_that_nothing_holds() -> None:
    """All springs push: no mode is real, and there is nothing to take a mean of."""
    springs = AsePotential(LatticeSprings(cubic_axes(3.3), -1.0, -0.1))
    found = measure(compute_phonons(simple_cubic(3.3), springs, min_length=6, mesh=20))
    assert found["debye_temperature_dos"] is None
    assert found["group_velocity"] is None
    assert found["isotope_rate"] is None
    assert found["imaginary_share"] > 0.9


def test_failures_are_no_properties(
    quartz_phonons: Phonons, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unstable long wave has no velocity; algebra that fails is another matter."""

    def fail(_phonopy: object) -> None:
        raise np.linalg.LinAlgError("Eigenvalues did not converge")

    monkeypatch.setattr("mlphonon.properties.elasticity.compute_elasticity", fail)
    with pytest.raises(np.linalg.LinAlgError):
        measure(quartz_phonons)


OF_THE_WAY_THERE = ("residual_force", "residual_stress", "steps", "notes", "volume_change")
"""Tell how a crystal was given and relaxed, and are nearly zero here."""


def measure_quartz(view: str | None = None) -> dict:
    atoms = quartz()
    springs = AsePotential(NetworkSprings(atoms, reach=3.2))
    given = atoms if view is None else VIEWS[view](atoms)
    return measure(compute_phonons(given, springs, min_length=9, mesh=30, displacement=1e-3))


@pytest.fixture(scope="module")
def as_it_stands() -> dict:
    return measure_quartz()


@pytest.mark.parametrize("view", ["rotated", "supercell", "sheared", "axes renamed"])
def test_quantities_do_not_depend_on_how_the_crystal_is_given(
    view: str, as_it_stands: dict
) -> None:
    found = measure_quartz(view)
    for name, value in as_it_stands.items():
        if name not in OF_THE_WAY_THERE:
            same = pytest.approx(value, rel=1e-4, abs=1e-5) if isinstance(value, float) else value
            assert found[name] == same, name


def test_bulk_modulus_is_the_curvature_of_the_energy(metal: Phonons) -> None:
    """That of long waves is V d^2E/dV^2, with E straight from the potential."""
    found = measure(metal)
    energies = []
    for strain in (-0.002, 0.0, 0.002):
        atoms = metal.atoms.copy()
        atoms.set_cell(atoms.cell * (1 + strain), scale_atoms=True)
        atoms.calc = EMT()
        energies.append(atoms.get_potential_energy())
    volume = metal.atoms.get_volume()
    curvature = (energies[0] - 2 * energies[1] + energies[2]) / 0.002**2
    modulus = curvature / 9 / volume * constants.e * 1e21
    assert found["bulk_modulus"] == pytest.approx(modulus, rel=0.01)
    assert found["energy"] == pytest.approx(energies[1], abs=1e-6)
    assert found["volume_change"] == pytest.approx(volume / (3.61**3 / 4) - 1, abs=1e-6)
    assert found["residual_force"] < 1e-4
    assert found["residual_stress"] is not None
    assert found["steps"] > 0
