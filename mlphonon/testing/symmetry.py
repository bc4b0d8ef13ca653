"""A crystal is the same wherever it lies and however it is written down."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from mlphonon.testing.subject import TURN, Subject, assert_equivalent, hold


def translation(subject: Subject) -> None:
    """Anywhere in space, and out of the cell; forces sum to nothing."""
    moved = subject.structure.copy()
    moved.positions += [0.31, -12.7, 4.9]
    expected = subject.evaluate(subject.structure)
    assert_equivalent(subject.evaluate(moved), expected, subject.exact)
    net, top = np.abs(expected.forces.sum(axis=0)).max(), np.abs(expected.forces).max()
    hold(bool(net < 5 * subject.exact * top), f"the net force is {net:.1e} eV/A")


def rotation(subject: Subject) -> None:
    """Turn the crystal: forces and stress turn with it."""
    turned = subject.structure.copy()
    turned.set_cell(subject.structure.cell.array @ TURN.T)
    turned.positions = subject.structure.positions @ TURN.T
    expected = subject.evaluate(subject.structure)
    assert_equivalent(subject.evaluate(turned), expected, subject.exact, TURN)


def inversion(subject: Subject) -> None:
    """Mirror the crystal: its forces are mirrored, and a left-handed cell is a cell."""
    mirrored = subject.structure.copy()
    mirrored.set_cell(-subject.structure.cell.array)
    mirrored.positions = -subject.structure.positions
    expected = subject.evaluate(subject.structure)
    tolerance = subject.inversion or subject.exact
    assert_equivalent(subject.evaluate(mirrored), expected, tolerance, -np.eye(3))


def permutation(subject: Subject) -> None:
    """Write the atoms in another order."""
    order = [3, 0, 4, 2, 1]
    expected = subject.evaluate(subject.structure)
    found = subject.evaluate(subject.structure[order])
    assert_allclose(found.energy, expected.energy, rtol=subject.exact)
    tolerance = subject.exact * np.abs(expected.forces).max()
    assert_allclose(found.forces, expected.forces[order], atol=tolerance)


def supercell(subject: Subject) -> None:
    """Energy is extensive; forces repeat; stress is the same."""
    from ase.build import make_supercell

    matrix = np.array([[1, 1, 0], [-1, 1, 0], [0, 1, 2]])
    count = round(np.linalg.det(matrix))
    small, tolerance = subject.structure, 10 * subject.exact
    large = make_supercell(small, matrix)
    expected, found = subject.evaluate(small), subject.evaluate(large)
    total = count * expected.energy
    assert_allclose(found.energy, total, rtol=0, atol=tolerance * abs(total))
    fractional = (large.positions[:, None] - small.positions) @ np.linalg.inv(small.cell.array)
    like = np.abs(fractional - np.rint(fractional)).max(axis=2).argmin(axis=1)
    top = np.abs(expected.forces).max()
    assert_allclose(found.forces, expected.forces[like], atol=tolerance * top)
    assert_allclose(found.stress, expected.stress, atol=tolerance * np.abs(expected.stress).max())


def cell_vectors_do_not_matter(subject: Subject) -> None:
    """Take other vectors of the same lattice, with atoms far outside the cell."""
    sheared = subject.structure.copy()
    sheared.set_cell(np.array([[1, 2, 0], [0, 1, 0], [1, 0, 1]]) @ sheared.cell.array)
    expected = subject.evaluate(subject.structure)
    assert_equivalent(subject.evaluate(sheared), expected, subject.exact)
