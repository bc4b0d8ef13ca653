"""Whether two crystals are the same, however each was given."""

from __future__ import annotations

from typing import Any

import numpy as np

NEAR = 0.005
"""A; two standardised cells that differ by less are of one crystal."""


def same_crystal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether two standardised primitive cells are of one crystal.

    The standard setting does not depend on how a crystal was given, but which of several
    equivalent places becomes the origin may.

    Parameters
    ----------
    one, other : dict
        As `mlphonon.crystal.structure_json.to_dict` makes them.
    """
    if sorted(one["numbers"]) != sorted(other["numbers"]):
        return False
    cell, other_cell = np.array(one["cell"]), np.array(other["cell"])
    if np.abs(cell - other_cell).max() > NEAR:
        return False
    numbers, other_numbers = np.array(one["numbers"]), np.array(other["numbers"])
    positions, others = np.array(one["positions"]), np.array(other["positions"])
    rarest = min(set(one["numbers"]), key=one["numbers"].count)
    anchor = positions[numbers == rarest][0]
    return any(
        _on_top(positions - anchor, numbers, others - origin, other_numbers, cell)
        for origin in others[other_numbers == rarest]
    )


def _on_top(
    one: np.ndarray, numbers: np.ndarray, other: np.ndarray, others: np.ndarray, cell: np.ndarray
) -> bool:
    apart = (one[:, None] - other[None]) @ np.linalg.inv(cell)
    apart -= np.rint(apart)
    near = np.linalg.norm(apart @ cell, axis=2) < NEAR
    near &= numbers[:, None] == others[None]
    return bool((near.sum(axis=0) == 1).all() and (near.sum(axis=1) == 1).all())
