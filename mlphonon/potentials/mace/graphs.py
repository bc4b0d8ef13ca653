"""Neighbour graphs as MACE takes them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms
    from mace.data import AtomicData

_PRECISION_LOCK = threading.Lock()
"""The precision of new tensors, which mace's graphs go by, is one for the whole process."""


@dataclass(frozen=True)
class GraphMaker:
    """What decides the graph of a structure.

    Attributes
    ----------
    numbers : tuple of int
        Atomic numbers that the model knows, in its order.
    cutoff : float
        Radius of one neighbourhood, A.
    heads : tuple of str
        All heads of the model.
    head : str
        The one that is asked.
    dtype : str
        Precision of the tensors.
    """

    numbers: tuple[int, ...]
    cutoff: float
    heads: tuple[str, ...]
    head: str
    dtype: str

    def make(self, atoms: Atoms) -> AtomicData:
        """Build the graph of one periodic structure."""
        from mace.data import AtomicData, Configuration
        from mace.tools import AtomicNumberTable
        from mace.tools.torch_tools import default_dtype

        configuration = Configuration(
            atomic_numbers=atoms.numbers,
            positions=atoms.positions,
            properties={},
            property_weights={},
            cell=atoms.cell.array,
            pbc=tuple(bool(p) for p in atoms.pbc),
            head=self.head,
        )
        with _PRECISION_LOCK, default_dtype(self.dtype):
            return AtomicData.from_config(
                configuration,
                z_table=AtomicNumberTable(list(self.numbers)),
                cutoff=self.cutoff,
                heads=list(self.heads),
            )


def n_edges(graph: AtomicData) -> int:
    """Return the pairs of neighbours in a graph, each counted from both ends."""
    return int(graph.edge_index.shape[1])
