"""Neighbour graphs in rows of equal length: nothing is scattered when energies are evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class PackedGraphs:
    """Neighbours of the atoms of several crystals, in rows of equal length.

    Attributes
    ----------
    elements : Tensor of int, shape (n_atoms,)
        Index of each atom's element among the model's.
    positions : Tensor, shape (n_atoms, 3)
        A.
    senders : Tensor of int, shape (n_atoms, most)
        Neighbours of each atom; filling names the atom itself.
    offsets : Tensor, shape (n_atoms, most, 3)
        What is added to the difference of positions (receiver less sender), A.
    graph : Tensor of int, shape (n_atoms,)
        Crystal of each atom.
    """

    elements: torch.Tensor
    positions: torch.Tensor
    senders: torch.Tensor
    offsets: torch.Tensor
    graph: torch.Tensor

    @classmethod
    def of(cls, atoms: Atoms, places: dict[int, int], r_max: float) -> PackedGraphs:
        """Find the neighbours of a periodic crystal.

        Parameters
        ----------
        atoms : Atoms
            Periodic.
        places : dict of int to int
            Index among the model's elements of each atomic number.
        r_max : float
            Reach of the model, A.
        """
        from matscipy.neighbours import neighbour_list

        receivers, senders, shifts = neighbour_list("ijS", atoms, r_max)
        elements = np.array([places[int(z)] for z in atoms.numbers])
        # Receiver less sender of the neighbour's image; matscipy counts from i to j.
        offsets = -(shifts @ atoms.cell.array)
        return pack(elements, atoms.positions, np.stack([senders, receivers]), offsets, r_max)

    @property
    def n_graphs(self) -> int:
        """Number of crystals."""
        return int(self.graph[-1]) + 1

    @property
    def slots(self) -> int:
        """Places of edges, which is what evaluating costs."""
        return int(self.senders.numel())


def pack(
    elements: np.ndarray,
    positions: np.ndarray,
    edges: np.ndarray,
    offsets: np.ndarray,
    r_max: float,
) -> PackedGraphs:
    """Lay out the neighbours of one crystal.

    Parameters
    ----------
    elements : ndarray of int, shape (n_atoms,)
    positions : ndarray, shape (n_atoms, 3)
        A.
    edges : ndarray of int, shape (2, n_edges)
        Sender and receiver.
    offsets : ndarray, shape (n_edges, 3)
        Lattice vectors that are added to receiver less sender, A.
    r_max : float
        Of the model, A.
    """
    n_atoms = len(elements)
    order = np.argsort(edges[1], kind="stable")
    counts = np.bincount(edges[1], minlength=n_atoms)
    place = np.arange(max(1, counts.max(initial=0)))
    filled = place[None, :] < counts[:, None]
    senders = np.repeat(np.arange(n_atoms)[:, None], len(place), axis=1)
    senders[filled] = edges[0][order]
    laid = np.zeros((*filled.shape, 3), dtype=np.float32)
    laid[..., 0] = r_max
    laid[filled] = offsets[order]
    return PackedGraphs(
        torch.as_tensor(elements, dtype=torch.long),
        torch.as_tensor(positions, dtype=torch.float32),
        torch.as_tensor(senders, dtype=torch.long),
        torch.as_tensor(laid),
        torch.zeros(n_atoms, dtype=torch.long),
    )


def join(parts: Sequence[PackedGraphs], r_max: float) -> PackedGraphs:
    """Put crystals side by side, all rows as long as the longest."""
    most = max(part.senders.shape[1] for part in parts)
    starts = np.cumsum([0] + [len(part.elements) for part in parts])
    graphs = np.cumsum([0] + [part.n_graphs for part in parts])
    senders, offsets = [], []
    for part, start in zip(parts, starts, strict=False):
        n_atoms, length = part.senders.shape
        own = torch.arange(n_atoms)[:, None].expand(n_atoms, most - length)
        senders.append(torch.cat([part.senders, own], dim=1) + int(start))
        filling = torch.zeros(n_atoms, most - length, 3, dtype=part.offsets.dtype)
        filling[..., 0] = r_max
        offsets.append(torch.cat([part.offsets, filling], dim=1))
    return PackedGraphs(
        torch.cat([part.elements for part in parts]),
        torch.cat([part.positions for part in parts]),
        torch.cat(senders),
        torch.cat(offsets),
        torch.cat([part.graph + int(n) for part, n in zip(parts, graphs, strict=False)]),
    )
