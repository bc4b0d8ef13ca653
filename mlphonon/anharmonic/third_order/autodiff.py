"""Second derivatives of singly displaced crystals: one difference is left to be taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.anharmonic.third_order.displacements import produce
from mlphonon.force_constants.cells import to_ase

if TYPE_CHECKING:
    from phono3py import Phono3py

    from mlphonon.potentials.potential import DifferentiablePotential, ProgressCallback

STEP = {"float64": 1e-3, "float32": 1e-2}
"""By precision of the rows, A."""


def displace_atoms(phono3py: Phono3py, length: float, cutoff: float | None) -> int:
    """Let phono3py find what is to be displaced; return how many rows are to be made.

    A row is linear in the second displacement, so its opposite says nothing new and is dropped.
    """
    phono3py.generate_displacements(distance=length, cutoff_pair_distance=cutoff)
    dataset: Any = phono3py.dataset
    for first in dataset["first_atoms"]:
        kept: list[Any] = []
        for second in first["second_atoms"]:
            if not any(_opposite(second, other) for other in kept):
                kept.append(second)
        first["second_atoms"] = kept
    phono3py.dataset = dataset
    rows = sum(len(included(first)) for first in dataset["first_atoms"])
    return rows + len(dataset["first_atoms"])


def solve_rows(
    phono3py: Phono3py,
    potential: DifferentiablePotential,
    progress: ProgressCallback | None = None,
) -> None:
    """Differentiate the forces of each displaced crystal and solve for the third order.

    phono3py takes the force constants of a displaced crystal from forces at pairs of
    displacements, F(u, v) - F(u); it is given -H(u) v, which is the same to first order in v and
    has no error beyond it. All rows of one displaced crystal share its forward pass.

    Parameters
    ----------
    phono3py : Phono3py
        Of `displace_atoms`; is given its third order, not yet symmetric.
    potential : DifferentiablePotential
        In the precision of the rows.
    progress : callable, optional
        Told of each row.
    """
    dataset: Any = phono3py.dataset
    rest = to_ase(phono3py.supercell)
    firsts = dataset["first_atoms"]
    at_rest = potential.hessian_rows(rest, [_direction(first) for first in firsts], progress)
    for first, row in zip(firsts, at_rest, strict=True):
        first["forces"] = -row
        displaced = rest.copy()
        displaced.positions[first["number"]] += first["displacement"]
        for second in first["second_atoms"]:
            second["forces"] = np.zeros_like(row)
        wanted = included(first)
        rows = potential.hessian_rows(displaced, [_direction(one) for one in wanted], progress)
        for second, answer in zip(wanted, rows, strict=True):
            second["forces"] = first["forces"] - answer
    phono3py.dataset = dataset
    produce(phono3py)


def included(first: Any) -> list[Any]:
    """Return the second displacements that belong to a first and are not beyond the cutoff."""
    return [second for second in first["second_atoms"] if second.get("included", True)]


def _direction(one: Any) -> tuple[int, np.ndarray]:
    return int(one["number"]), np.asarray(one["displacement"])


def _opposite(one: Any, other: Any) -> bool:
    return one["number"] == other["number"] and np.allclose(
        one["displacement"], -np.asarray(other["displacement"])
    )
