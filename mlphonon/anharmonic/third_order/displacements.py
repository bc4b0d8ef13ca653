"""Displaced pairs of atoms: phono3py chooses them and solves for the third order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.force_constants.cells import to_ase
from mlphonon.threads import one_blas_thread

if TYPE_CHECKING:
    from phono3py import Phono3py

    from mlphonon.potentials.potential import Potential, ProgressCallback

SMALL = 3e-4
"""Of forces in float64, A: the third order is right to 1e-4 or better; the error is that of a
first difference in some cells, and proportional to it (``benchmarks/third_order.md``)."""

FIELD = 0.03
"""Of all others, A."""


def displace_pairs(phono3py: Phono3py, length: float, cutoff: float | None) -> int:
    """Let phono3py find the inequivalent pairs; return how many supercells are to be evaluated."""
    phono3py.generate_displacements(distance=length, cutoff_pair_distance=cutoff)
    return sum(cell is not None for cell in phono3py.supercells_with_displacements)


def solve_pairs(
    phono3py: Phono3py,
    potential: Potential,
    rest: np.ndarray,
    progress: ProgressCallback | None = None,
) -> None:
    """Evaluate displaced pairs and solve for the third order.

    Parameters
    ----------
    phono3py : Phono3py
        With displacements; is given its third order, not yet symmetric.
    potential : Potential
        Evaluates them.
    rest : ndarray, shape (n_supercell, 3)
        Forces in the undisplaced supercell, which are subtracted, eV/A.
    progress : callable, optional
        Told of each supercell.
    """
    cells = phono3py.supercells_with_displacements
    found = iter(potential.evaluate([to_ase(c) for c in cells if c is not None], progress))
    # Pairs beyond the cutoff are there for phono3py, and weigh nothing.
    nothing = np.zeros_like(rest)
    phono3py.forces = [nothing if cell is None else next(found).forces - rest for cell in cells]
    produce(phono3py)


def produce(phono3py: Phono3py) -> None:
    """Solve for the third order alone: the second stays that of the harmonic phonons."""
    second: Any = phono3py.fc2
    with one_blas_thread():
        phono3py.produce_fc3(is_compact_fc=True)
    phono3py.fc2 = second
