"""Directions in which a Hessian is asked, and what errors along them mean for frequencies.

Directions are drawn among the modes of the reference, each with the amplitude of an oscillator of
its frequency, and forces are projected onto the modes in the same way. A product of the Hessian's
error is then, in first order, errors of frequencies: a soft mode counts as much as a stiff one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlphonon.units import THZ_OF_STIFFNESS

FLOOR = 1.0
"""THz; softer modes, imaginary ones too, are taken to be as stiff as this."""


@dataclass(frozen=True)
class ModeSpace:
    """The modes of a small supercell.

    Attributes
    ----------
    hessian : ndarray, shape (3 n, 3 n)
        Of the reference, eV/A^2.
    projection : ndarray, shape (3 n - 3, 3 n)
        What makes THz of forces over displacements (eV/A^2) that `draw` gave: modes over masses
        and frequencies; without translations.
    frequencies : ndarray, shape (3 n - 3,)
        THz; imaginary ones negative.
    """

    hessian: np.ndarray
    projection: np.ndarray
    frequencies: np.ndarray

    @classmethod
    def of(cls, hessian: np.ndarray, masses: np.ndarray, floor: float = FLOOR) -> ModeSpace:
        """Diagonalise.

        Parameters
        ----------
        hessian : ndarray, shape (3 n, 3 n)
            eV/A^2.
        masses : ndarray, shape (n,)
            amu.
        floor : float
            THz.
        """
        roots = np.sqrt(np.repeat(masses, 3))
        rigid = np.linalg.qr(np.kron(np.sqrt(masses)[:, None], np.eye(3)))[0]
        inside = np.eye(len(roots)) - rigid @ rigid.T
        dynamical = inside @ (hessian / np.outer(roots, roots)) @ inside
        # Translations are moved out of the way of the other modes, and dropped.
        values, modes = np.linalg.eigh(dynamical + 1e6 * rigid @ rigid.T)
        values, modes = values[:-3], modes[:, :-3]
        frequencies = THZ_OF_STIFFNESS * np.sign(values) * np.sqrt(np.abs(values))
        damped = np.maximum(np.abs(frequencies), floor)
        scale = THZ_OF_STIFFNESS / np.sqrt(2 * damped)
        return cls(hessian, (scale * modes / roots[:, None]).T, frequencies)

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, float]:
        """Return a direction, shape (n, 3), of root mean square one, and what it was divided by."""
        direction = rng.normal(size=len(self.projection)) @ self.projection
        size = float(np.sqrt(np.square(direction).mean()))
        return (direction / size).reshape(-1, 3), size
