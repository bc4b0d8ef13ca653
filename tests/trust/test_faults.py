"""Faults that are planted: the right check fires, and only it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mlphonon import Phonons, compute_phonons, load_potential
from mlphonon.potentials.cached_answers import cache_answers
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Evaluation, Potential
from mlphonon.screening.workers.sharing import do_together
from tests.helpers.crystals import rocksalt, silicon
from tests.helpers.springs import LatticeSprings, NetworkSprings, cubic_axes

QUICK = {"band_points": 11, "metal": True}
"""A metal, as far as the check of LO-TO splitting goes: it is planted in tests of its own."""


def fired(phonons: Phonons) -> list[str]:
    """Names of the checks above their limits, and of those that were needed and not made."""
    trust = phonons.trust
    return [*(one.name for one in trust.fired), *(o.name for o in trust.unmeasured if o.needed)]


class Noisy(AsePotential):
    """Forces with noise that depends on where in space the atoms are."""

    def __init__(self, calculator, size: float) -> None:
        super().__init__(calculator)
        self.size = size

    def evaluate(self, structures: Sequence[Atoms], progress=None) -> list[Evaluation]:
        found = super().evaluate(structures, progress)
        noisy = []
        for atoms, one in zip(structures, found, strict=True):
            noise = self.size * np.sin(1e7 * (atoms.positions + 1))
            noise -= noise.mean(axis=0)  # the crystal as a whole is not pushed
            noisy.append(Evaluation(one.energy, one.forces + noise, one.stress))
        return noisy


class WrongKernels(AsePotential):
    """Fast kernels whose forces are too large by a share, which nothing but the plain ones say."""

    def __init__(self, share: float) -> None:
        vectors = cubic_axes(2.845)
        scale = 1 + share
        super().__init__(LatticeSprings(vectors, along=3.0 * scale, across=0.5 * scale))
        self.plain = AsePotential(LatticeSprings(vectors, along=3.0, across=0.5))

    def with_plain_kernels(self) -> Potential:
        return self.plain


class Pinned(AsePotential):
    """Every atom is held to the place where it is at rest, so that shifting the crystal costs."""

    def __init__(self, calculator, spring: float, rest: Atoms) -> None:
        super().__init__(calculator)
        self.spring, self.sites = spring, rest.get_scaled_positions()
        self.lattice = rest.cell.array

    def evaluate(self, structures: Sequence[Atoms], progress=None) -> list[Evaluation]:
        found = super().evaluate(structures, progress)
        pinned = []
        for atoms, one in zip(structures, found, strict=True):
            off = (atoms.positions @ np.linalg.inv(self.lattice))[:, None] - self.sites
            off = (off - np.rint(off)) @ self.lattice
            nearest = np.linalg.norm(off, axis=2).argmin(axis=1)
            moved = off[np.arange(len(atoms)), nearest]
            pinned.append(Evaluation(one.energy, one.forces - self.spring * moved, one.stress))
        return pinned


@pytest.fixture(scope="module")
def springs() -> LatticeSprings:
    """Rock salt that is harmonic, at rest, and reaches no farther than its neighbours."""
    return LatticeSprings(cubic_axes(2.845), along=3.0, across=0.5)


def test_clean_result_is_trusted(springs: LatticeSprings) -> None:
    phonons = compute_phonons(rocksalt(), springs, min_length=11, **QUICK)
    assert fired(phonons) == []
    assert phonons.trust.verdict == "trusted"
    assert phonons.trust.numerical_error < 0.02


def test_clean_result_of_a_network_is_trusted(embedded: Potential) -> None:
    phonons = compute_phonons(silicon(), embedded, **QUICK)
    assert fired(phonons) == []


def test_unrelaxed_cell(embedded: Potential) -> None:
    """What the stress is said to do is what relaxing does."""
    atoms = silicon()
    atoms.set_cell(1.02 * atoms.cell.array, scale_atoms=True)
    stretched = compute_phonons(atoms, embedded, relax=False, **QUICK)
    assert fired(stretched) == ["residual stress"]
    relaxed = compute_phonons(atoms, embedded, **QUICK)
    mesh = np.random.default_rng(1).random((30, 3))
    change = np.abs(stretched.frequencies(mesh) - relaxed.frequencies(mesh)).mean()
    check = stretched.trust.check("residual stress")
    assert 0.4 < check.effect_THz / change < 4


def test_atoms_off_their_rest(quartz_phonons: Phonons, quartz_springs: Potential) -> None:
    """Forces are left, in a cell at rest; the step that they ask for is where the atoms were."""
    rest = quartz_phonons.atoms
    strained = rest.copy()
    strained.set_cell(rest.cell.array @ np.diag([1.02, 1.02, 0.97]), scale_atoms=True)
    # The forces of a strained cell keep its symmetry.
    along = quartz_springs.evaluate([strained])[0].forces
    moved = rest.copy()
    moved.positions += 0.01 * along / np.linalg.norm(along, axis=1).max()
    phonons = compute_phonons(moved, quartz_springs, relax=False, min_length=8.5, mesh=40, **QUICK)
    assert fired(phonons)[0] == "residual force"
    assert phonons.record.evidence.step_to_rest_A == pytest.approx(0.01, rel=0.15)


def test_differences_in_float32_that_are_too_short() -> None:
    coarse = load_potential("embedded", device="cpu", dtype="float32")
    phonons = compute_phonons(rocksalt(), coarse, displacement=3e-4, **QUICK)
    assert fired(phonons) == ["precision"]
    # Shorter still, the same noise breaks the sum rule, too.
    shorter = compute_phonons(rocksalt(), coarse, displacement=1e-4, **QUICK)
    assert {"precision", "sum rule"} <= set(fired(shorter))
    ours, theirs = (one.trust.check("precision") for one in (shorter, phonons))
    assert ours.measured > 2 * theirs.measured
    field = compute_phonons(rocksalt(), coarse, displacement=0.01, **QUICK)
    assert fired(field) == []


def test_noisy_forces(springs: LatticeSprings) -> None:
    """What noise is said to do is what it does."""
    settings = {"relax": False, "min_length": 11, **QUICK}
    noisy = compute_phonons(rocksalt(), Noisy(springs, 8e-3), **settings)
    assert "precision" in fired(noisy)
    clean = compute_phonons(rocksalt(), springs, **settings)
    change = np.abs(noisy.mesh[1] - clean.mesh[1]).mean()
    assert 0.5 < noisy.trust.check("precision").effect_THz / change < 4


def alone(potential: Potential, tmp_path: Path) -> Potential:
    return potential


def cached(potential: Potential, tmp_path: Path) -> Potential:
    potential._info = replace(potential.info, sha256="0" * 64)
    return cache_answers(potential, tmp_path)


@pytest.mark.parametrize("share", [0.008, 0.012])
@pytest.mark.parametrize("wrapped", [alone, cached])
def test_kernels_that_change_forces(share: float, wrapped: Callable, tmp_path: Path) -> None:
    """On either side of the limit, which is a share of 0.01; also through a wrapper."""
    settings = {"relax": False, "min_length": 11, **QUICK}
    potential = wrapped(WrongKernels(share), tmp_path)
    phonons = compute_phonons(rocksalt(), potential, trust="full", **settings)
    assert phonons.record.evidence.kernels == pytest.approx(share / (1 + share), rel=1e-6)
    check = phonons.trust.check("kernels")
    assert check.measured == phonons.record.evidence.kernels
    assert check.limit == pytest.approx(0.01)
    assert fired(phonons) == (["kernels"] if share > check.limit else [])
    right = compute_phonons(rocksalt(), potential.with_plain_kernels(), **settings)
    change = np.abs(phonons.mesh[1] - right.mesh[1]).max()
    assert check.effect_THz > change


def test_kernels_of_a_shared_potential_are_looked_at_too() -> None:
    def full(potential: Potential, _: int) -> Phonons:
        settings = {"relax": False, "min_length": 11, **QUICK}
        return compute_phonons(rocksalt(), potential, trust="full", **settings)

    for phonons in do_together(WrongKernels(0.012), [1, 2], full):
        assert fired(phonons) == ["kernels"]


def test_displacement_that_is_too_long(embedded: Potential) -> None:
    phonons = compute_phonons(rocksalt(), embedded, displacement=0.2, **QUICK)
    assert fired(phonons) == ["linearity"]
    exact = compute_phonons(rocksalt(), embedded, method="autodiff", **QUICK)
    change = np.abs(phonons.mesh[1] - exact.mesh[1]).mean()
    assert 0.3 < phonons.trust.check("linearity").effect_THz / change < 6


def test_supercell_of_five_angstroms(embedded: Potential) -> None:
    phonons = compute_phonons(rocksalt(), embedded, min_length=5, **QUICK)
    assert fired(phonons) == ["truncation"]
    assert phonons.trust.verdict == "do not use"


def test_mesh_that_is_too_coarse(springs: LatticeSprings) -> None:
    """Its error is that of the entropy and the distribution, against a dense mesh."""
    phonons = compute_phonons(rocksalt(), springs, min_length=11, mesh=12.0, **QUICK)
    assert fired(phonons) == ["mesh"]
    fine = compute_phonons(rocksalt(), springs, min_length=11, mesh=100.0, **QUICK)
    assert fine.trust.check("mesh").effect_THz < 0.1 * phonons.trust.check("mesh").effect_THz
    error = abs(phonons.thermal([300]).entropy[0] - fine.thermal([300]).entropy[0])
    scale = phonons.trust.check("mesh").limit / 0.02
    said = phonons.trust.check("mesh").effect_THz / scale * 6 * 8.314
    assert 0.3 < said / error < 4


def test_sum_rule_that_is_broken(springs: LatticeSprings) -> None:
    pinned = Pinned(springs, 0.1, rocksalt())
    phonons = compute_phonons(rocksalt(), pinned, relax=False, min_length=11, **QUICK)
    assert fired(phonons) == ["sum rule"]
    assert phonons.trust.check("sum rule").measured == pytest.approx(0.1, rel=1e-6)


def test_polar_crystal_without_born_charges(springs: LatticeSprings) -> None:
    settings = {"min_length": 11, "band_points": 11}
    phonons = compute_phonons(rocksalt(), springs, **settings)
    assert fired(phonons) == ["LO-TO splitting"]
    charges = np.array([1.1 if z == 11 else -1.1 for z in rocksalt().numbers])
    born = charges[:, None, None] * np.eye(3), 2.4 * np.eye(3)
    assert fired(compute_phonons(rocksalt(), springs, born=born, **settings)) == []


def test_crystal_of_one_element_lacks_no_splitting(embedded: Potential) -> None:
    phonons = compute_phonons(silicon(), embedded, band_points=11)
    check = phonons.trust.check("LO-TO splitting")
    assert check.measured == 0 and not check.fired


def test_relaxation_into_a_higher_group() -> None:
    """A tetragonal cell whose springs make it cubic."""
    cubic = bulk("Cu", cubic=True)
    atoms = cubic.copy()
    atoms.set_cell(cubic.cell.array @ np.diag([1, 1, 1.01]), scale_atoms=True)
    phonons = compute_phonons(atoms, NetworkSprings(cubic, 3.0), min_length=9, **QUICK)
    assert fired(phonons) == ["symmetry"]
    assert phonons.record.evidence.symmetry_gained == "Fm-3m (225)"


def test_crystal_that_falls_apart() -> None:
    """Springs at rest at a length that the crystal is far from."""
    small = bulk("Cu", a=3.2, cubic=True)
    network = NetworkSprings(bulk("Cu", a=3.6, cubic=True), 2.6)
    phonons = compute_phonons(small, network, min_length=9, **QUICK)
    assert fired(phonons) == ["volume"]
    assert phonons.trust.verdict == "do not use"


def test_imaginary_modes() -> None:
    """Springs across the bond that push: shear waves are imaginary."""
    springs = LatticeSprings(cubic_axes(2.845), along=3.0, across=-0.05)
    phonons = compute_phonons(rocksalt(), springs, relax=False, min_length=11, **QUICK)
    assert "imaginary modes" in fired(phonons)
    assert not phonons.stability.stable_by_threshold


def test_potential_without_stress_asks_for_care() -> None:
    class Stressless(LatticeSprings):
        implemented_properties = ["energy", "forces"]  # noqa: RUF012

    springs = Stressless(cubic_axes(2.845), along=3.0, across=0.5)
    phonons = compute_phonons(rocksalt(), springs, relax=False, min_length=11, **QUICK)
    assert fired(phonons) == ["residual stress"]
    assert phonons.trust.verdict == "use with care"
