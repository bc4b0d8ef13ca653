"""Means over modes, and the meshes that they are taken on."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from phonopy.phonon.grid import length2mesh

from mlphonon import Phonons
from mlphonon.crystal.crystal import make_crystal
from mlphonon.force_constants.displacements import make_supercell
from mlphonon.properties.isotope_scattering import isotope_grid
from mlphonon.properties.mode_average import even_mesh, mean_by_heat_capacity
from tests.helpers.heat import heat_capacities


def test_modes_count_by_heat_capacity_and_stars_and_imaginary_ones_not_at_all() -> None:
    frequencies = np.array([[-2.0, 1.0, 4.0], [0.0, 3.0, 9.0]])
    values, stars = np.array([[7.0, 1.0, 2.0], [7.0, 3.0, 4.0]]), np.array([1, 6])
    one, other = (
        heat_capacities(frequencies[0, 1:], 80.0),
        heat_capacities(frequencies[1, 1:], 80.0),
    )
    expected = one @ [1.0, 2.0] + 6 * other @ [3.0, 4.0]
    expected /= one.sum() + 6 * other.sum()
    found = mean_by_heat_capacity(values, frequencies, stars, 80.0)
    assert found == pytest.approx(expected, rel=1e-6)
    assert mean_by_heat_capacity(values, -np.abs(frequencies), stars) is None


def test_meshes_keep_the_symmetry_of_centred_cells() -> None:
    """Of SrO2 (I4/mmm) phonopy's numbers of points along the axes differ where they may not."""
    atoms = Atoms("Sr", cell=[[-1.78, 1.78, 3.3], [1.78, -1.78, 3.3], [1.78, 1.78, -3.3]], pbc=True)
    atoms += Atoms("O2", positions=[(0, 0, 2.55), (0, 0, 4.05)])
    phonopy = make_supercell(make_crystal(atoms).atoms, np.eye(3, dtype=int), 1e-5)
    phonons = Phonons(phonopy, None)
    rotations = np.asarray(phonopy.primitive_symmetry.pointgroup_operations)
    broken = 2 * length2mesh(10.0, phonopy.primitive.cell, rotations=rotations)
    assert len(set(broken)) > 1
    with pytest.raises(RuntimeError, match="symmetry"):
        isotope_grid(phonons, broken)
    numbers = even_mesh(phonopy, 20.0)
    assert (numbers % 2 == 0).all()
    assert (numbers >= broken).all()
    isotope_grid(phonons, numbers)
