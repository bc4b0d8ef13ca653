"""Structures to be labelled: as asked for, and along phonons that are known."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mlphonon import Phonons, compute_phonons
from mlphonon.crystal.supercell import random_superlattice
from mlphonon.potentials.potential import Potential
from mlphonon.training.data.generation import distort
from mlphonon.training.data.settings import Distortions
from mlphonon.training.data.waves import Waves
from mlphonon.units import BOLTZMANN, EV_PER_THZ


@pytest.fixture(scope="module")
def phonons() -> Phonons:
    """Rock salt of springs, exactly harmonic (as the fixture of the same name in conftest)."""
    from mlphonon.potentials.calculator import AsePotential
    from tests.helpers.springs import LatticeSprings, cubic_axes

    springs = AsePotential(LatticeSprings(cubic_axes(2.845), along=3.0, across=0.5))
    crystal = bulk("NaCl", "rocksalt", a=5.69)
    return compute_phonons(crystal, springs, relax=False, min_length=11.0, mesh=20)


def made(crystal: Atoms, **changes: object) -> list[Atoms]:
    return list(distort(crystal, "it", Distortions.model_validate(changes)))


def test_as_many_of_each_kind_as_asked_for_and_the_same_again() -> None:
    crystal = bulk("Cu")
    found = made(crystal, kinds=("rattle", "strain"), per_crystal=5, max_atoms=8)
    assert [atoms.info["config"] for atoms in found] == ["rattle"] * 3 + ["strain"] * 2
    assert {atoms.info["material_id"] for atoms in found} == {"it"}
    assert {len(atoms) for atoms in found} == {8}
    again = made(crystal, kinds=("rattle", "strain"), per_crystal=5, max_atoms=8)
    for one, two in zip(found, again, strict=True):
        np.testing.assert_array_equal(one.positions, two.positions)
    other = made(crystal, kinds=("rattle", "strain"), per_crystal=5, max_atoms=8, seed=2)
    assert not np.allclose(found[0].positions, other[0].positions)
    cells = {tuple(np.round(np.sort(atoms.cell.lengths()), 3)) for atoms in found[:3]}
    assert len(cells) > 1


def test_displacements_and_strains_are_of_the_size_asked_for() -> None:
    crystal = bulk("Cu", cubic=True)
    rattled = made(crystal, kinds=("rattle",), per_crystal=60, max_atoms=4, amplitude=0.05)
    moved = np.concatenate([atoms.positions - crystal.positions for atoms in rattled])
    assert moved.std() == pytest.approx(0.05, rel=0.1)
    strained = made(crystal, kinds=("strain",), per_crystal=60, max_atoms=4, strain=0.04)
    strains = [np.linalg.solve(crystal.cell.array, a.cell.array) - np.eye(3) for a in strained]
    assert 0.035 < np.abs(strains).max() <= 0.04
    for strain in strains:
        np.testing.assert_allclose(strain, strain.T, atol=1e-12)


def test_every_superlattice_is_as_likely() -> None:
    """There are seven of index two."""
    rng = np.random.default_rng(1)
    lattice = np.array([[3.0, 0, 0], [0.3, 4.0, 0], [0.1, 0.2, 5.0]])
    counts: dict[bytes, int] = {}
    for _ in range(700):
        rows = random_superlattice(lattice, 2, rng)
        assert round(float(np.linalg.det(rows))) == 2
        # Which lattice vectors modulo two are in it tells the superlattice.
        pairs = [(k, m) for k in (0, 1) for m in (0, 1)]
        inside = np.array([(rows[0] + k * rows[1] + m * rows[2]) % 2 for k, m in pairs])
        key = np.unique(np.vstack([rows % 2, inside]), axis=0).tobytes()
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 7
    assert min(counts.values()) > 60


def test_thermal_displacements_hold_half_of_the_energy(
    phonons: Phonons, rocksalt_springs: Potential
) -> None:
    """Of an oscillator: 1/2 (h nu / 2) coth(h nu / 2 k T) is in the spring."""
    wanted = Distortions(kinds=("thermal",), per_crystal=60, max_atoms=8, temperature=300)
    structures = list(distort(phonons.atoms, "NaCl", wanted, phonons))
    expected, found = [], []
    for atoms in structures:
        found.append(rocksalt_springs.evaluate([atoms])[0].energy)
        frequencies = _frequencies(phonons, atoms)
        quanta = EV_PER_THZ * frequencies[frequencies > 0.1]
        half = quanta / 2
        expected.append(float(np.sum(half / 2 / np.tanh(half / (BOLTZMANN * 300)))))
    assert np.mean(found) == pytest.approx(np.mean(expected), rel=0.06)


def _frequencies(phonons: Phonons, displaced: Atoms) -> np.ndarray:
    """Return all frequencies of the waves that fit into a supercell, THz."""
    rows = np.rint(displaced.cell.array @ np.linalg.inv(phonons.atoms.cell.array)).astype(int)
    inverse = np.linalg.inv(rows.T)
    grid = np.array(np.meshgrid(*[range(-8, 9)] * 3)).reshape(3, -1).T @ inverse
    waves = np.unique(np.round(grid % 1.0, 9) % 1.0, axis=0)
    assert len(waves) == round(abs(np.linalg.det(rows)))
    return phonons.frequencies(waves).ravel()


def test_along_a_mode_forces_pull_straight_back(
    phonons: Phonons, rocksalt_springs: Potential
) -> None:
    rows = random_superlattice(phonons.atoms.cell.array, 3, np.random.default_rng(4))
    from ase.build import make_supercell

    supercell = make_supercell(phonons.atoms, rows, wrap=False)
    supercell.info["superlattice"] = rows
    waves = Waves.of(phonons, supercell)
    moved = waves.along_mode(0.1, np.random.default_rng(5))
    shift = moved.positions - waves.atoms.positions
    assert np.linalg.norm(shift, axis=1).max() == pytest.approx(0.1)
    forces = rocksalt_springs.evaluate([moved])[0].forces
    pull = moved.get_masses()[:, None] * shift
    squared = -float((forces * pull).sum() / (pull**2).sum())
    # ASE and phonopy differ in the fifth digit of masses.
    np.testing.assert_allclose(forces, -squared * pull, atol=1e-4)
    from tests.helpers.springs import TO_THZ

    known = _frequencies(phonons, supercell)
    assert np.abs(known - TO_THZ * np.sqrt(squared)).min() < 1e-3


def test_finite_displacements_are_phonopys() -> None:
    crystal = bulk("Cu")
    found = made(crystal, kinds=("finite",), per_crystal=1, min_length=6.0, distance=0.02)
    assert len(found) == 1
    (atoms,) = found
    assert len(atoms) == 27
    spacings = np.sort(atoms.get_all_distances(mic=True)[0])[1:13]
    assert np.ptp(spacings) == pytest.approx(0.04, rel=0.05)


def test_a_kind_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no kind of distortion 'ratle'"):
        Distortions(kinds=("rattle", "ratle"))
    with pytest.raises(ValueError, match="at least one kind"):
        Distortions(kinds=())
