"""Nequix in its own environment: batches of graphs on JAX, in single or double precision."""

from __future__ import annotations

import math
import os
import sys
from typing import Any

import numpy as np

RATIO = 1.25
"""Between the sizes that graphs are padded to. JAX compiles once for each size, about ten
seconds: few sizes mean that most crystals of a campaign find theirs compiled."""


class Nequix:
    """A Nequix model that evaluates batches, padded to few sizes.

    Parameters
    ----------
    calculator : NequixCalculator
        Its model, elements and cutoff are taken.
    device : str
        Where JAX runs.
    """

    implemented_properties = ("energy", "forces", "stress")

    def __init__(self, calculator: Any, device: str) -> None:
        import equinox as eqx

        self.calculator, self.device = calculator, device
        self.compiled = eqx.filter_jit(calculator.model)

    def prepare(self, atoms: Any) -> Any:
        """Return the neighbour graph of a crystal."""
        from nequix.data import dict_to_graphstuple, preprocess_graph

        indices, cutoff = self.calculator.atom_indices, self.calculator.cutoff
        return dict_to_graphstuple(preprocess_graph(atoms, indices, cutoff, False))

    def edges(self, graph: Any) -> int:
        """Return the number of neighbour pairs of a graph."""
        return int(graph.n_edge[0])

    def evaluate(self, graphs: list[Any]) -> list[tuple[float, np.ndarray, np.ndarray]]:
        """Return energy, forces and stress of each graph."""
        import jraph

        counts = [int(graph.n_node[0]) for graph in graphs]
        size = {
            "n_node": padded(sum(counts) + 1),
            "n_edge": padded(sum(self.edges(graph) for graph in graphs)),
            "n_graph": 2 ** math.ceil(math.log2(len(graphs) + 1)),
        }
        batch = jraph.pad_with_graphs(jraph.batch_np(graphs), **size)
        energies, forces, stresses = (np.array(array) for array in self.compiled(batch))
        ends = np.cumsum(counts)
        return [
            (float(energies[i]), forces[end - count : end], stresses[i])
            for i, (count, end) in enumerate(zip(counts, ends))  # noqa: B905  (Python 3.9)
        ]


def make(weights: str, device: str, dtype: str) -> Nequix:
    """Return a Nequix evaluator.

    Parameters
    ----------
    weights : str
        A ``.nqx`` file.
    device : str
        ``"cpu"`` or ``"cuda"``.
    dtype : {"float32", "float64"}
        Precision of weights and structures. The weights were trained in float32; in float64
        the same function is evaluated without the rounding.
    """
    import equinox as eqx
    import jax

    jax.config.update("jax_platforms", "cpu" if device == "cpu" else "cuda")
    # What was compiled is kept in the environment for the next process.
    jax.config.update("jax_compilation_cache_dir", os.path.join(sys.prefix, "compiled"))
    from nequix import calculator, data

    # Kernels of other programs stay out: they have changed results elsewhere.
    made = calculator.NequixCalculator(model_path=weights, backend="jax", use_kernel=False)
    if dtype == "float64":
        # Only now: the weights would not be read into doubles.
        jax.config.update("jax_enable_x64", True)
        data.np = _Double(np)
        made.model = jax.tree.map(
            lambda leaf: leaf.astype(np.float64) if eqx.is_inexact_array(leaf) else leaf,
            made.model,
        )
    return Nequix(made, device)


def padded(size: int) -> int:
    """Return the least of the sizes 8, 10, 13, 16, ... that is not below `size`."""
    steps = math.ceil(math.log(max(size, 8) / 8) / math.log(RATIO) - 1e-9)
    return math.ceil(8 * RATIO**steps)


class _Double:
    """NumPy, but for its float32, which is what nequix rounds structures to."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self.float32 = module.float64

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)
