"""Densities of states: the numbers of phonopy's own, and as many states as there are."""

from __future__ import annotations

import numpy as np
import pytest

from mlphonon import Phonons
from mlphonon.phonons.density_of_states import projected_dos, total_dos


@pytest.fixture(params=["rocksalt_phonons", "quartz_phonons"])
def phonons(request: pytest.FixtureRequest) -> Phonons:
    return request.getfixturevalue(request.param)


def test_the_total_is_phonopys(phonons: Phonons) -> None:
    phonopy = phonons.phonopy
    phonopy.run_mesh(30.0, is_gamma_center=True)
    expected = phonopy.run_total_dos(freq_min=-1.0, freq_max=40.0, freq_pitch=0.05)
    found = total_dos(phonopy.mesh, expected.frequency_points)
    np.testing.assert_allclose(found, expected.dos, atol=1e-12)
    assert np.count_nonzero(found) > 50


def test_each_atoms_is_phonopys(phonons: Phonons) -> None:
    phonopy = phonons.phonopy
    phonopy.run_mesh(20.0, with_eigenvectors=True, is_mesh_symmetry=False, is_gamma_center=True)
    expected = phonopy.run_projected_dos(freq_min=-1.0, freq_max=40.0, freq_pitch=0.05)
    found = projected_dos(phonopy.mesh, expected.frequency_points)
    np.testing.assert_allclose(found, expected.projected_dos, atol=1e-12)


def test_results_hold_all_states_whatever_was_asked_before(phonons: Phonons) -> None:
    """Three for each atom; the mesh that phonopy made last does not matter."""
    heat = phonons.thermal([300.0]).heat_capacity[0]
    for dos in (phonons.dos(projected=True), phonons.dos()):
        n_atoms = len(dos.symbols)
        states = np.trapezoid(dos.total, dos.frequencies)
        assert states == pytest.approx(3 * n_atoms, rel=0.01)
    handed_out = phonons.phonopy
    handed_out.run_mesh(5.0)
    handed_out.masses = [1.0] * len(handed_out.primitive)
    assert phonons.thermal([300.0]).heat_capacity[0] == heat
