"""Nequix in its own environment: its ASE calculator on JAX, in single or double precision."""

from __future__ import annotations

import math
import os
import sys
from typing import Any

RATIO = 1.25
"""Between the sizes that graphs are padded to. JAX compiles once for each size, about ten
seconds: few sizes mean that most crystals of a campaign find theirs compiled."""


def make(weights: str, device: str, dtype: str) -> Any:
    """Return a Nequix calculator.

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
    import numpy as np

    jax.config.update("jax_platforms", "cpu" if device == "cpu" else "cuda")
    # What was compiled is kept in the environment for the next process.
    jax.config.update("jax_compilation_cache_dir", os.path.join(sys.prefix, "compiled"))
    from nequix import calculator, data

    class Padded(calculator.NequixCalculator):
        def _pad_graph_jax(self, graph: Any, numbers_changed: bool = False) -> Any:
            import jraph

            nodes, edges = padded(int(graph.n_node[0]) + 1), padded(int(graph.n_edge[0]))
            return jraph.pad_with_graphs(graph, n_node=nodes, n_edge=edges, n_graph=2)

    # Kernels of other programs stay out: they have changed results elsewhere.
    made = Padded(model_path=weights, backend="jax", use_kernel=False)
    if dtype == "float64":
        # Only now: the weights would not be read into doubles.
        jax.config.update("jax_enable_x64", True)
        data.np = _Double(np)
        made.model = jax.tree.map(
            lambda leaf: leaf.astype(np.float64) if eqx.is_inexact_array(leaf) else leaf,
            made.model,
        )
    return made


def padded(size: int) -> int:
    """Return the least of the sizes 8, 10, 13, 16, ... that is not below `size`."""
    steps = max(0, math.ceil(math.log(size / 8) / math.log(RATIO) - 1e-9))
    return math.ceil(8 * RATIO**steps)


class _Double:
    """NumPy, but for its float32, which is what nequix rounds structures to."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self.float32 = module.float64

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)
