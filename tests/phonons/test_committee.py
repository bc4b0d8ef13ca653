"""Several potentials on one crystal: means and deviations that are known."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from scipy import constants

from mlphonon import Phonons, compute_phonons, load_potential
from mlphonon.phonons.committee import Committee
from mlphonon.potentials.calculator import AsePotential
from mlphonon.trust.committee import LIMIT, SEVERE, check_committee
from mlphonon.trust.verdict import Check, Unmeasured
from tests.helpers.committees import FACTORS, MEAN, QUICK, STD, springs, three
from tests.helpers.crystals import rocksalt
from tests.helpers.potentials import declare
from tests.helpers.springs import LatticeSprings, cubic_axes


@pytest.fixture(scope="module")
def phonons() -> Phonons:
    return three()


@pytest.fixture(scope="module")
def committee(phonons: Phonons) -> Committee:
    assert phonons.committee is not None
    return phonons.committee


def test_one_potential_is_no_committee() -> None:
    for potential in (springs(), [springs()], (springs(),)):
        assert compute_phonons(rocksalt(), potential, **QUICK).committee is None


def test_the_result_is_the_first(phonons: Phonons, committee: Committee) -> None:
    alone = compute_phonons(rocksalt(), springs(), **QUICK)
    np.testing.assert_array_equal(phonons.phonopy.force_constants, alone.phonopy.force_constants)
    assert committee.members[0] is phonons
    assert committee.names == ("springs 1", "springs 1.1", "springs 0.9")
    assert all(other.committee is None for other in committee.members[1:])
    with pytest.raises(AttributeError):
        committee.members = ()  # type: ignore[misc]


def test_mean_and_deviation_of_bands(phonons: Phonons, committee: Committee) -> None:
    bands, alone = committee.bands(), phonons.bands()
    assert bands.mean.labels == alone.labels
    for k, one in enumerate(alone.frequencies):
        np.testing.assert_allclose(bands.mean.frequencies[k], MEAN * one, atol=1e-5)
        np.testing.assert_allclose(bands.std[k], STD * np.abs(one), atol=1e-5)
        for member, factor in zip(bands.members, FACTORS, strict=True):
            np.testing.assert_allclose(member.frequencies[k], factor**0.5 * one, atol=1e-5)
            np.testing.assert_array_equal(member.distances[k], alone.distances[k])
    with pytest.raises(ValueError, match="read-only"):
        bands.std[0][:] = 0


def test_spread_and_highest_frequency(phonons: Phonons, committee: Committee) -> None:
    _, frequencies, weights = phonons.mesh
    rms = np.sqrt(np.average((frequencies**2).mean(axis=1), weights=weights))
    assert committee.frequency_spread == pytest.approx(STD * rms, rel=1e-6)
    # The mean of the squares is not the square of the mean.
    assert committee.rms_frequency == pytest.approx(rms * np.sqrt(FACTORS.mean()), rel=1e-6)
    # At Gamma, w^2 = (2 K + 4 K') (1/m + 1/M) whatever the polarisation.
    top = phonons.frequencies([0, 0, 0])[-1]
    assert committee.max_frequency.mean == pytest.approx(MEAN * top, rel=1e-6)
    assert committee.max_frequency.std == pytest.approx(STD * top, rel=1e-6)
    assert committee.volume.mean == pytest.approx(2.845**3)
    assert committee.volume.std == pytest.approx(0, abs=1e-6)
    assert committee.stable == (True, True, True)


def test_bars_on_thermal_properties(phonons: Phonons, committee: Committee) -> None:
    """Against the formulas of the oscillator, summed over the mesh."""
    _, frequencies, weights = phonons.mesh
    # Acoustic modes at Gamma, whose frequency is zero, are no oscillators.
    moving = frequencies > 1e-3
    share = np.broadcast_to(weights[:, None] / weights.sum(), frequencies.shape)[moving]
    t = 300.0

    def exact(factor: float) -> tuple[float, float, float]:
        energy = constants.h * 1e12 * factor**0.5 * frequencies[moving]
        x = energy / (constants.k * t)
        c = constants.R * (x / 2 / np.sinh(x / 2)) ** 2
        s = constants.R * (x / np.expm1(x) - np.log1p(-np.exp(-x)))
        f = constants.N_A * energy / 2 / 1e3 + constants.R * t * np.log1p(-np.exp(-x)) / 1e3
        return share @ c, share @ s, share @ f

    found = committee.thermal([t])
    expected = np.array([exact(factor) for factor in FACTORS]).T
    for name, values in zip(("heat_capacity", "entropy", "free_energy"), expected, strict=True):
        members = [getattr(member, name)[0] for member in found.members]
        np.testing.assert_allclose(members, values, rtol=1e-5)
        assert getattr(found.mean, name)[0] == pytest.approx(values.mean(), rel=1e-5)
        assert getattr(found.std, name)[0] == pytest.approx(values.std(ddof=1), rel=1e-4)
    assert found.mean.n_atoms == 2
    zero_points = [member.zero_point_energy for member in found.members]
    assert found.std.zero_point_energy == pytest.approx(np.std(zero_points, ddof=1))
    np.testing.assert_array_equal(committee.thermal().mean.temperatures, [0, 100, 200, 300, 400])


def test_two_members() -> None:
    both = [springs(1.0), springs(1.21)]
    committee = compute_phonons(rocksalt(), both, **QUICK).committee
    assert committee is not None
    top = committee.members[0].frequencies([0, 0, 0])[-1]
    assert committee.max_frequency.mean == pytest.approx(1.05 * top, rel=1e-6)
    # Of two numbers that differ by d, d / sqrt(2).
    assert committee.max_frequency.std == pytest.approx(0.1 * top / np.sqrt(2), rel=1e-6)


def test_one_member_twice_has_no_spread() -> None:
    potential = springs()
    committee = compute_phonons(rocksalt(), [potential, potential], **QUICK).committee
    assert committee is not None
    assert committee.names == ("springs 1", "springs 1 (2)")
    assert committee.frequency_spread == 0
    assert committee.max_frequency.std == committee.volume.std == 0
    assert not committee.thermal().std.heat_capacity.any()
    assert not np.concatenate(committee.bands().std).any()


def test_order_does_not_matter(committee: Committee) -> None:
    turned = compute_phonons(rocksalt(), [springs(f) for f in FACTORS[::-1]], **QUICK).committee
    assert turned is not None
    assert turned.names == committee.names[::-1]
    assert turned.frequency_spread == pytest.approx(committee.frequency_spread, rel=1e-9)
    assert turned.rms_frequency == pytest.approx(committee.rms_frequency, rel=1e-9)
    for one, other in zip(turned.bands().std, committee.bands().std, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    for part in ("mean", "std"):
        for name in ("heat_capacity", "entropy", "free_energy"):
            one, other = (getattr(getattr(c.thermal(), part), name) for c in (turned, committee))
            np.testing.assert_allclose(one, other, atol=1e-8)


def test_crystals_of_other_sizes_have_the_same_supercell() -> None:
    """Frequencies of rocksalt springs depend on q a alone: there is no spread but of volumes."""
    lengths = (2.845, 2.7, 2.95)
    potentials = [springs(length=x, name=f"{x}") for x in lengths]
    settings = QUICK | {"fmax": 1e-7}
    committee = compute_phonons(rocksalt(), potentials, **settings).committee
    assert committee is not None
    matrices = [member.record.supercell_matrix for member in committee.members]
    assert matrices[0] == matrices[1] == matrices[2]
    alone = compute_phonons(rocksalt(), potentials[1], **settings)
    # Left to itself, the smaller one needs more cells to be as high.
    assert alone.record.n_atoms_supercell > committee.members[1].record.n_atoms_supercell
    assert committee.members[1].record.settings == alone.record.settings
    np.testing.assert_allclose(committee.volume.members, np.power(lengths, 3), rtol=1e-6)
    assert committee.volume.std == pytest.approx(np.std(np.power(lengths, 3), ddof=1), rel=1e-5)
    assert committee.frequency_spread < 1e-4
    assert max(float(std.max()) for std in committee.bands().std) < 1e-4


def test_a_grown_supercell_is_that_of_the_first(committee: Committee) -> None:
    settings = QUICK | {"supercell": "converged", "tolerance": 0.5}
    grown = compute_phonons(rocksalt(), [springs(1.0), springs(1.1)], **settings).committee
    assert grown is not None
    first, second = (member.record for member in grown.members)
    assert first.supercell_matrix == second.supercell_matrix
    assert len(first.supercell_series) > 1 and second.supercell_series == ()


def strained(*lengths: float, stiff: int) -> AsePotential:
    """Rocksalt at rest at three lengths, springs along one axis twice as stiff."""
    calculator = LatticeSprings(cubic_axes(1.0) * lengths, along=3.0, across=0.5)
    calculator._stiffness[[stiff, stiff + 3]] *= 2
    return AsePotential(calculator, name=f"stiff along {'xyz'[stiff]}")


def test_mesh_where_members_gained_different_symmetries() -> None:
    """An orthorhombic crystal that one makes tetragonal about z, and one about x."""
    atoms = rocksalt()
    atoms.set_cell(atoms.cell.array * [1.0, 1.01, 1.02], scale_atoms=True)
    settings = QUICK | {"fmax": 1e-8, "mesh": 30.0}
    potentials = [
        strained(2.845, 2.845, 2.9, stiff=2),
        strained(2.9, 2.845, 2.845, stiff=0),
    ]
    committee = compute_phonons(atoms, potentials, **settings).committee
    assert committee is not None
    gained = [len(m.phonopy.primitive_symmetry.pointgroup_operations) for m in committee.members]
    assert gained == [16, 16], "else this tests nothing"
    numbers = committee.members[0]._run_mesh().mesh_numbers
    full = np.array(list(itertools.product(*map(range, numbers)))) / numbers
    one, other = (member.frequencies(full) for member in committee.members)
    expected = np.sqrt(((one - other) ** 2 / 2).mean())
    assert expected > 0.1
    assert committee.frequency_spread == pytest.approx(expected, rel=1e-6)
    naive = _spread_on(committee, committee.members[0].mesh)
    assert abs(naive / expected - 1) > 1e-4, "the symmetry of the first would have done"


def _spread_on(committee: Committee, mesh: tuple[np.ndarray, ...]) -> float:
    one, other = (member.frequencies(mesh[0]) for member in committee.members)
    return float(np.sqrt(np.average(((one - other) ** 2 / 2).mean(axis=1), weights=mesh[2])))


def test_non_analytical_term_reaches_all_members() -> None:
    charges = np.array([1.1 if z == 11 else -1.1 for z in rocksalt().numbers])
    born = charges[:, None, None] * np.eye(3), 2.4 * np.eye(3)
    pair = [springs(1.0), springs(1.0, name="same")]
    committee = compute_phonons(rocksalt(), pair, born=born, **QUICK).committee
    assert committee is not None
    # Along a direction to Gamma the longitudinal branch is higher, for the second member too.
    assert (
        committee.bands().members[1].frequencies[0][0, -1]
        > 1 + committee.members[1].frequencies([0, 0, 0]).max()
    )
    assert max(float(std.max()) for std in committee.bands().std) < 1e-9


def test_potentials_of_all_kinds_at_once(tmp_path: Path) -> None:
    settings = {"min_length": 6.0, "mesh": 10.0, "projected_mesh": 5.0, "band_points": 3}
    kinds = [EMT(), AsePotential(EMT(), name="wrapped")]
    committee = compute_phonons(bulk("Cu"), kinds, **settings).committee
    assert committee is not None
    assert committee.names == ("EMT", "wrapped")
    assert committee.frequency_spread < 1e-6


def test_trust() -> None:
    found = check_committee(compute_phonons(rocksalt(), springs(), **QUICK))
    assert found == Unmeasured(name="committee", why="one potential was given")
    for factor, verdict in ((1.02, "trusted"), (1.3, "use with care"), (3.0, "do not use")):
        phonons = compute_phonons(rocksalt(), [springs(1.0), springs(factor)], **QUICK)
        check = phonons.trust.check("committee")
        assert isinstance(check, Check) and phonons.committee is not None
        relative = (factor**0.5 - 1) / np.sqrt(1 + factor)  # std over root mean square
        assert check.measured / check.limit == pytest.approx(relative / LIMIT, rel=1e-5)
        assert check.severe == pytest.approx(check.limit * SEVERE / LIMIT)
        assert check.effect_THz == check.measured == phonons.committee.frequency_spread
        assert check.verdict == verdict


def perturbed(seed: int, name: str) -> Any:
    """The embedded potential with weights that are 1 % off."""
    import torch

    potential = load_potential("embedded", device="cpu")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in potential.model.parameters():
            noise = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
            weight.mul_(1 + 0.01 * noise)
    declare(potential, name=name)
    return potential


def test_learned_potentials() -> None:
    atoms: Atoms = bulk("NaCl", "rocksalt", a=5.69)
    settings = {"min_length": 7.0, "mesh": 30.0, "projected_mesh": 10.0, "band_points": 5}
    potentials = ["embedded", perturbed(1, "one"), perturbed(2, "two")]
    phonons = compute_phonons(atoms, potentials, device="cpu", **settings)
    committee = phonons.committee
    assert committee is not None
    assert committee.names == ("embedded", "one", "two")
    assert committee.volume.std > 1e-4
    assert 1e-3 < committee.frequency_spread < committee.rms_frequency
    for member in committee.members:
        assert member.record.relaxation_converged
