"""Displaced supercells that were evaluated, and how much each counts for another distribution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.anharmonic.sscha.gaussian import Gaussian
from mlphonon.force_constants.displacements import stack

if TYPE_CHECKING:
    from mlphonon.potentials.potential import Potential

GROUPS = 16
"""Parts of the samples that are left out in turn to find errors (jackknife)."""


@dataclass(frozen=True)
class Population:
    """Supercells that were drawn from one distribution.

    Attributes
    ----------
    drawn_from : Gaussian
        That one.
    moved, forces : ndarray, shape (n_snapshots, n_atoms, 3)
        Displacements from the reference, A, and forces, eV/A.
    energies : ndarray, shape (n_snapshots,)
        From that of the reference, eV.
    stresses : ndarray, shape (n_snapshots, 3, 3)
        eV/A^3, positive under tension; NaN where the potential gives none.
    """

    drawn_from: Gaussian
    moved: np.ndarray
    forces: np.ndarray
    energies: np.ndarray
    stresses: np.ndarray

    @classmethod
    def draw(
        cls,
        density: Gaussian,
        potential: Potential,
        number: int,
        seed: int,
        count: Callable[[int], None],
    ) -> Population:
        """Draw displaced supercells and evaluate them."""
        moved = density.draw(number, seed)
        structures = stack(density.reference.supercell, list(moved))
        found = potential.evaluate(structures, count)
        return cls(
            density,
            moved,
            np.array([one.forces for one in found]),
            np.array([one.energy for one in found]) - density.reference.energy,
            np.array([one.stress for one in found]),
        )


@dataclass(frozen=True)
class Samples:
    """All populations of one reference, as draws from the mixture of their distributions.

    A sample at x counts for a distribution p as p(x) / sum_k (n_k / n) p_k(x), whichever p_k it was
    drawn from (the balance heuristic: Veach and Guibas, SIGGRAPH 1995; for this ensemble with one
    p_k, Errea, Calandra and Mauri, Phys. Rev. B 89, 064302 (2014)).
    """

    populations: tuple[Population, ...]

    def and_also(self, population: Population) -> Samples:
        """Return these and one more population."""
        return Samples((*self.populations, population))

    @property
    def number(self) -> int:
        """Samples in all."""
        return sum(len(one.moved) for one in self.populations)

    @cached_property
    def moved(self) -> np.ndarray:
        """Displacements from the reference, A, shape (number, n_atoms, 3)."""
        return np.concatenate([one.moved for one in self.populations])

    @cached_property
    def forces(self) -> np.ndarray:
        """Forces, eV/A, shape (number, n_atoms, 3)."""
        return np.concatenate([one.forces for one in self.populations])

    @cached_property
    def energies(self) -> np.ndarray:
        """From that of the reference, eV, shape (number,)."""
        return np.concatenate([one.energies for one in self.populations])

    @cached_property
    def stresses(self) -> np.ndarray:
        """In eV/A^3, shape (number, 3, 3)."""
        return np.concatenate([one.stresses for one in self.populations])

    @cached_property
    def groups(self) -> np.ndarray:
        """Part (of `GROUPS`) of each sample, shape (number,); opposites are in the same."""
        pairs = [np.arange(len(one.moved)) // 2 for one in self.populations]
        return np.concatenate(pairs) % GROUPS

    @cached_property
    def _log_mixture(self) -> np.ndarray:
        from scipy.special import logsumexp

        shares = np.log([len(one.moved) / self.number for one in self.populations])
        each = [one.drawn_from.log_density(self.moved) for one in self.populations]
        return np.asarray(logsumexp(np.array(each) + shares[:, None], axis=0))

    def weights(self, density: Gaussian) -> np.ndarray:
        """How much each sample counts for a distribution, with a sum of 1, shape (number,)."""
        logarithms = density.log_density(self.moved) - self._log_mixture
        weights = np.exp(logarithms - logarithms.max())
        return np.asarray(weights / weights.sum())


def effective_number(weights: Sequence[float] | np.ndarray) -> float:
    """As many equal samples as weighted ones are worth (Kish): (sum w)^2 / sum w^2."""
    found = np.asarray(weights)
    return float(found.sum() ** 2 / (found**2).sum())
