"""A crystal as plain lists, exact in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ase import Atoms


def to_dict(atoms: Atoms) -> dict[str, Any]:
    """Return numbers, cell (A) and positions (A)."""
    return {
        "numbers": atoms.numbers.tolist(),
        "cell": atoms.cell.array.tolist(),
        "positions": atoms.positions.tolist(),
    }


def to_atoms(structure: Mapping[str, Any]) -> Atoms:
    """Return the crystal that `to_dict` described."""
    found = structure
    return Atoms(found["numbers"], found["positions"], cell=found["cell"], pbc=True)
