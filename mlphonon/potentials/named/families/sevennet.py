"""SevenNet in its own environment: batches of graphs, in single or double precision."""

from __future__ import annotations

from typing import Any

import numpy as np


class SevenNet:
    """A SevenNet model that evaluates batches.

    Parameters
    ----------
    calculator : SevenNetCalculator
        Its model, its device and the data set it speaks for are taken.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, calculator: Any) -> None:
        self.model, self.device = calculator.model, str(calculator.device)
        self.cutoff, self.modal = calculator.cutoff, calculator.modal
        self.model.set_is_batch_data(True)

    def prepare(self, atoms: Any) -> Any:
        """Return the neighbour graph of a crystal."""
        from sevenn import _keys as keys
        from sevenn.atom_graph_data import AtomGraphData
        from sevenn.train.dataload import unlabeled_atoms_to_graph

        graph = unlabeled_atoms_to_graph(atoms, self.cutoff, with_shift=False)
        data = AtomGraphData.from_numpy_dict(graph)
        if self.modal:
            data[keys.DATA_MODALITY] = self.modal
        return data

    def edges(self, graph: Any) -> int:
        """Return the number of neighbour pairs of a graph."""
        return int(graph["edge_index"].shape[1])

    def evaluate(self, graphs: list[Any]) -> list[tuple[float, np.ndarray, np.ndarray]]:
        """Return energy, forces and stress of each graph."""
        from ase.stress import voigt_6_to_full_3x3_stress
        from sevenn import _keys as keys
        from torch_geometric.data import Batch

        counts = [int(graph["num_atoms"]) for graph in graphs]
        out = self.model(Batch.from_data_list(graphs).to(self.device))
        energies, forces, stresses = (
            out[key].detach().cpu().numpy()
            for key in (keys.PRED_TOTAL_ENERGY, keys.PRED_FORCE, keys.PRED_STRESS)
        )
        ends = np.cumsum(counts)
        # sevenn's stress is negative and in the order xx, yy, zz, xy, yz, zx.
        return [
            (
                float(energies.ravel()[i]),
                forces[end - count : end],
                voigt_6_to_full_3x3_stress(-stresses.reshape(-1, 6)[i][[0, 1, 2, 4, 5, 3]]),
            )
            for i, (count, end) in enumerate(zip(counts, ends))  # noqa: B905  (Python 3.9)
        ]


def make(weights: str, device: str, dtype: str, modal: str | None = None) -> SevenNet:
    """Return a SevenNet evaluator.

    Parameters
    ----------
    weights : str
        Checkpoint file.
    device : str
        A torch device.
    dtype : {"float32", "float64"}
        Precision of weights and structures. The weights were trained in float32; in float64
        the same function is evaluated without the rounding.
    modal : str, optional
        Data set that a multi-fidelity model is to speak for.
    """
    from sevenn.calculator import SevenNetCalculator

    calculator = SevenNetCalculator(weights, device=device, modal=modal)
    if dtype == "float64":
        _make_double(calculator.model)
    return SevenNet(calculator)


def _make_double(model: Any) -> None:
    """Evaluate in float64: weights, structures, and what sevenn fixes to float32 on the way."""
    import torch
    from sevenn import util
    from sevenn.nn.node_embedding import OnehotEmbedding

    model.double()
    convert = util.dtype_correct
    util.dtype_correct = lambda value: convert(value, float_dtype=torch.float64)

    def widen(_module: Any, _inputs: Any, data: Any) -> Any:
        for key, value in data.items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                data[key] = value.double()
        return data

    for module in model.modules():
        if isinstance(module, OnehotEmbedding):
            module.register_forward_hook(widen)
