"""Frames -> labelled graphs of a MACE, and batches of even cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from ase import Atoms
    from mace.data import AtomicData

    from mlphonon.training.data.frame import Frame


@dataclass(frozen=True)
class GraphBuilder:
    """Makes the graphs of one network, in float32.

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers that the network knows, in its order.
    r_max : float
        Up to which distance atoms are neighbours, A.
    head : str
        The head whose labels they are.
    heads : tuple of str
        All heads of the network.
    """

    elements: tuple[int, ...]
    r_max: float
    head: str = "Default"
    heads: tuple[str, ...] = ("Default",)

    def graph(
        self, atoms: Atoms, labels: dict[str, float | np.ndarray], weight: float = 1.0
    ) -> AtomicData:
        """Return a graph with labels; those that are not known have weight zero.

        Parameters
        ----------
        atoms : Atoms
            Periodic.
        labels : dict
            Some of ``energy`` (eV), ``forces`` (eV/A, shape (n_atoms, 3)) and ``stress`` (eV/A^3,
            shape (3, 3)).
        weight : float
            Of the structure in the loss.
        """
        from mace.data import AtomicData, Configuration
        from mace.tools import AtomicNumberTable
        from mace.tools.torch_tools import default_dtype

        zeros = {"energy": 0.0, "forces": np.zeros((len(atoms), 3)), "stress": np.zeros((3, 3))}
        configuration = Configuration(
            atomic_numbers=atoms.numbers,
            positions=atoms.positions,
            properties=zeros | labels,
            property_weights={name: float(name in labels) for name in zeros},
            cell=atoms.cell.array,
            pbc=(True, True, True),
            weight=weight,
            head=self.head,
        )
        table = AtomicNumberTable(list(self.elements))
        with default_dtype("float32"):
            return AtomicData.from_config(
                configuration, z_table=table, cutoff=self.r_max, heads=list(self.heads)
            )

    def of_frame(self, frame: Frame, weight: float = 1.0) -> AtomicData:
        """Return the graph of a labelled structure."""
        labels: dict[str, float | np.ndarray] = {"forces": frame.forces}
        if frame.energy is not None:
            labels["energy"] = frame.energy
        if frame.stress is not None:
            labels["stress"] = frame.stress
        return self.graph(frame.atoms, labels, weight)


def make_batches(
    edges: np.ndarray, limit: int, rng: np.random.Generator | None = None
) -> list[list[int]]:
    """Group frames so that each batch holds at most `limit` edges (cost goes with edges).

    Parameters
    ----------
    edges : ndarray, shape (n_frames,)
        Number of directed edges of each frame's graph.
    limit : int
        Most edges in a batch; a larger frame makes a batch alone.
    rng : Generator, optional
        Shuffles the frames first; without it their order is kept.
    """
    order = np.arange(len(edges)) if rng is None else rng.permutation(len(edges))
    batches: list[list[int]] = []
    total = limit + 1
    for index in order:
        if total + edges[index] > limit:
            batches.append([])
            total = 0
        batches[-1].append(int(index))
        total += edges[index]
    return batches


def edges_of(graphs: Sequence[AtomicData]) -> np.ndarray:
    """Directed edges of each graph, shape (n_graphs,)."""
    return np.array([graph.edge_index.shape[1] for graph in graphs], dtype=int)


def collate(graphs: list[AtomicData], device: torch.device | str = "cpu") -> Any:
    """Join graphs into one MACE batch on a device."""
    from mace.tools.torch_geometric.batch import Batch

    return Batch.from_data_list(graphs).to(device)


def device_of(model: torch.nn.Module) -> torch.device:
    """Return the device that a model's weights are on."""
    return next(model.parameters()).device
