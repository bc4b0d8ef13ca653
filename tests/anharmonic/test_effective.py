"""Effective force constants: springs exactly, wells as statistics has it, errors that hold."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones
from scipy.integrate import quad

from mlphonon import Phonons, compute_phonons, compute_phonons_at_temperature
from mlphonon.anharmonic.effective.compute import effective_phonons
from mlphonon.anharmonic.effective.dynamics import Langevin
from mlphonon.anharmonic.effective.fit import n_effective
from mlphonon.anharmonic.effective.settings import EffectiveSettings
from mlphonon.anharmonic.sscha.compute import self_consistent_phonons
from mlphonon.anharmonic.sscha.reference import Reference
from mlphonon.anharmonic.sscha.settings import SschaSettings
from mlphonon.errors import CrystalError, SettingsError
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from mlphonon.settings import PhononSettings
from mlphonon.units import BOLTZMANN, THZ_OF_STIFFNESS
from tests.helpers.quartic_wells import MASSES, Wells, molecular_crystal

TEMPERATURE = 300.0
REDUCED = MASSES[0] * MASSES[1] / sum(MASSES)
QUICK = {"supercell": (2, 2, 2), "relax": False, "mesh": 10.0, "method": "displacements"}


def phonons_of(wells: Wells) -> Phonons:
    return compute_phonons(molecular_crystal(), wells, PhononSettings.make(**QUICK))


def well_frequency(phonons: Phonons) -> float:
    """Across the axis, from the effective spring: of the highest pair at Gamma where k rules."""
    return float(phonons.frequencies([0, 0, 0])[-1])


def frequency_of(stiffness: float) -> float:
    return THZ_OF_STIFFNESS * np.sqrt(stiffness / REDUCED)


def mean_square(k: float, b: float) -> float:
    """<r^2> of a classical well k r^2/2 + b r^4, by integration."""
    kt = BOLTZMANN * TEMPERATURE

    def weight(r: float) -> float:
        return float(np.exp(-(k * r**2 / 2 + b * r**4) / kt))

    return quad(lambda r: r**2 * weight(r), -3, 3)[0] / quad(weight, -3, 3)[0]


def test_springs_are_given_back(rocksalt_springs: Potential, rocksalt_phonons: Phonons) -> None:
    """Linear forces have one answer, wherever the atoms were."""
    settings = EffectiveSettings(snapshots=8, max_rounds=1, equilibration=0.05, min_length=8)
    found = effective_phonons(rocksalt_phonons, rocksalt_springs, 300.0, settings)
    for q in ([0.5, 0, 0], [0.5, 0.5, 0], [0.13, 0.29, 0.41]):
        np.testing.assert_allclose(found.frequencies(q), rocksalt_phonons.frequencies(q), atol=1e-5)
    how = found.record.renormalisation
    assert how is not None
    assert how.frequency_error_THz < 1e-6


def test_classical_well_obeys_the_virial_theorem() -> None:
    """Least squares gives <F r>/<r^2>, and <F r> = kT: the effective spring is kT/<r^2>."""
    wells = Wells(k=(4.0, 4.0), b=30.0)
    settings = EffectiveSettings(snapshots=400, max_rounds=1, equilibration=0.5)
    found = effective_phonons(phonons_of(wells), wells, TEMPERATURE, settings)
    how = found.record.renormalisation
    assert how is not None
    stiffness = BOLTZMANN * TEMPERATURE / mean_square(4.0, 30.0)
    assert stiffness > 1.2 * 4.0
    expected = frequency_of(stiffness)
    off = abs(well_frequency(found) - expected)
    assert off < 4 * max(how.mean_frequency_error_THz, 1e-3)
    assert off < 0.03 * expected
    assert abs(frequency_of(4.0) - expected) > 5 * off


def test_agrees_with_the_classical_self_consistent_answer() -> None:
    """To first order in b both are k + 12 b kT/k."""
    wells = Wells(k=(6.0, 6.0), b=4.0)
    start = phonons_of(wells)
    effective = effective_phonons(
        start, wells, TEMPERATURE, EffectiveSettings(snapshots=400, max_rounds=1)
    )
    consistent = self_consistent_phonons(
        start, wells, TEMPERATURE, SschaSettings(statistics="classical", snapshots=200)
    ).phonons
    first_order = frequency_of(6.0 + 12 * 4.0 * BOLTZMANN * TEMPERATURE / 6.0)
    error = effective.record.renormalisation.mean_frequency_error_THz
    assert well_frequency(effective) == pytest.approx(first_order, abs=4 * error + 0.01)
    assert well_frequency(consistent) == pytest.approx(first_order, abs=0.02)
    assert well_frequency(start) < first_order - 0.1


def test_a_cubic_well_responds_as_the_curvature_of_its_free_energy() -> None:
    """kT over the variance, by integration: not the springs of a Gaussian, which are stiffer."""
    wells, kt = Wells(k=(6.0, 6.0), b=10.0, g=5.0), BOLTZMANN * TEMPERATURE

    def moment(power: int, about: float = 0.0) -> float:
        def weighted(r: float) -> float:
            weight = np.exp(-(3.0 * r**2 + 5.0 * r**3 + 10.0 * r**4) / kt)
            return float((r - about) ** power * weight)

        return quad(weighted, -1, 1)[0]

    mean = moment(1) / moment(0)
    exact = frequency_of(kt * moment(0) / moment(2, mean))
    start = phonons_of(wells)
    effective = effective_phonons(
        start, wells, TEMPERATURE, EffectiveSettings(snapshots=400, max_rounds=2)
    )
    how = effective.record.renormalisation
    gaussian = self_consistent_phonons(
        start,
        wells,
        TEMPERATURE,
        SschaSettings(statistics="classical", snapshots=200, hessian=True),
    )

    def along(phonons: Phonons) -> float:
        """Of the well along the axis: the fourth at Gamma, below the pair across."""
        return float(phonons.frequencies([0, 0, 0])[3])

    assert how.centroid_shift_A == pytest.approx(abs(mean) * MASSES[0] / sum(MASSES), rel=0.1)
    assert along(effective) == pytest.approx(exact, abs=4 * how.mean_frequency_error_THz)
    assert along(gaussian.curvature) == pytest.approx(exact, abs=0.04)
    assert along(gaussian.phonons) > exact + 0.1


def test_harmonic_atoms_are_where_they_should_be() -> None:
    """BAOAB: <r^2> = kT/k at a long time step, too."""
    wells = Wells(k=(6.0, 6.0))
    atoms = phonons_of(wells).atoms
    reference = Reference.of(atoms, 2 * np.eye(3, dtype=int), 1e-5, 0.0)
    motion = Langevin(reference, wells, TEMPERATURE, time_step=0.02, friction=10.0, seed=3)
    motion.start(np.zeros((8, 16, 3)))
    motion.run(1, 100)
    found = motion.run(60, 10)
    # All is harmonic: 3 N - 3 coordinates hold kT/2 each.
    expected = (3 * 16 - 3) * BOLTZMANN * TEMPERATURE / 2
    assert found.energies.mean() == pytest.approx(expected, rel=0.03)


def test_errors_are_as_large_as_they_are_said_to_be() -> None:
    wells = Wells(k=(4.0, 4.0), b=30.0)
    start = phonons_of(wells)
    found, said = [], []
    for seed in range(10):
        settings = EffectiveSettings(snapshots=80, max_rounds=1, equilibration=0.5, seed=seed)
        one = effective_phonons(start, wells, TEMPERATURE, settings)
        found.append(well_frequency(one))
        said.append(one.record.renormalisation.mean_frequency_error_THz)
    # Ten values know their spread to a quarter; Gamma is one of eight wave vectors.
    assert 0.4 < np.std(found, ddof=1) / np.mean(said) < 2.5


def test_same_seed_same_answer() -> None:
    wells = Wells(k=(4.0, 4.0), b=30.0)
    start = phonons_of(wells)
    settings = EffectiveSettings(snapshots=8, max_rounds=1, equilibration=0.1)
    first, second = (effective_phonons(start, wells, TEMPERATURE, settings) for _ in range(2))
    np.testing.assert_array_equal(first.phonopy.force_constants, second.phonopy.force_constants)


def test_quantum_atoms_are_drawn() -> None:
    """At 0 K the zero-point motion stiffens the well; molecular dynamics would not move."""
    wells = Wells(k=(4.0, 4.0), b=30.0)
    found = compute_phonons_at_temperature(
        molecular_crystal(),
        wells,
        temperature=0.0,
        method="effective",
        effective=EffectiveSettings(statistics="quantum", snapshots=80, max_rounds=4),
        phonons=QUICK,
    ).phonons
    how = found.record.renormalisation
    assert (how.method, how.statistics) == ("effective", "quantum")
    assert well_frequency(found) > frequency_of(4.0) + 0.1
    with pytest.raises(SettingsError, match="do not move at 0 K"):
        effective_phonons(phonons_of(wells), wells, 0.0)


def test_atoms_that_leave_end_in_one_line() -> None:
    """Argon, far above its melting point."""
    argon = AsePotential(LennardJones(sigma=3.4, epsilon=0.0104, rc=8.0, smooth=True))
    start = compute_phonons(bulk("Ar", a=5.25), argon, supercell=(2, 2, 2), mesh=10)
    settings = EffectiveSettings(snapshots=8, trajectories=4, equilibration=5.0)
    with pytest.raises(CrystalError, match="from its place at 900 K"):
        effective_phonons(start, argon, 900.0, settings)


def test_correlated_energies_are_worth_less() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((4000, 6))
    correlated = np.empty_like(noise)
    correlated[0] = noise[0]
    for i in range(1, len(noise)):
        correlated[i] = 0.8 * correlated[i - 1] + 0.6 * noise[i]
    assert n_effective(noise) == pytest.approx(24000, rel=0.1)
    # (1 - 0.8) / (1 + 0.8) of them.
    assert n_effective(correlated) == pytest.approx(24000 / 9, rel=0.2)
