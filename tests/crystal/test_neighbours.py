"""Pairs of atoms against ASE's, in cells small and large, straight and sheared."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.neighborlist import neighbor_list

from mlphonon.crystal.neighbours import FEW, pairs_within


def sorted_pairs(first: np.ndarray, second: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    rows = np.column_stack([first, second, np.round(vectors, 6) + 0.0])
    return rows[np.lexsort(rows.T[::-1])]


@pytest.mark.parametrize("reach", [0.5, 3.0, 8.0])
@pytest.mark.parametrize("n_atoms", [1, 5, FEW, FEW + 1])
def test_all_pairs_are_found_once_from_each_end(n_atoms: int, reach: float) -> None:
    random = np.random.default_rng(n_atoms)
    for sheared in (False, True):
        cell = np.diag([3.1, 4.2, 5.3]) * (n_atoms / 5) ** (1 / 3) + random.normal(0, 0.2, (3, 3))
        if sheared:
            cell = np.array([[1, 0, 0], [2, 1, 0], [-1, 3, 1]]) @ cell
        # Outside of the cell, too.
        atoms = Atoms(f"Cu{n_atoms}", random.uniform(-20, 20, (n_atoms, 3)), cell=cell, pbc=True)
        expected = sorted_pairs(*neighbor_list("ijD", atoms, reach))
        np.testing.assert_allclose(sorted_pairs(*pairs_within(atoms, reach)), expected, atol=2e-6)


def test_atoms_in_one_place_are_a_pair_and_an_atom_and_itself_are_none() -> None:
    atoms = Atoms("Cu2", [(0, 0, 0), (0, 0, 1e-3)], cell=np.eye(3) * 4, pbc=True)
    first, second, _ = pairs_within(atoms, 0.5)
    assert sorted(zip(first, second, strict=True)) == [(0, 1), (1, 0)]
