"""Nequix in its own environment: its ASE calculator on JAX, in single or double precision."""

from __future__ import annotations

from typing import Any


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
    from nequix import calculator, data

    made = calculator.NequixCalculator(model_path=weights, backend="jax", use_kernel=False)
    if dtype == "float64":
        # Only now: the weights would not be read into doubles.
        jax.config.update("jax_enable_x64", True)
        data.np = _Double(np)
        made.model = jax.tree.map(
            lambda leaf: leaf.astype(np.float64) if eqx.is_inexact_array(leaf) else leaf,
            made.model,
        )
    return made


class _Double:
    """NumPy, but for its float32, which is what nequix rounds structures to."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self.float32 = module.float64

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)
