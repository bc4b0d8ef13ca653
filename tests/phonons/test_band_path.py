"""The path through the Brillouin zone, in the vectors of the cell that is used."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import seekpath
from ase import Atoms

from mlphonon.crystal.crystal import make_crystal
from mlphonon.phonons.band_path import find_band_path
from tests.helpers.crystals import (
    corundum,
    on_other_vectors,
    quartz,
    rocksalt,
    rotated,
    silicon,
    triclinic,
    wurtzite,
)


def reciprocal(atoms: Atoms) -> np.ndarray:
    return np.linalg.inv(atoms.cell.array).T


def test_points_of_the_fcc_lattice() -> None:
    """Distances from Gamma in units of 2 pi / a, as in every textbook."""
    atoms = make_crystal(rocksalt()).atoms
    path = find_band_path(atoms, 1e-5)
    lengths = {
        label: np.linalg.norm(np.array(q) @ reciprocal(atoms)) * 5.69
        for chain in path.chains
        for label, q in chain
    }
    expected = {
        "GAMMA": 0,
        "X": 1,
        "L": np.sqrt(3) / 2,
        "W": np.sqrt(5) / 2,
        "K": np.sqrt(9 / 8),
        "U": np.sqrt(9 / 8),
    }
    for label, length in expected.items():
        if label in lengths:
            assert lengths[label] == pytest.approx(length, abs=1e-6)
    assert {"GAMMA", "X", "L", "K", "U"} <= lengths.keys()


def test_points_of_the_hexagonal_lattice() -> None:
    atoms = make_crystal(wurtzite()).atoms
    path = find_band_path(atoms, 1e-5)
    points = {label: np.array(q) @ reciprocal(atoms) for chain in path.chains for label, q in chain}
    a, c = 3.25, 5.207
    assert np.linalg.norm(points["M"]) == pytest.approx(1 / (np.sqrt(3) * a))
    assert np.linalg.norm(points["K"]) == pytest.approx(2 / (3 * a))
    np.testing.assert_allclose(np.abs(points["A"]), [0, 0, 0.5 / c], atol=1e-9)
    np.testing.assert_allclose(points["H"] - points["K"], points["A"], atol=1e-9)


@pytest.mark.parametrize("build", [rocksalt, silicon, wurtzite, corundum, quartz, triclinic])
@pytest.mark.parametrize(
    "rows",
    [np.eye(3, dtype=int), [[1, 1, 0], [0, 1, -1], [1, 1, 1]], [[1, 0, 0], [2, 1, 0], [0, -1, 1]]],
)
def test_same_figure_in_space_as_seekpath_draws(build, rows: list[list[int]]) -> None:
    """In its own cell, seekpath's points span the same lengths and angles, label by label."""
    atoms = on_other_vectors(make_crystal(build()).atoms, rows)
    path = find_band_path(atoms, 1e-5)
    ours = {label: np.array(q) @ reciprocal(atoms) for chain in path.chains for label, q in chain}
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    theirs = seekpath.get_path(cell, symprec=1e-5)
    vectors = np.array(theirs["reciprocal_primitive_lattice"]) / (2 * np.pi)
    labels = sorted(ours)
    ours_all = np.array([ours[label] for label in labels])
    theirs_all = np.array([theirs["point_coords"][label] @ vectors for label in labels])
    np.testing.assert_allclose(ours_all @ ours_all.T, theirs_all @ theirs_all.T, atol=1e-6)
    pieces = [(first[0], second[0]) for chain in path.chains for first, second in pairwise(chain)]
    assert pieces == theirs["path"]


@pytest.mark.parametrize("build", [wurtzite, triclinic])
def test_path_turns_with_the_crystal(build) -> None:
    """The figure in space is the same; which of the equivalent points M is taken may differ."""
    atoms = make_crystal(build()).atoms
    figures = []
    for cell in (atoms, rotated(atoms)):
        corners = np.concatenate([np.stack(c) for c in find_band_path(cell, 1e-5).corners()])
        figures.append(corners @ reciprocal(cell))
    np.testing.assert_allclose(figures[1] @ figures[1].T, figures[0] @ figures[0].T, atol=1e-9)


def test_corners_and_labels_go_together() -> None:
    path = find_band_path(make_crystal(rocksalt()).atoms, 1e-5)
    assert sum(len(chain) for chain in path.corners()) == len(path.labels())
    assert path.labels()[0] == "GAMMA"
    np.testing.assert_array_equal(path.corners()[0][0], [0, 0, 0])


def test_names_of_points() -> None:
    path = find_band_path(make_crystal(rocksalt()).atoms, 1e-5)
    x = np.array(dict(path.chains[0])["X"])
    assert path.name_of(x) == "X"
    assert path.name_of(x + np.array([1, -2, 0])) == "X"
    assert path.name_of(np.array([1.0, 0, -3.0])) == "GAMMA"
    assert path.name_of(np.array([0.123, 0.2, 0.3])) is None
