"""SevenNet in its own environment: its ASE calculator, in single or double precision."""

from __future__ import annotations

from typing import Any


def make(weights: str, device: str, dtype: str, modal: str | None = None) -> Any:
    """Return a SevenNet calculator.

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
    return calculator


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
