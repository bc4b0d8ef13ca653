from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms

from mlphonon.training.data.folding import PeriodicConstants, contains, triangular
from mlphonon.units import THZ_OF_STIFFNESS

MASSES = np.array([20.0, 50.0])


@pytest.fixture(scope="module")
def phonopy() -> Phonopy:
    """A monoclinic crystal of two atoms in a sheared unit cell of four, with random constants."""
    rng = np.random.default_rng(3)
    primitive = np.array([[3.0, 0.2, 0.0], [0.4, 3.5, 0.1], [-0.3, 0.0, 4.1]])
    # The unit cell's lattice: a+b, b-a, c, so a C-centred one.
    rows = np.array([[1, 1, 0], [-1, 1, 0], [0, 0, 1]])
    scaled = np.array([[0.02, 0.01, 0.03], [0.4, 0.55, 0.45]])
    points = [(s + np.array([k, 0, 0])) @ np.linalg.inv(rows) % 1 for s in scaled for k in (0, 1)]
    cell = PhonopyAtoms(
        symbols=["Na", "Na", "Cl", "Cl"],
        cell=rows @ primitive,
        scaled_positions=points,
        masses=np.repeat(MASSES, 2),
    )
    found = Phonopy(cell, np.diag([2, 1, 2]), primitive_matrix=np.linalg.inv(rows.T), log_level=0)
    n = len(found.supercell)
    constants = rng.normal(size=(n, n, 3, 3))
    found.force_constants = averaged(constants, found)
    return found


def averaged(constants: np.ndarray, phonopy: Phonopy) -> np.ndarray:
    """Make random constants those of a periodic crystal: symmetric, and the same at all images."""
    cell = phonopy.supercell
    inverse = np.linalg.inv(cell.cell)
    moves = []
    for image in itertools.product(range(-3, 4), repeat=3):
        shift = np.array(image) @ phonopy.primitive.cell @ inverse
        off = (cell.scaled_positions + shift)[:, None] - cell.scaled_positions
        moves.append(tuple(np.abs(off - np.rint(off)).max(axis=2).argmin(axis=1)))
    moves = [np.array(move) for move in sorted(set(moves))]
    same = np.mean([constants[np.ix_(move, move)] for move in moves], axis=0)
    same = (same + same.transpose(1, 0, 3, 2)) / 2
    for i in range(len(same)):
        same[i, i] -= same[i].sum(axis=0)
    return same


def test_folded_hessians_have_the_modes_of_the_wave_vectors_that_fit(phonopy: Phonopy) -> None:
    constants = PeriodicConstants.of(phonopy)
    assert constants.images == 8
    for size in (1, 2, 4, 8):
        lattices = [rows for rows in triangular(size) if contains(rows, constants.lattice)]
        assert lattices
        for rows in lattices:
            hessian = constants.folded(rows)
            masses = np.repeat(np.tile(MASSES, size), 3)
            values = np.linalg.eigvalsh(hessian / np.sqrt(np.outer(masses, masses)))
            found = THZ_OF_STIFFNESS * np.sign(values) * np.sqrt(np.abs(values))
            expected = phonopy.run_qpoints(commensurate(rows, size)).frequencies.ravel()
            np.testing.assert_allclose(found, np.sort(expected), atol=1e-4)


def commensurate(rows: np.ndarray, size: int) -> np.ndarray:
    grid = np.array(list(itertools.product(range(size), repeat=3))) / size
    return np.array([q for q in grid if np.abs(rows @ q - np.rint(rows @ q)).max() < 1e-9])


def test_all_wave_vectors_occur_over_the_small_supercells(phonopy: Phonopy) -> None:
    constants = PeriodicConstants.of(phonopy)
    lattices = constants.superlattices(8)
    assert {abs(round(np.linalg.det(rows))) for rows in lattices} == {4}
    seen = {tuple(np.round(q, 6)) for rows in lattices for q in commensurate(rows, 4)}
    assert seen == {tuple(np.round(q, 6)) for q in whole(constants)}


def whole(constants: PeriodicConstants) -> list[np.ndarray]:
    grid = np.array(list(itertools.product(range(8), repeat=3))) / 8
    lattice = constants.lattice
    return [q for q in grid if np.abs(lattice @ q - np.rint(lattice @ q)).max() < 1e-9]


def test_supercells_stand_where_their_hessians_say(phonopy: Phonopy) -> None:
    constants = PeriodicConstants.of(phonopy)
    cell = constants.supercell(constants.superlattices(8)[0])
    assert len(cell) == 8
    assert cell.get_volume() == pytest.approx(4 * phonopy.primitive.volume)
    inverse = np.linalg.inv(phonopy.supercell.cell)
    for atom in cell:
        off = (phonopy.supercell.positions - atom.position) @ inverse
        distance = np.abs(off - np.rint(off)).max(axis=1)
        assert distance.min() < 1e-8
        assert phonopy.supercell.symbols[distance.argmin()] == atom.symbol


def test_saved_constants_are_read_back(phonopy: Phonopy, tmp_path: Path) -> None:
    constants = PeriodicConstants.of(phonopy)
    constants.save(tmp_path / "one.npz")
    again = PeriodicConstants.load(tmp_path / "one.npz")
    np.testing.assert_array_equal(again.lattice, constants.lattice)
    np.testing.assert_allclose(again.constants, constants.constants, rtol=1e-6)


def test_cells_that_are_no_supercells_are_refused(phonopy: Phonopy) -> None:
    wrong = Phonopy(phonopy.unitcell, np.diag([2, 1, 2]), primitive_matrix="P", log_level=0)
    wrong.force_constants = phonopy.force_constants
    wrong.supercell.cell = wrong.supercell.cell * 1.1
    with pytest.raises(ValueError, match="none of the primitive cell"):
        PeriodicConstants.of(wrong)
