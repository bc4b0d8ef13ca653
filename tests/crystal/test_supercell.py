"""The supercell: long enough in every direction, symmetric, and as small as that allows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal as space_group_crystal

from mlphonon.crystal.crystal import Crystal, make_crystal, point_group
from mlphonon.crystal.supercell import (
    choose_supercell,
    perpendicular_heights,
    smallest_superlattice,
)
from mlphonon.errors import SettingsError
from mlphonon.settings import PhononSettings
from tests.helpers.crystals import (
    VIEWS,
    corundum,
    pyrite,
    quartz,
    rocksalt,
    silicon,
    triclinic,
    wurtzite,
)


def zirconia() -> Atoms:
    """Monoclinic."""
    sites = [(0.2754, 0.0395, 0.2083), (0.07, 0.3317, 0.3447), (0.4496, 0.7569, 0.4792)]
    cell = [5.15, 5.212, 5.317, 90, 99.23, 90]
    return space_group_crystal(["Zr", "O", "O"], sites, spacegroup=14, cellpar=cell)


def body_centred() -> Atoms:
    return bulk("Fe", cubic=True)


CRYSTALS = [
    rocksalt,
    silicon,
    wurtzite,
    corundum,
    quartz,
    pyrite,
    triclinic,
    zirconia,
    body_centred,
]


def choose(crystal: Crystal, **settings: object) -> np.ndarray:
    """Rows of the supercell in terms of the primitive vectors."""
    return choose_supercell(crystal, crystal.atoms, PhononSettings(**settings)).T


def same_lattice(rows: np.ndarray, other: np.ndarray) -> bool:
    change = np.asarray(rows) @ np.linalg.inv(other)
    return bool(np.allclose(change, np.rint(change), atol=1e-6)) and bool(
        np.isclose(abs(np.linalg.det(change)), 1)
    )


def keeps(rows: np.ndarray, rotations: np.ndarray) -> bool:
    return all(same_lattice(rows @ rotation.T, rows) for rotation in rotations)


def test_heights_of_a_sheared_cell() -> None:
    """The height on a face is the volume over its area."""
    cell = np.array([[3.0, 0, 0], [8.0, 4.0, 0], [1.0, 2.0, 5.0]])
    a, b, c = cell
    volume = a @ np.cross(b, c)
    expected = [
        volume / np.linalg.norm(np.cross(b, c)),
        volume / np.linalg.norm(np.cross(c, a)),
        volume / np.linalg.norm(np.cross(a, b)),
    ]
    np.testing.assert_allclose(perpendicular_heights(cell), expected)
    assert perpendicular_heights(cell)[0] < 2 < np.linalg.norm(a)


@pytest.mark.parametrize("build", CRYSTALS)
@pytest.mark.parametrize("min_length", [9.0, 12.5])
def test_high_enough_and_symmetric(build, min_length: float) -> None:
    crystal = make_crystal(build())
    rows = choose(crystal, min_length=min_length)
    cell = rows @ crystal.atoms.cell.array
    assert perpendicular_heights(cell).min() >= min_length - 1e-6
    assert np.linalg.det(rows) > 0
    assert keeps(rows, point_group(crystal.atoms, 1e-5))


def conventional_rows(crystal: Crystal) -> np.ndarray:
    """The given (conventional) cell in terms of the primitive one."""
    return crystal.given_matrix


@pytest.mark.parametrize("build", CRYSTALS)
@pytest.mark.parametrize("min_length", [9.0, 12.5])
def test_no_more_atoms_than_the_best_diagonal_supercell(build, min_length: float) -> None:
    crystal = make_crystal(build())
    lattice, rotations = crystal.atoms.cell.array, point_group(crystal.atoms, 1e-5)
    found = np.linalg.det(choose(crystal, min_length=min_length))
    best = np.inf
    for base in (np.eye(3), conventional_rows(crystal)):
        for n in itertools.product(range(1, 8), repeat=3):
            rows = np.diag(n) @ base
            high = perpendicular_heights(rows @ lattice).min() >= min_length
            if high and keeps(rows, rotations):
                best = min(best, abs(np.linalg.det(rows)))
    assert np.isfinite(best)
    assert round(found) <= round(best)


@pytest.mark.parametrize("build", [rocksalt, wurtzite, body_centred, triclinic])
def test_smallest_of_all_superlattices(build) -> None:
    """Every superlattice of every smaller index is tried by brute force."""
    min_length = 7.5
    crystal = make_crystal(build())
    lattice, rotations = crystal.atoms.cell.array, point_group(crystal.atoms, 1e-5)
    rows = choose(crystal, min_length=min_length)
    index = round(np.linalg.det(rows))
    best_here = 0.0
    for smaller in range(1, index + 1):
        for form in all_superlattices(smaller):
            if keeps(form, rotations) and shortest_vector(form @ lattice) >= min_length - 1e-6:
                height = best_height(form @ lattice)
                if smaller < index:
                    assert height < min_length - 1e-6
                best_here = max(best_here, height)
    assert perpendicular_heights(rows @ lattice).min() == pytest.approx(best_here, abs=1e-3)


def all_superlattices(index: int) -> list[np.ndarray]:
    """Hermite normal forms of a determinant, written out."""
    forms = []
    for a, c in itertools.product(range(1, index + 1), repeat=2):
        if index % (a * c) == 0:
            f = index // (a * c)
            forms += [
                np.array([[a, b, d], [0, c, e], [0, 0, f]])
                for b in range(c)
                for d in range(f)
                for e in range(f)
            ]
    return forms


def neighbours_of(cell: np.ndarray) -> np.ndarray:
    steps = np.array(list(itertools.product(range(-3, 4), repeat=3)))
    vectors = steps[(steps != 0).any(axis=1)] @ cell
    return vectors[np.argsort(np.linalg.norm(vectors, axis=1))]


def shortest_vector(cell: np.ndarray) -> float:
    from ase.geometry import minkowski_reduce

    reduced, _ = minkowski_reduce(cell)
    return float(np.linalg.norm(reduced, axis=1).min())


def best_height(cell: np.ndarray) -> float:
    """Greatest least height over all short bases of the lattice."""
    from ase.geometry import minkowski_reduce

    reduced, _ = minkowski_reduce(cell)
    short = neighbours_of(reduced)[:26]
    volume = abs(np.linalg.det(cell))
    best = 0.0
    for rows in itertools.combinations(short[::2], 3):
        if np.isclose(abs(np.linalg.det(rows)), volume):
            best = max(best, perpendicular_heights(np.array(rows)).min())
    return best


def test_rocksalt_at_15_angstrom_is_not_diagonal() -> None:
    """A primitive 4x4x4 cell of fcc is 13.1 A high, 5x5x5 has 250 atoms; 3x3x3 cubes have 216."""
    crystal = make_crystal(rocksalt())
    rows = choose(crystal, min_length=15)
    assert round(np.linalg.det(rows)) * 2 <= 216


def test_ceiling_is_refused_with_the_numbers() -> None:
    crystal = make_crystal(quartz())
    with pytest.raises(SettingsError) as caught:
        choose(crystal, min_length=30, max_atoms=300)
    message = str(caught.value)
    assert "300 atoms" in message
    assert "30 A high" in message
    needed = 30**3 / crystal.atoms.get_volume() * 9
    assert f"about {needed:.0f} atoms" in message
    with pytest.raises(SettingsError, match=r"holds 1728 atoms.*max_atoms = 1000"):
        choose(make_crystal(rocksalt()), supercell="6 6 6", max_atoms=1000)


def test_the_ceiling_itself_is_allowed() -> None:
    crystal = make_crystal(rocksalt())
    rows = choose(crystal, min_length=11, max_atoms=64)
    assert round(np.linalg.det(rows)) == 32
    with pytest.raises(SettingsError):
        choose(crystal, min_length=11, max_atoms=63)


def test_matrix_refers_to_the_cell_as_it_was_given() -> None:
    """2x2x2 of the conventional cell holds 64 atoms, of the primitive cell 16."""
    conventional, primitive = (
        make_crystal(rocksalt()),
        make_crystal(bulk("NaCl", "rocksalt", a=5.69)),
    )
    assert round(np.linalg.det(choose(conventional, supercell="2 2 2"))) == 32
    assert round(np.linalg.det(choose(primitive, supercell="2 2 2"))) == 8


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("build", [rocksalt, wurtzite, quartz, triclinic])
@pytest.mark.parametrize("supercell", ["2 1 3", "1 1 0 0 2 1 -1 0 2"])
def test_matrix_gives_the_same_lattice_in_space(build, view: str, supercell: str) -> None:
    """The chosen vectors span what the matrix makes of the given vectors, turned with them."""
    given = VIEWS[view](build())
    crystal = make_crystal(given)
    rows = choose(crystal, supercell=supercell)
    numbers = np.array(supercell.split(), dtype=int)
    # Phonopy's convention: columns are the supercell's vectors.
    matrix = np.diag(numbers) if numbers.size == 3 else numbers.reshape(3, 3)
    expected = matrix.T @ given.cell.array @ crystal.to_standard.T
    assert same_lattice(rows @ crystal.atoms.cell.array, expected)
    assert np.linalg.det(rows) > 0


def test_all_bases_of_a_lattice_give_one_supercell() -> None:
    """A 2x2x2 supercell of a sheared cell is that of the upright one."""
    expected = choose(make_crystal(wurtzite()), supercell="2 2 2")
    for view in ("left-handed", "vectors reversed", "sheared", "axes renamed"):
        found = choose(make_crystal(VIEWS[view](wurtzite())), supercell="2 2 2")
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("build", [wurtzite, quartz, corundum, triclinic])
def test_choice_does_not_hang_on_rounding(build) -> None:
    """Relaxed cells differ in the last digits; vectors of equal length must not change places."""
    crystal = make_crystal(build())
    settings = PhononSettings(min_length=9.5)
    expected = choose_supercell(crystal, crystal.atoms, settings)
    rng = np.random.default_rng(5)
    for _ in range(5):
        noisy = crystal.atoms.copy()
        strain = rng.uniform(-1e-11, 1e-11, (3, 3))
        noisy.set_cell(noisy.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        np.testing.assert_array_equal(choose_supercell(crystal, noisy, settings), expected)


def test_primitive_cell_that_is_high_enough_is_taken() -> None:
    crystal = make_crystal(corundum())
    rows = choose(crystal, min_length=3)
    np.testing.assert_allclose(abs(np.linalg.det(rows)), 1)


def test_nothing_is_found_below_the_least_index() -> None:
    crystal = make_crystal(rocksalt())
    rotations = point_group(crystal.atoms, 1e-5)
    assert smallest_superlattice(crystal.atoms.cell.array, rotations, 11.0, most=31) is None
