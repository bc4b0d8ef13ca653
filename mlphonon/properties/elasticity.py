"""Sound velocities and elastic moduli of force constants: the limit of long waves.

In that limit rho v^2 e = Gamma(n) e for each of the three acoustic branches, and the Christoffel
matrix Gamma_ik = C_ijkl n_j n_l gives the elastic constants (Born and Huang, Dynamical Theory of
Crystal Lattices, 1954, sec. 26), at constant electric field where no charges are included.

Two sets of force constants that are cut at the same supercell compare fairly. The constants
themselves are right only as far as the cut lets them: of a polar crystal without the
non-analytical term they may be far off where symmetry does not hold them (corundum, 120 atoms:
C_12 37 GPa, with charges 120).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.errors import MlphononError
from mlphonon.system.threads import one_blas_thread
from mlphonon.units import AMU

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.phonons.phonons import Phonons

STEP = 1e-3
"""Length of the wave vector, 1/A: short enough that dispersion lowers no velocity by 1e-4."""

MANY = 2000
"""Directions, spread evenly over the sphere, of a mean velocity."""

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
VOIGT_INDEX = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
TO_GPA = AMU * 1e25
"""From amu (A THz)^2/A^3, a density times a velocity squared, to GPa."""


class UnstableWavesError(MlphononError):
    """A long wave is unstable, so that it has no velocity."""


def compute_elasticity(phonons: Phonons) -> Elasticity:
    """Return sound velocities and elastic moduli: the long-wave limit of phonons.

    Raises
    ------
    UnstableWavesError
        If a long wave is unstable: then there is no velocity.
    """
    return Elasticity.of_force_constants(phonons.phonopy)


@dataclass(frozen=True)
class Elasticity:
    """Long-wave limit of a crystal's phonons.

    Attributes
    ----------
    tensor : ndarray, shape (6, 6)
        Elastic constants in Voigt's notation, GPa, in the axes of phonopy's cell.
    density : float
        amu/A^3.
    """

    tensor: np.ndarray
    density: float

    @classmethod
    def of_force_constants(cls, phonopy: Phonopy) -> Elasticity:
        """Return the long-wave limit of force constants, wherever they are from.

        Raises
        ------
        UnstableWavesError
            If a long wave is unstable: then there is no velocity.
        """
        directions = _directions()
        with one_blas_thread():
            matrices = _christoffel(phonopy, directions)
        cell = phonopy.primitive
        density = float(cell.masses.sum() / cell.volume)
        tensor = _solve_for_constants(directions, density * matrices) * TO_GPA
        if min(np.linalg.eigvalsh(matrices).min(), np.linalg.eigvalsh(tensor).min()) <= 0:
            raise UnstableWavesError(
                "the crystal is unstable in the limit of long waves",
                "such a wave has no velocity, and the crystal no elastic moduli",
            )
        return cls(tensor, density)

    def velocities(self, directions: np.ndarray) -> np.ndarray:
        """Return sound velocities along unit vectors of shape (n, 3), km/s, shape (n, 3)."""
        full = self.tensor[VOIGT_INDEX[:, :, None, None], VOIGT_INDEX]
        matrices = np.einsum("ijkl,nj,nl->nik", full, directions, directions)
        squared = np.linalg.eigvalsh(matrices) / (self.density * TO_GPA)
        return np.sqrt(squared) / 10  # A THz are 100 m/s

    @property
    def mean_velocity(self) -> float:
        """That of Debye's model: over all directions and branches, <v^-3>^(-1/3), km/s."""
        i = np.arange(MANY) + 0.5
        turn, height = np.pi * (1 + 5**0.5) * i, 1 - 2 * i / MANY
        radius = np.sqrt(1 - height**2)
        sphere = np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)
        return float((self.velocities(sphere) ** -3.0).mean() ** (-1 / 3))

    @property
    def bulk_modulus(self) -> float:
        """Mean of the bounds of Voigt and Reuss (Hill, Proc. Phys. Soc. A 65, 349 (1952)), GPa."""
        c, s = self.tensor, np.linalg.inv(self.tensor)
        return float((c[:3, :3].sum() / 9 + 1 / s[:3, :3].sum()) / 2)

    @property
    def shear_modulus(self) -> float:
        """Mean of the bounds of Voigt and Reuss, GPa."""
        c, s = self.tensor, np.linalg.inv(self.tensor)
        voigt = (1.5 * np.trace(c[:3, :3]) - 0.5 * c[:3, :3].sum() + 3 * np.trace(c[3:, 3:])) / 15
        reuss = 15 / (6 * np.trace(s[:3, :3]) - 2 * s[:3, :3].sum() + 3 * np.trace(s[3:, 3:]))
        return float((voigt + reuss) / 2)


def _directions() -> np.ndarray:
    """Return unit vectors along edges, face and space diagonals of a cube, shape (13, 3)."""
    steps = [np.array(v) for v in itertools.product((-1, 0, 1), repeat=3)]
    half = [v for v in steps if tuple(v) > (0, 0, 0)]
    return np.array([v / np.linalg.norm(v) for v in half])


def _christoffel(phonopy: Phonopy, directions: np.ndarray) -> np.ndarray:
    """Sum of v^2 e e^T over the acoustic branches, (A THz)^2, shape (n_directions, 3, 3)."""
    qpoints = STEP * directions @ phonopy.primitive.cell.T
    found = phonopy.run_qpoints(qpoints, with_eigenvectors=True)
    frequencies = np.asarray(found.frequencies)
    roots = np.sqrt(phonopy.primitive.masses / phonopy.primitive.masses.sum())
    vectors = np.asarray(found.eigenvectors)
    moved = np.einsum("a,qaib->qbi", roots, vectors.reshape(len(vectors), -1, 3, vectors.shape[2]))
    # The three branches that move the cell as a whole, wherever they stand among soft optical ones.
    share = (np.abs(moved) ** 2).sum(axis=2)
    acoustic = np.argsort(-share, axis=1)[:, :3]
    e = np.take_along_axis(moved, acoustic[:, :, None], axis=1)
    f = np.take_along_axis(frequencies, acoustic, axis=1) / STEP
    return np.einsum("qb,qbi,qbj->qij", np.sign(f) * f**2, e, e.conj()).real


def _solve_for_constants(directions: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Elastic constants whose Christoffel matrices are nearest to those given, shape (6, 6)."""
    pairs = [(a, b) for a in range(6) for b in range(a, 6)]
    columns = []
    for a, b in pairs:
        tensor = np.zeros((3, 3, 3, 3))
        for (i, j), (k, m) in ((VOIGT[a], VOIGT[b]), (VOIGT[b], VOIGT[a])):
            for x, y in {(i, j), (j, i)}:
                for z, w in {(k, m), (m, k)}:
                    tensor[x, y, z, w] = 1.0
        columns.append(np.einsum("ijkl,nj,nl->nik", tensor, directions, directions).ravel())
    found, *_ = np.linalg.lstsq(np.array(columns).T, matrices.ravel(), rcond=None)
    constants = np.zeros((6, 6))
    for (a, b), value in zip(pairs, found, strict=True):
        constants[a, b] = constants[b, a] = value
    return constants
