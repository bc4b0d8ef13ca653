"""Sound velocities and elastic constants of springs, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from scipy import constants
from scipy.spatial.transform import Rotation

from mlphonon import Phonons, compute_phonons
from mlphonon.potentials.calculator import AsePotential
from mlphonon.properties import Elasticity, UnstableWavesError, compute_elasticity
from mlphonon.properties.elasticity import VOIGT, VOIGT_INDEX
from tests.helpers.springs import LatticeSprings, fcc_neighbours

EV_PER_A3 = constants.e * 1e30 / 1e9
"""GPa."""


@pytest.fixture(scope="module")
def copper() -> tuple[Phonons, float, float]:
    """fcc with central springs K to nearest neighbours only; lattice constant, K."""
    a, stiffness = 3.6, 2.0
    atoms = Atoms("Cu", cell=a / 2 * (np.ones((3, 3)) - np.eye(3)), pbc=True)
    springs = AsePotential(LatticeSprings(fcc_neighbours(a), along=stiffness, across=0.0))
    found = compute_phonons(atoms, springs, relax=False, displacement=1e-3, min_length=10)
    return found, a, stiffness


def test_fcc_with_central_springs(copper: tuple[Phonons, float, float]) -> None:
    """C_11 = 2 K/a, C_12 = C_44 = K/a (Cauchy's relation), B = (C_11 + 2 C_12) / 3."""
    phonons, a, stiffness = copper
    found = compute_elasticity(phonons)
    unit = stiffness / a * EV_PER_A3
    expected = unit * (np.diag([1.0] * 6) + np.pad(np.ones((3, 3)), ((0, 3), (0, 3))))
    np.testing.assert_allclose(found.tensor, expected, atol=2e-3 * unit)
    assert found.bulk_modulus == pytest.approx(4 / 3 * unit, rel=2e-3)
    density = 63.546 * constants.atomic_mass / (a**3 / 4 * 1e-30)
    along = found.velocities(np.array([[1.0, 0, 0], [0.5**0.5, 0.5**0.5, 0]]))
    by_hand = np.sqrt(np.array([[1, 1, 2], [0.5, 1, 2.5]]) * unit * 1e9 / density) / 1e3
    np.testing.assert_allclose(along, by_hand, rtol=2e-3)


def test_moduli_are_hills_means() -> None:
    """Cubic C_11 = 3, C_12 = 1, C_44 = 2: Voigt G = (2 + 6) / 5, Reuss 5 * 2 * 2 / (8 + 6)."""
    tensor = np.diag([2.0, 2, 2, 2, 2, 2])
    tensor[:3, :3] += 1.0
    found = Elasticity(tensor, density=1.0)
    assert found.bulk_modulus == pytest.approx(5 / 3)
    assert found.shear_modulus == pytest.approx((1.6 + 20 / 14) / 2)


def test_an_isotropic_solid_sounds_alike_in_all_directions() -> None:
    """G = 1, C_11 = 4: velocities in the ratio 1 : 1 : 2, so <v^-3> = (2 + 1/8) / 3."""
    tensor = np.diag([2.0, 2, 2, 1, 1, 1])
    tensor[:3, :3] += 2.0
    found = Elasticity(tensor, density=3.0)
    slow = np.sqrt(1e9 / (3.0 * constants.atomic_mass * 1e30)) / 1e3
    oblique = np.array([[1.0, 2, -2]]) / 3
    np.testing.assert_allclose(found.velocities(oblique), [[slow, slow, 2 * slow]], rtol=1e-7)
    assert found.mean_velocity == pytest.approx(slow * ((2 + 1 / 8) / 3) ** (-1 / 3), rel=1e-7)


def test_quartz_has_the_constants_of_a_trigonal_crystal(quartz_phonons: Phonons) -> None:
    """C_66 = (C_11 - C_12) / 2, C_56 = C_14 = -C_24, which is not zero."""
    c = compute_elasticity(quartz_phonons).tensor
    small = 1e-3 * c[0, 0]
    assert c[5, 5] == pytest.approx((c[0, 0] - c[0, 1]) / 2, abs=small)
    assert c[4, 5] == pytest.approx(c[0, 3], abs=small)
    assert c[1, 3] == pytest.approx(-c[0, 3], abs=small)
    assert abs(c[0, 3]) > 10 * small
    assert np.abs(c[:3, 4:]).max() < small


def test_moduli_and_mean_velocity_do_not_turn_with_the_crystal() -> None:
    tensor = np.diag([4.0, 5, 6, 1, 2, 1.5])
    tensor[:3, :3] += 1.5
    tensor[0, 3] = tensor[3, 0] = 0.4
    found = Elasticity(tensor, density=2.0)
    turn = rotation(np.array([1.0, 2, 3]), 0.7)
    full = tensor[VOIGT_INDEX[:, :, None, None], VOIGT_INDEX]
    full = np.einsum("ai,bj,ck,dl,ijkl->abcd", turn, turn, turn, turn, full)
    first, second = np.array(VOIGT).T
    turned = Elasticity(full[first, second][:, first, second], density=2.0)
    assert turned.tensor[0, 0] != pytest.approx(tensor[0, 0], rel=1e-2)
    assert turned.bulk_modulus == pytest.approx(found.bulk_modulus, rel=1e-9)
    assert turned.shear_modulus == pytest.approx(found.shear_modulus, rel=1e-9)
    assert turned.mean_velocity == pytest.approx(found.mean_velocity, rel=1e-5)


def rotation(axis: np.ndarray, angle: float) -> np.ndarray:
    return Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix()


def test_an_unstable_long_wave_has_no_velocity(copper: tuple[Phonons, float, float]) -> None:
    phonons, a, _ = copper
    springs = AsePotential(LatticeSprings(fcc_neighbours(a), along=-0.5, across=0.1))
    found = compute_phonons(phonons.atoms, springs, relax=False, min_length=10)
    with pytest.raises(UnstableWavesError, match="unstable in the limit of long waves"):
        compute_elasticity(found)
