"""Displaced pairs of atoms: phono3py chooses them and solves for the third order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.errors import SettingsError
from mlphonon.force_constants.cells import to_ase
from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from phono3py import Phono3py

    from mlphonon.potentials.potential import Potential, ProgressCallback

SMALL = 1e-3
"""Of forces in float64, A: the third order is right to 1e-4 or better; the error is that of a
first difference in some cells, and proportional to it (``benchmarks/third_order.md``)."""

FIELD = 0.03
"""Of all others, A."""


CLEAR = 3.0
"""Times the tolerance of symmetry that a displacement is long, in fractions of the supercell."""


def visible_length(phono3py: Phono3py, usual: float, asked: float | None) -> float:
    """Return a length that phono3py does not take for none.

    It compares fractional coordinates with the tolerance of symmetry: below that, a displaced
    atom has all symmetry that it had at rest, and the third order comes out wrong by tens of per
    cent without a word (phono3py 4.8.2, 64 atoms of NaCl, 1e-4 A: 28 %).

    Parameters
    ----------
    phono3py : Phono3py
        With its supercell.
    usual : float
        Is lengthened where it must be, A.
    asked : float, optional
        Taken instead, A.

    Raises
    ------
    SettingsError
        If what is asked for is too short.
    """
    longest = float(np.linalg.norm(phono3py.supercell.cell, axis=1).max())
    least = CLEAR * phono3py.symmetry.tolerance * longest
    if asked is None:
        return max(usual, least)
    if asked < least:
        raise SettingsError(
            f"a displacement of {asked:g} A cannot be used for the third order",
            f"phono3py takes less than {least:.1g} A for none in this supercell",
            "give a longer one, or a smaller symprec",
        )
    return asked


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
