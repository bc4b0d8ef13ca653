"""The cell in which the mean stress is a pressure that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.crystal.crystal import space_group
from mlphonon.errors import PotentialError
from mlphonon.units import GPA_PER_EV_PER_A3

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.potentials.potential import Potential

STRAIN = 2e-3
"""Of the difference that the first stiffness is taken from."""

LARGEST = 0.03
"""Component of a step of the strain at most: a first step from the minimum can be this long."""


@dataclass
class CellSearch:
    """Newton's method for the strain, with a stiffness that learns from each step (Broyden).

    Attributes
    ----------
    strains : ndarray, shape (n_free, 3, 3)
        Symmetric strains that keep the space group, orthonormal.
    stiffness : ndarray, shape (n_free, n_free)
        Change of the stress along these with strain, GPa.
    """

    strains: np.ndarray
    stiffness: np.ndarray

    @classmethod
    def of(cls, atoms: Atoms, potential: Potential, symprec: float) -> CellSearch:
        """Begin with the stiffness of the crystal whose atoms are at rest in it.

        Raises
        ------
        PotentialError
            If the potential gives no stress.
        """
        strains = symmetric_strains(atoms, symprec)
        both = [strained(atoms, sign * STRAIN * e) for e in strains for sign in (1, -1)]
        stresses = np.array([one.stress for one in potential.evaluate(both)])
        if not np.isfinite(stresses).all():
            raise PotentialError(
                f"potential '{potential.info.name}' gives no stress",
                "the cell cannot be relaxed to a pressure without",
                "leave the pressure out",
            )
        change = (stresses[::2] - stresses[1::2]) / (2 * STRAIN) * GPA_PER_EV_PER_A3
        return cls(strains, np.einsum("kab,lab->kl", strains, change))

    def residual(self, stress: np.ndarray, pressure: float) -> np.ndarray:
        """Return what is left of the stress along the free strains, GPa, shape (n_free,)."""
        return np.einsum("kab,ab->k", self.strains, stress + pressure * np.eye(3))

    def step(self, residual: np.ndarray) -> np.ndarray:
        """Strain that should take it away, components along the free strains."""
        found = -np.linalg.solve(self.stiffness, residual)
        return found * min(1.0, LARGEST / max(float(np.abs(found).max()), 1e-12))

    def learn(self, step: np.ndarray, before: np.ndarray, after: np.ndarray) -> None:
        """Take note of what a step did to the residual."""
        missed = after - before - self.stiffness @ step
        self.stiffness = self.stiffness + np.outer(missed, step) / (step @ step)

    def strain(self, step: np.ndarray) -> np.ndarray:
        """Return the strain of a step, shape (3, 3)."""
        return np.einsum("k,kab->ab", step, self.strains)


def symmetric_strains(atoms: Atoms, symprec: float) -> np.ndarray:
    """Symmetric strains that keep the point group, orthonormal, shape (n_free, 3, 3)."""
    rotations, _ = space_group(atoms, symprec)
    cell = atoms.cell.array
    turns = np.array([cell.T @ r @ np.linalg.inv(cell.T) for r in rotations])
    symmetric = np.eye(9).reshape(9, 3, 3)
    symmetric = 0.5 * (symmetric + symmetric.transpose(0, 2, 1))
    mean = np.einsum("gab,kbc,gdc->kad", turns, symmetric, turns) / len(turns)
    values, vectors = np.linalg.eigh(mean.reshape(9, 9))
    return np.asarray(vectors[:, values > 0.5].T.reshape(-1, 3, 3))


def strained(atoms: Atoms, strain: np.ndarray) -> Atoms:
    """Return the crystal with its cell strained, atoms at the same fractional places."""
    copy = atoms.copy()
    copy.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    return copy
