"""All atoms displaced at once: symfc solves for second and third order together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.errors import PotentialError
from mlphonon.force_constants.cells import to_ase
from mlphonon.force_constants.displacements import stack
from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from phono3py import Phono3py
    from symfc import Symfc

    from mlphonon.potentials.potential import Potential, ProgressCallback

MOST_COEFFICIENTS = 12_000
"""Beyond this the dense solve takes minutes and gigabytes: 8,509 took 38 s and 3.1 GB; 43,172
(quartz, 81 atoms) would take 15 GB for one matrix."""

SPARE = 1.25
"""Equations for each coefficient: with just as many, symfc returned zeros."""

AMPLITUDE = {True: 3e-5, False: 0.02}
"""Root mean square displacement of an atom, A, in float64 or less. In float64 what fourth order
adds is then 1e-4 of the third (``benchmarks/third_order.md``); otherwise each is made both ways,
which takes that out."""

LARGEST_ERROR = 0.02
"""Relative error of unseen forces above which a fit is not believed. Too few displacements give
1.0; a third order that is right, 1e-2 at worst."""

SETTLED = 0.1
"""Relative change of that error below which more displacements do not help: what is left is what
a cutoff leaves out."""

TRIES = 4
SEED = 20260102


@dataclass(frozen=True)
class Space:
    """Third-order force constants that symmetry allows.

    Attributes
    ----------
    n_estimated : int
        About as many independent numbers of second and third order.
    n_snapshots : int
        Random displacements that most likely determine them.
    both_ways : bool
        Whether the opposite of each is evaluated, too.
    cut : bool
        Whether long triplets are left out.
    solver : Symfc
        Knows the symmetry and the cutoff; not yet the basis, which takes time.
    """

    n_estimated: int
    n_snapshots: int
    both_ways: bool
    cut: bool
    solver: Symfc

    @property
    def n_evaluations(self) -> int:
        """Supercells to be evaluated."""
        return self.n_snapshots * (2 if self.both_ways else 1)


def measure_space(phono3py: Phono3py, cutoff: float | None, precise: bool) -> Space:
    """Estimate, in less than a second, how large a regression would be.

    Parameters
    ----------
    phono3py : Phono3py
        With its supercell.
    cutoff : float, optional
        Longest side of a triplet, A.
    precise : bool
        Whether forces are float64.
    """
    from symfc import Symfc
    from symfc.utils.utils import SymfcAtoms

    cell = phono3py.supercell
    solver = Symfc(
        SymfcAtoms(cell=cell.cell, scaled_positions=cell.scaled_positions, numbers=cell.numbers),
        spacegroup_operations=phono3py.symmetry.symmetry_operations,
        cutoff=None if cutoff is None else {3: cutoff},
    )
    with one_blas_thread():
        found = solver.estimate_basis_size(orders=[2, 3])
    second, third = int(found[2]), int(found[3])
    # Both ways, the third order is alone in the sum of the two.
    unknown = third if not precise else second + third
    number = math.ceil(SPARE * unknown / (3 * len(cell))) + 1
    return Space(second + third, number, not precise, cutoff is not None, solver)


def solve_regression(
    phono3py: Phono3py,
    potential: Potential,
    rest: np.ndarray,
    space: Space,
    amplitude: float,
    progress: ProgressCallback | None = None,
) -> tuple[int, int, float]:
    """Displace all atoms at random, evaluate, and solve; take more until unseen forces are right.

    Parameters
    ----------
    phono3py : Phono3py
        Is given its third order, symmetric.
    potential : Potential
        Evaluates supercells.
    rest : ndarray, shape (n_supercell, 3)
        Forces in the undisplaced supercell, which are subtracted, eV/A.
    space : Space
        See `measure_space`.
    amplitude : float
        Root mean square displacement of an atom, A.
    progress : callable, optional
        Told of each supercell.

    Returns
    -------
    n_evaluations, n_coefficients : int
        Of the third order.
    error : float
        Of the fit, on unseen forces (see `unseen_error`).

    Raises
    ------
    PotentialError
        If unseen forces are still not reproduced with `TRIES` times as many.
    """
    solver, supercell = space.solver, to_ase(phono3py.supercell)
    with one_blas_thread():
        solver.compute_basis_set(orders=[2, 3])
    n_coefficients = int(solver.basis_set[3].blocked_basis_set.shape[1])
    rng = np.random.default_rng(SEED)
    moved = np.empty((0, len(supercell), 3))
    forces = np.empty_like(moved)
    error = np.inf
    for _ in range(TRIES):
        scale = amplitude / math.sqrt(3)
        more = scale * rng.standard_normal((space.n_snapshots, len(supercell), 3))
        if space.both_ways:
            more = np.concatenate([more, -more])
        answers = potential.evaluate(stack(supercell, list(more)), progress)
        moved = np.concatenate([moved, more])
        forces = np.concatenate([forces, [answer.forces - rest for answer in answers]])
        solver.displacements, solver.forces = moved, forces
        with one_blas_thread():
            solver.solve(orders=[2, 3], is_compact_fc=True)
        phono3py.fc3 = np.array(solver.force_constants[3])
        before, error = (
            error,
            unseen_error(phono3py, potential, amplitude if space.both_ways else None),
        )
        # Zeros, which too few displacements give, are wrong by 1.0 however often.
        settled = space.cut and error < 0.5 and abs(error - before) < SETTLED * error
        # Not "> limit": that would let NaN pass.
        if error <= LARGEST_ERROR or settled:
            return len(moved), n_coefficients, error
    raise PotentialError(
        f"third-order force constants by regression miss unseen forces by {100 * error:.2g} %",
        f"{len(moved)} supercells for {n_coefficients} coefficients;"
        f" {100 * LARGEST_ERROR:g} % is allowed",
        "use another method for the third order",
    )


def unseen_error(phono3py: Phono3py, potential: Potential, amplitude: float | None = None) -> float:
    """Compare the third order with forces of a random displacement of all atoms and its opposite.

    Half the sum of the two is what is quadratic in the displacement: -1/2 Phi3 u u.

    Parameters
    ----------
    phono3py : Phono3py
        With its third order.
    potential : Potential
        Is asked for three supercells.
    amplitude : float, optional
        Root mean square displacement of an atom, A; by precision otherwise.

    Returns
    -------
    float
        |difference| / |what is quadratic|, of the forces on atoms of the primitive cell.
    """
    supercell = to_ase(phono3py.supercell)
    length = amplitude or (1e-3 if potential.info.dtype == "float64" else AMPLITUDE[False])
    rng = np.random.default_rng(SEED + 1)
    moved = length / math.sqrt(3) * rng.standard_normal((len(supercell), 3))
    here, there, rest = potential.evaluate([*stack(supercell, [moved, -moved]), supercell])
    first = [int(i) for i in phono3py.primitive.p2s_map]
    measured = ((here.forces + there.forces) / 2 - rest.forces)[first]
    fc3 = np.asarray(phono3py.fc3)
    compact = fc3 if len(fc3) == len(first) else fc3[first]
    predicted = -0.5 * np.einsum("ijkabc,jb,kc->ia", compact, moved, moved, optimize=True)
    return float(np.linalg.norm(predicted - measured) / np.linalg.norm(measured))
