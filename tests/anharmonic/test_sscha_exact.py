"""Self-consistent phonons of wells for which they are known exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlphonon import Phonons, compute_phonons
from mlphonon.anharmonic.sscha.compute import SelfConsistent, self_consistent_phonons
from mlphonon.anharmonic.sscha.settings import SschaSettings
from tests.helpers.quartic_wells import (
    APART,
    MASSES,
    Wells,
    frequency,
    molecular_crystal,
    reduced_mass,
)


def harmonic(wells: Wells, relax: bool = False, supercell: str = "2 2 1") -> Phonons:
    start = molecular_crystal()
    # Between two wells there is no force to relax along.
    start.positions[1, 2] += 0.1 if relax else 0.0
    return compute_phonons(
        start,
        wells,
        relax=relax,
        relax_cell="none",
        supercell=supercell,
        method="displacements",
        displacement=0.01,
        mesh=20,
        projected_mesh=10,
        band_points=11,
    )


def solve(wells: Wells, temperature: float, relax: bool = False, **changes: Any) -> SelfConsistent:
    settings = SschaSettings(**changes)
    return self_consistent_phonons(harmonic(wells, relax), wells, temperature, settings)


def shift_of(result: SelfConsistent) -> float:
    """Mean change of the distance vector of the two atoms along the axis, A."""
    atoms = result.phonons.atoms
    z = {symbol: place[2] for symbol, place in zip(atoms.symbols, atoms.positions, strict=True)}
    off, length = float(z["Cl"] - z["K"]) - APART, float(atoms.cell[2, 2])
    return off - length * round(off / length)


def check(
    result: SelfConsistent, wells: Wells, temperature: float, sigmas: float = 4.5, **ensemble: Any
) -> None:
    """Compare every frequency, and the free energy, with the exact ones; all that is random."""
    x, z, shift, *_ = wells.exact(temperature, **ensemble)
    held = frequency(wells.holding, sum(MASSES))
    exact = sorted([held] * 3 + [frequency(x)] * 2 + [frequency(z)])
    known = result.history.commensurate
    gamma = [sum(abs(c) for c in q) < 1e-9 for q in known.wave_vectors].index(True)
    found, errors = np.array(known.frequencies), np.array(known.errors)
    others = np.arange(len(found)) != gamma
    weights = np.array(known.multiplicities)[others]
    assert (np.abs(found[others] - exact) < sigmas * errors[others] + 1e-4).all()
    # Chance is in each wave vector anew: the mean of all is exact to a fraction of an error.
    mean = weights @ found[others] / weights.sum()
    typical = np.sqrt((errors[others] ** 2).mean(axis=0) / 3)
    assert mean == pytest.approx(exact, abs=float(0.6 * sigmas * typical.max()) + 1e-4)
    last = result.history.steps[-1]
    assert last.free_energy_error_eV is not None
    missed = last.free_energy_eV - wells.exact_free_energy(temperature, cells=4, **ensemble)
    assert abs(missed) < 4 * last.free_energy_error_eV
    assert last.free_energy_error_eV < 2e-3
    assert shift_of(result) == pytest.approx(shift, abs=3e-3)


def test_quartic_wells_have_the_exact_springs_and_free_energy() -> None:
    wells = Wells(b=1.0)
    result = solve(wells, 300)
    check(result, wells, 300)
    how = result.phonons.record.renormalisation
    assert how is not None and how.converged
    # 5.13 THz became 5.32: the error must be small beside that.
    assert how.mean_frequency_error_THz < 0.02


def test_classical_atoms_have_the_classical_springs() -> None:
    wells = Wells(b=2.0)
    check(solve(wells, 300, statistics="classical"), wells, 300, classical=True)
    quantum = frequency(wells.exact(100)[0])
    classical = frequency(wells.exact(100, classical=True)[0])
    # At 100 K the two differ by far more than errors.
    assert quantum - classical > 0.05
    found = solve(wells, 100, statistics="classical").history.commensurate.frequencies
    assert np.mean([f[3:] for f in found]) == pytest.approx(classical, abs=0.02)


def test_at_zero_temperature_the_shift_is_that_of_zero_point_motion() -> None:
    wells = Wells(b=0.1)
    result = solve(wells, 0)
    check(result, wells, 0)
    known = result.history.commensurate
    shift = np.mean(
        [np.subtract(f, h)[3:] for f, h in zip(known.frequencies, known.harmonic, strict=True)]
    )
    # To first order: half of 12 b <u^2> / k of the frequency.
    spread = wells.spread(wells.k[0], 0, reduced_mass(), False)
    expected = frequency(wells.k[0]) * 6 * wells.b * spread / wells.k[0]
    assert shift == pytest.approx(expected, rel=0.05)


def test_harmonic_wells_are_left_as_they_are() -> None:
    result = solve(Wells(), 300)
    known = result.history.commensurate
    assert np.allclose(known.frequencies, known.harmonic, atol=1e-5)
    assert np.max(known.errors) < 1e-5


@pytest.mark.parametrize("k", [0.0, pytest.param(-0.5, marks=pytest.mark.slow)])
def test_wells_without_a_harmonic_spring_get_one(k: float) -> None:
    """Purely quartic wells, and double wells: imaginary, or no, harmonic modes to start from."""
    wells = Wells((k, k), b=2.0)
    result = solve(wells, 300, tolerance=0.12, max_populations=10)
    assert np.min(result.history.commensurate.harmonic) < 0.1
    # Chance takes bands that are degenerate apart, which their own errors do not tell.
    check(result, wells, 300, sigmas=6.5)
    how = result.phonons.record.renormalisation
    assert how is not None and how.converged


@pytest.mark.slow
def test_atoms_return_to_the_middle_of_a_double_well() -> None:
    """The minimum of the energy is to one side; that of the free energy is not."""
    wells = Wells((2.0, -0.5), b=2.0)
    result = solve(wells, 300, relax=True, tolerance=0.1)
    assert result.phonons.record.renormalisation is not None
    assert result.phonons.record.renormalisation.centroid_shift_A > 0.1
    assert shift_of(result) == pytest.approx(0, abs=0.02)
    x, z, *_ = wells.exact(300)
    found = np.array(result.history.commensurate.frequencies)[1:]
    assert np.mean(found[:, :1]) == pytest.approx(min(frequency(z), 9), abs=0.15)
    assert np.mean(found[:, 4:]) == pytest.approx(frequency(x), abs=0.1)


@pytest.mark.parametrize("classical", [False, True])
def test_mean_places_in_asymmetric_wells_move(classical: bool) -> None:
    wells = Wells((2.0, 2.5), b=1.0, g=-1.0)
    shift = wells.exact(300, classical)[2]
    assert shift > 0.01
    result = solve(wells, 300, statistics="classical" if classical else "quantum", snapshots=200)
    check(result, wells, 300, classical=classical)
    assert shift_of(result) == pytest.approx(shift, abs=0.0015)
    fixed = solve(wells, 300, centroids=False)
    assert shift_of(fixed) == pytest.approx(0, abs=1e-9)


def test_curvature_of_the_free_energy_has_the_bubble() -> None:
    wells = Wells((2.0, 3.0), b=1.0, g=-1.5)
    _, z, shift, *_ = wells.exact(300)
    step = 1e-4 * z
    slope = (
        wells.spread(z + step, 300, reduced_mass(), False)
        - wells.spread(z - step, 300, reduced_mass(), False)
    ) / (2 * step)
    third = 6 * wells.g + 24 * wells.b * shift
    softer = frequency(z) - frequency(z + 0.5 * slope * third**2)
    settings = SschaSettings(snapshots=400, hessian=True)
    result = self_consistent_phonons(harmonic(wells, supercell="1 1 2"), wells, 300, settings)
    known = result.history.commensurate
    assert known.curvature is not None and result.curvature is not None
    change = np.subtract(known.frequencies, known.curvature)
    assert softer > 0.1
    assert change[:, 5].mean() == pytest.approx(softer, rel=0.06)
    # Across, and of the centre of mass, nothing is cubic.
    assert np.abs(change[:, :5]).max() < 0.01


def test_a_crystal_that_nothing_holds_does_not_converge() -> None:
    result = solve(Wells((2.0, -0.5)), 300, max_populations=3)
    how = result.phonons.record.renormalisation
    assert how is not None and not how.converged
    assert "convergence" in [check.name for check in result.phonons.trust.fired]
    assert result.phonons.trust.verdict != "trusted"


def test_the_same_call_gives_the_same_answer() -> None:
    wells = Wells(b=1.0)
    once, again = (solve(wells, 300, snapshots=40) for _ in range(2))
    assert np.array_equal(
        once.phonons.phonopy.force_constants, again.phonons.phonopy.force_constants
    )
    assert once.history == again.history
    other = solve(wells, 300, snapshots=40, seed=1)
    assert other.history != once.history


@pytest.mark.slow
def test_errors_are_as_large_as_they_are_said_to_be() -> None:
    wells = Wells((2.0, 2.5), b=1.0, g=-1.0)
    start = harmonic(wells, supercell="2 1 1")
    exact = np.array([frequency(wells.exact(300)[1]), wells.exact_free_energy(300, cells=2)])
    missed, stated = [], []
    for seed in range(16):
        settings = SschaSettings(seed=seed, snapshots=60, max_populations=2)
        result = self_consistent_phonons(start, wells, 300, settings)
        known, last = result.history.commensurate, result.history.steps[-1]
        missed.append([known.frequencies[1][5], last.free_energy_eV] - exact)
        stated.append([known.errors[1][5], last.free_energy_error_eV])
    spread = np.sqrt(np.mean(np.square(missed), axis=0))
    ratio = spread / np.sqrt(np.mean(np.square(np.array(stated, dtype=float)), axis=0))
    # Of 16, the spread is known to 18 %.
    assert (ratio > 0.6).all() and (ratio < 1.6).all()
    # On average nothing is missed.
    assert (np.abs(np.mean(missed, axis=0)) < 3.5 * spread / np.sqrt(16)).all()
