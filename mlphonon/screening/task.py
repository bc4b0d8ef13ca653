"""A task: one crystal, to be computed once by one calculation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlphonon.crystal.structure_json import to_atoms

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Task:
    """A task that a run has taken; workers get it as it is.

    Attributes
    ----------
    id : str
        Identity.
    name : str
        Of the crystal.
    structure : dict
        Of the crystal, as the database has it.
    crashes : int
        How often the process ended under it.
    """

    id: str
    name: str
    structure: dict[str, Any]
    crashes: int = 0

    def atoms(self) -> Atoms:
        """Return the crystal as it was given."""
        return to_atoms(self.structure)
