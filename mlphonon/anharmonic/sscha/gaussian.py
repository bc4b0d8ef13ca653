"""The Gaussian distribution of atoms whose force constants are given: the trial density matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.anharmonic.sscha.settings import Statistics
from mlphonon.units import BOLTZMANN, EV_PER_THZ, THZ_OF_STIFFNESS

if TYPE_CHECKING:
    from mlphonon.anharmonic.sscha.reference import Reference

SOFT = 0.1
"""THz; a mode below this (or imaginary) is not one that atoms can be distributed by: they would fly
apart."""

FAR = 0.2
"""Such a mode keeps the |frequency| that it has, or is given the one with which atoms of the mean
mass would be so far from their places, A, if all modes were like it. What it is given is forgotten
with the first fit."""

CAUTIOUS, MELTED = 0.12, 0.25
"""Root mean square distances of atoms from their places over that of neighbours. Crystals melt at
a tenth or a little more (Lindemann), which is kept to where nothing but harmonic modes is known;
hydrogen goes farther, but at the second no crystal is left. The softest modes are made stiffer
until it is less."""


@dataclass(frozen=True)
class Ensemble:
    """What atoms are distributed by.

    Attributes
    ----------
    temperature : float
        K.
    statistics : {"quantum", "classical"}
        Classical atoms need a temperature above zero.
    """

    temperature: float
    statistics: Statistics = "quantum"

    def variance(self, squared: np.ndarray) -> np.ndarray:
        """Mean square of mass-weighted coordinates, amu A^2, of modes of w^2 in eV/A^2/amu."""
        if self.statistics == "classical":
            return BOLTZMANN * self.temperature / squared
        quantum = EV_PER_THZ * THZ_OF_STIFFNESS * np.sqrt(squared)
        return quantum / (2 * squared * np.tanh(self._half_over_kt(quantum)))

    def slope(self, squared: np.ndarray) -> np.ndarray:
        """Differentiate `variance` with respect to w^2."""
        if self.statistics == "classical":
            return -BOLTZMANN * self.temperature / squared**2
        quantum = EV_PER_THZ * THZ_OF_STIFFNESS * np.sqrt(squared)
        x = self._half_over_kt(quantum)
        # x / sinh^2 x, without an overflow where it is nothing.
        decay = np.where(x < 300, x / np.sinh(np.minimum(x, 300)) ** 2, 0.0)
        return -self.variance(squared) / (2 * squared) - quantum * decay / (4 * squared**2)

    def free_energy(self, squared: np.ndarray) -> np.ndarray:
        """Free energy of oscillators, eV."""
        quantum = EV_PER_THZ * THZ_OF_STIFFNESS * np.sqrt(squared)
        kt = BOLTZMANN * self.temperature
        if self.statistics == "classical":
            return kt * np.log(quantum / kt)
        if kt == 0:
            return quantum / 2
        return quantum / 2 + kt * np.log1p(-np.exp(-quantum / kt))

    def spring_for(self, spread: float) -> float:
        """Return a w^2, eV/A^2/amu, whose variance is `spread`, amu A^2, or less (half, at least).

        The sum of what zero-point motion and what temperature alone would ask for.
        """
        thermal = BOLTZMANN * self.temperature / spread
        zero_point = (EV_PER_THZ * THZ_OF_STIFFNESS / (2 * spread)) ** 2
        return thermal + (0.0 if self.statistics == "classical" else zero_point)

    def _half_over_kt(self, quantum: np.ndarray) -> np.ndarray:
        if self.temperature == 0:
            return np.full_like(quantum, np.inf)
        return quantum / (2 * BOLTZMANN * self.temperature)


@dataclass(frozen=True)
class Gaussian:
    """Atoms of a supercell about mean places, as those of harmonic force constants would be.

    Attributes
    ----------
    reference : Reference
        What places are measured from.
    ensemble : Ensemble
        Temperature and statistics.
    force_constants : ndarray, shape (n, n, 3, 3)
        Without imaginary modes, eV/A^2; the crystal as a whole is free.
    centroids : ndarray, shape (n_primitive, 3)
        Mean places, from those of the reference, A.
    squared : ndarray, shape (3 n - 3,)
        w^2 of its modes, eV/A^2/amu.
    modes : ndarray, shape (3 n, 3 n - 3)
        Mass-weighted, orthonormal.
    is_own : bool
        Whether all w^2 are those of the force constants it was made of, none replaced.
    """

    reference: Reference
    ensemble: Ensemble
    force_constants: np.ndarray
    centroids: np.ndarray
    squared: np.ndarray
    modes: np.ndarray
    is_own: bool = True

    @classmethod
    def of(
        cls,
        reference: Reference,
        ensemble: Ensemble,
        force_constants: np.ndarray,
        centroids: np.ndarray,
        farthest: float = MELTED,
    ) -> Gaussian:
        """Make it of any force constants; imaginary modes are replaced (see `SOFT`, `MELTED`)."""
        roots = np.sqrt(np.repeat(reference.masses, 3))
        together = np.tile(np.eye(3), (len(reference.masses), 1)) * roots[:, None]
        together /= np.linalg.norm(together, axis=0)
        dynamical = _flat(force_constants) / roots[:, None] / roots
        inside = np.eye(len(roots)) - together @ together.T
        dynamical = inside @ (0.5 * (dynamical + dynamical.T)) @ inside
        # Moving the crystal as a whole becomes the three highest modes, which are left out.
        top = 10 * np.abs(dynamical).sum(axis=1).max() + 1.0
        squared, modes = np.linalg.eigh(dynamical + top * together @ together.T)
        found, modes = squared[:-3], modes[:, :-3]
        squared = _kept_together(found, modes, reference, ensemble, farthest)
        repaired = (modes * squared) @ modes.T * roots[:, None] * roots
        is_own = bool((squared == found).all())
        return cls(reference, ensemble, _unflat(repaired), centroids, squared, modes, is_own)

    @cached_property
    def centre(self) -> np.ndarray:
        """Mean displacements of the supercell's atoms, A, shape (n, 3)."""
        return self.centroids[self.reference.of_primitive]

    @cached_property
    def variances(self) -> np.ndarray:
        """Of the modes, amu A^2."""
        return self.ensemble.variance(self.squared)

    def log_density(self, moved: np.ndarray) -> np.ndarray:
        """Logarithm of the density at displacements of shape (n_snapshots, n, 3), plus a constant.

        The constant is the same for all of one supercell and one kind of atoms.
        """
        roots = np.sqrt(self.reference.masses)[:, None]
        weighted = ((moved - self.centre) * roots).reshape(len(moved), -1)
        amplitudes = weighted @ self.modes
        return -0.5 * (amplitudes**2 / self.variances).sum(axis=1) - 0.5 * np.sum(
            np.log(self.variances)
        )

    def draw(self, number: int, seed: int) -> np.ndarray:
        """Draw displacements from the reference, A, shape (number, n, 3), by phonopy.

        Each is followed by its opposite about the mean places.
        """
        from phonopy.phonon.random_displacements import RandomDisplacements

        phonopy = self.reference.phonopy
        random = RandomDisplacements(
            phonopy.supercell,
            phonopy.primitive,
            self.force_constants,
            dist_func=self.ensemble.statistics,
        )
        random.run(self.ensemble.temperature, number // 2, random_seed=seed)
        if random.u is None:
            raise RuntimeError("phonopy drew no displacements")
        pairs = np.stack([random.u, -random.u], axis=1)
        return pairs.reshape(number, -1, 3) + self.centre

    def energy_of(self, moved: np.ndarray) -> np.ndarray:
        """Harmonic energy at displacements of shape (n_snapshots, n, 3), eV."""
        away = (moved - self.centre).reshape(len(moved), -1)
        return 0.5 * np.einsum("si,si->s", away @ _flat(self.force_constants), away)

    def forces_at(self, moved: np.ndarray) -> np.ndarray:
        """Harmonic forces at displacements of shape (n_snapshots, n, 3), eV/A."""
        away = (moved - self.centre).reshape(len(moved), -1)
        return -(away @ _flat(self.force_constants)).reshape(moved.shape)

    def free_energy(self) -> float:
        """Harmonic free energy of the supercell, eV."""
        return float(self.ensemble.free_energy(self.squared).sum())

    def kinetic(self) -> np.ndarray:
        """Mean of sum p p / m of the supercell, eV, shape (3, 3), by the virial theorem."""
        n = len(self.reference.masses)
        each = (self.modes * (self.variances * self.squared)) @ self.modes.T
        return np.einsum("iaib->ab", each.reshape(n, 3, n, 3))


def _kept_together(
    squared: np.ndarray,
    modes: np.ndarray,
    reference: Reference,
    ensemble: Ensemble,
    farthest: float,
) -> np.ndarray:
    """Replace w^2 of modes that atoms would fly apart along: the softest, as few as needed."""
    masses = np.repeat(reference.masses, 3)
    soft = squared < (SOFT / THZ_OF_STIFFNESS) ** 2
    least = ensemble.spring_for(FAR**2 * float(masses.mean()))
    found = np.where(soft, np.maximum(np.abs(squared), least), squared)
    share = (modes**2 / masses[:, None]).sum(axis=0) / len(reference.masses)
    limit = (farthest * reference.nearest) ** 2
    low, high = np.log(found.min()), np.log(max(least, found.max()))
    if share @ ensemble.variance(found) <= limit:
        return found
    for _ in range(40):
        floor = 0.5 * (low + high)
        far = share @ ensemble.variance(np.maximum(found, np.exp(floor))) > limit
        low, high = (floor, high) if far else (low, floor)
    return np.maximum(found, np.exp(high))


def _flat(force_constants: np.ndarray) -> np.ndarray:
    """As a matrix of (atom, direction), shape (3 n, 3 n)."""
    n = len(force_constants)
    return force_constants.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)


def _unflat(matrix: np.ndarray) -> np.ndarray:
    n = len(matrix) // 3
    return np.ascontiguousarray(matrix.reshape(n, 3, n, 3).transpose(0, 2, 1, 3))
