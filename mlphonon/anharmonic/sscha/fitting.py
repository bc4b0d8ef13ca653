"""Force constants of least squares over weighted samples, by symfc."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from phonopy import Phonopy
    from symfc import Symfc


class Fitter:
    """Fits force constants that the symmetry of a supercell allows.

    For samples of a Gaussian these are the mean second (and third) derivatives of the energy: what
    is not linear in the displacements is not correlated with what is.

    Parameters
    ----------
    phonopy : Phonopy
        With the supercell.
    cutoff : float, optional
        Of third-order force constants, A.
    """

    def __init__(self, phonopy: Phonopy, cutoff: float | None = None) -> None:
        self._phonopy, self._cutoff = phonopy, cutoff
        self._solvers: dict[int, Symfc] = {}

    def second_order(self, away: np.ndarray, forces: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Fit second-order force constants, eV/A^2, shape (n, n, 3, 3).

        Parameters
        ----------
        away, forces : ndarray, shape (n_snapshots, n, 3)
            Displacements from the mean places, A, and forces less the mean force, eV/A.
        weights : ndarray, shape (n_snapshots,)
            How much each counts.
        """
        roots = np.sqrt(weights)[:, None, None]
        return self._solve(2, away * roots, forces * roots)

    def third_order(self, away: np.ndarray, forces: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Fit third-order force constants, eV/A^3, shape (n_primitive, n, n, 3, 3, 3).

        Parameters are those of `second_order`; `forces` without what is of first order in the
        displacements. A mean that the fit would see is taken out: where sites have a direction,
        the mean force at the mean places is not that of the third order, -1/2 Psi <u u>.
        """
        # Squares of displacements carry the root of the weight.
        scaled = away * weights[:, None, None] ** 0.25
        roots = np.sqrt(weights)[:, None, None]
        spread = np.einsum("s,sia,sjb->iajb", weights, away, away)
        offset = np.zeros(away.shape[1:])
        primitive = self._phonopy.primitive
        of_primitive = [primitive.p2p_map[i] for i in primitive.s2p_map]
        if list(self._solver(3).p2s_map) != list(primitive.p2s_map):
            raise RuntimeError("symfc and phonopy number the primitive cell's atoms differently")
        for _ in range(MEAN_ROUNDS):
            found = self._solve(3, scaled, (forces + offset) * roots)
            mean = -0.5 * np.einsum("ijkabc,jbkc->ia", found, spread)[of_primitive]
            if np.abs(mean - offset).max() < MEAN_TOLERANCE:
                break
            offset = mean
        return found

    def _solve(self, order: int, displacements: np.ndarray, forces: np.ndarray) -> np.ndarray:
        solver = self._solver(order)
        solver.displacements, solver.forces = displacements, forces
        solver.solve(orders=[order], is_compact_fc=order == 3)
        return np.asarray(solver.force_constants[order])

    def _solver(self, order: int) -> Symfc:
        """Return the solver of one order, which knows the space that symmetry allows."""
        from symfc import Symfc
        from symfc.utils.utils import SymfcAtoms

        if order not in self._solvers:
            cell = self._phonopy.supercell
            cutoff = {} if self._cutoff is None else {"cutoff": {3: self._cutoff}}
            self._solvers[order] = Symfc(
                SymfcAtoms(
                    cell=cell.cell, scaled_positions=cell.scaled_positions, numbers=cell.numbers
                ),
                spacegroup_operations=self._phonopy.symmetry.symmetry_operations,
                **(cutoff if order == 3 else {}),
            )
            with one_blas_thread():
                self._solvers[order].compute_basis_set(orders=[order])
        return self._solvers[order]


MEAN_ROUNDS, MEAN_TOLERANCE = 8, 1e-4
"""Of the mean force of third order: times it is found again at most, and eV/A."""
