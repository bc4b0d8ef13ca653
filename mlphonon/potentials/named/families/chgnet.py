"""CHGNet in its own environment: batches of graphs, in single or double precision."""

from __future__ import annotations

from typing import Any

import numpy as np


class CHGNetBatches:
    """A CHGNet that evaluates batches.

    Parameters
    ----------
    network : CHGNet
        The model, on its device.
    device : str
        That device.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, network: Any, device: str) -> None:
        self.network, self.device = network, device
        network.graph_converter.set_isolated_atom_response("error")

    def prepare(self, atoms: Any) -> Any:
        """Return the graphs of atoms and bonds of a crystal."""
        from pymatgen.io.ase import AseAtomsAdaptor

        return self.network.graph_converter(AseAtomsAdaptor.get_structure(atoms))

    def edges(self, graph: Any) -> int:
        """Return the number of neighbour pairs of a graph."""
        return len(graph.atom_graph)

    def evaluate(self, graphs: list[Any]) -> list[tuple[float, np.ndarray, np.ndarray]]:
        """Return energy, forces and stress of each graph."""
        from ase.units import GPa

        found = self.network.predict_graph(graphs, task="efs", batch_size=len(graphs))
        # Energies are per atom, stresses in GPa.
        return [
            (float(one["e"]) * len(one["f"]), one["f"], one["s"] * GPa)
            for one in (found if isinstance(found, list) else [found])
        ]


def make(weights: str, device: str, dtype: str) -> CHGNetBatches:
    """Return a CHGNet evaluator.

    Parameters
    ----------
    weights : str
        Checkpoint file.
    device : str
        A torch device.
    dtype : {"float32", "float64"}
        Precision of weights and structures. The weights were trained in float32; in float64
        the same function is evaluated without the rounding.
    """
    import torch
    from chgnet.graph import converter, crystalgraph
    from chgnet.model import CHGNet, model

    precision = getattr(torch, dtype)
    # The one name by which chgnet's modules know the precision of their tensors.
    for module in (converter, crystalgraph, model):
        module.TORCH_DTYPE = precision
    network = CHGNet.from_file(weights).to(device=device, dtype=precision)
    # The counts of elements are made in float32, whatever the weights are.
    network.composition_model.fc.register_forward_pre_hook(
        lambda _module, inputs: (inputs[0].to(precision),)
    )
    return CHGNetBatches(network, device)
