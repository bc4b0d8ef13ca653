"""All atoms displaced at once: symfc solves for the numbers that symmetry leaves independent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.errors import PotentialError, SettingsError
from mlphonon.force_constants.cells import to_ase
from mlphonon.force_constants.displacements import forces_at_rest, stack
from mlphonon.force_constants.force_constants import ForceConstants, repair
from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from phonopy import Phonopy
    from symfc import Symfc

    from mlphonon.potentials.potential import Potential, ProgressCallback

MOST_COEFFICIENTS = 6000
"""Beyond this the dense solve takes minutes and gigabytes (14,463 of 160 atoms in P1: above two
minutes), and one-sided displacements are quicker."""

RECOVERED = 1e-6
"""Relative error at which made-up force constants count as given back."""

LARGEST_ERROR = 1e-3
"""Relative error of forces that were not fitted, above which the fit is not believed. symfc
returns a wrong answer without a word where there are too few equations."""

AMPLITUDE = 1e-6
"""Root mean square displacement of an atom, A. At 1e-5 what is not linear, of all atoms together,
moved frequencies of 324 atoms by 7e-3 THz."""

SEED = 20260101


@dataclass(frozen=True)
class RandomSnapshots:
    """How much a regression takes.

    Attributes
    ----------
    n_coefficients : int
        Independent force constants of the supercell.
    number : int
        Displaced supercells that determine them.
    solver : Symfc
        Knows the space of force constants that symmetry allows.
    """

    n_coefficients: int
    number: int
    solver: Symfc


def count_snapshots(phonopy: Phonopy) -> RandomSnapshots:
    """Find how many random displacements determine the force constants of a supercell.

    Counting equations is not enough: modes of one wave vector and one symmetry are coupled by a
    symmetric matrix, which takes as many independent displacements as it has rows, however many
    atoms there are. So force constants are made up in the same space, and the least number is
    taken that gives them back.

    Raises
    ------
    SettingsError
        If there are more than `MOST_COEFFICIENTS`.
    """
    solver = _make_solver(phonopy)
    about = int(solver.estimate_basis_size(orders=[2])[2])
    if about > MOST_COEFFICIENTS:
        raise SettingsError(
            f"a regression of about {about} coefficients would take gigabytes and minutes",
            f"{MOST_COEFFICIENTS} are the most that it is used for",
            "use the method displacements",
        )
    n_coefficients = _compute_basis(solver)
    number = max(1, math.ceil(n_coefficients / (3 * len(phonopy.supercell))))
    noise = np.random.default_rng(SEED + 1).standard_normal((number, len(phonopy.supercell), 3))
    made_up = _solve(solver, random_displacements(phonopy, number), noise)
    # As many as there are modes in the primitive cell always do, one for each row.
    while number < 3 * len(phonopy.primitive):
        moved = random_displacements(phonopy, number)
        found = _solve(solver, moved, -np.einsum("ijab,njb->nia", made_up, moved))
        if np.linalg.norm(found - made_up) < RECOVERED * np.linalg.norm(made_up):
            break
        number += 1 + number // 4
    return RandomSnapshots(n_coefficients, number, solver)


def random_displacements(phonopy: Phonopy, number: int) -> np.ndarray:
    """Return displacements of all atoms, A, shape (number, n_atoms, 3), always the same.

    A larger number begins with those of a smaller one.
    """
    shape = (number, len(phonopy.supercell), 3)
    return AMPLITUDE / math.sqrt(3) * np.random.default_rng(SEED).standard_normal(shape)


def from_regression(
    phonopy: Phonopy,
    potential: Potential,
    snapshots: RandomSnapshots,
    progress: ProgressCallback | None = None,
) -> ForceConstants:
    """Displace all atoms at random, evaluate, and solve for the independent force constants.

    One more supercell is evaluated than is fitted; its forces tell whether the fit is right.

    Parameters
    ----------
    phonopy : Phonopy
        With its supercell.
    potential : Potential
        In float64: displacements are small.
    snapshots : RandomSnapshots
        See `count_snapshots`.
    progress : callable, optional
        Told of each supercell.

    Raises
    ------
    PotentialError
        If the forces that were held out are not reproduced.
    """
    rest = forces_at_rest(phonopy, potential, progress)
    moved = random_displacements(phonopy, snapshots.number + 1)
    found = potential.evaluate(stack(to_ase(phonopy.supercell), list(moved)), progress)
    forces = np.array([evaluation.forces - rest for evaluation in found])
    phonopy.dataset = {"displacements": moved[:-1], "forces": forces[:-1]}
    phonopy.force_constants = _solve(snapshots.solver, moved[:-1], forces[:-1])
    expected = -np.einsum("ijab,jb->ia", phonopy.force_constants, moved[-1])
    error = float(np.linalg.norm(expected - forces[-1]) / np.linalg.norm(forces[-1]))
    # Not "> limit": that would let NaN pass.
    if not error <= LARGEST_ERROR:
        raise PotentialError(
            f"force constants by regression miss unseen forces by {100 * error:.2g} %",
            f"{snapshots.number} supercells for {snapshots.n_coefficients} coefficients;"
            f" {100 * LARGEST_ERROR:g} % is allowed",
            "use the method displacements",
        )
    residuals = repair(phonopy, rest, held_out=error)
    return ForceConstants(
        phonopy=phonopy,
        method="regression",
        displacement=AMPLITUDE,
        n_displacements=snapshots.number,
        residuals=residuals,
        dtype=potential.info.dtype,
        n_coefficients=snapshots.n_coefficients,
    )


def _make_solver(phonopy: Phonopy) -> Symfc:
    from symfc import Symfc
    from symfc.utils.utils import SymfcAtoms

    cell = phonopy.supercell
    return Symfc(
        SymfcAtoms(cell=cell.cell, scaled_positions=cell.scaled_positions, numbers=cell.numbers),
        spacegroup_operations=phonopy.symmetry.symmetry_operations,
    )


def _compute_basis(solver: Symfc) -> int:
    """Find the space that symmetry allows, and return its dimension."""
    with one_blas_thread():
        solver.compute_basis_set(orders=[2])
    return int(solver.basis_set[2].blocked_basis_set.shape[1])


def _solve(solver: Symfc, displacements: np.ndarray, forces: np.ndarray) -> np.ndarray:
    """Return full force constants, shape (n, n, 3, 3), of least squares in the allowed space."""
    solver.displacements, solver.forces = displacements, forces
    with one_blas_thread():
        solver.solve(orders=[2], is_compact_fc=False)
    return np.asarray(solver.force_constants[2])
