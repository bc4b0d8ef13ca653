"""CHGNet in its own environment: its ASE calculator, in single or double precision."""

from __future__ import annotations

from typing import Any


def make(weights: str, device: str, dtype: str) -> Any:
    """Return a CHGNet calculator.

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
    from chgnet.model import CHGNet, CHGNetCalculator, model

    precision = getattr(torch, dtype)
    # The one name by which chgnet's modules know the precision of their tensors.
    for module in (converter, crystalgraph, model):
        module.TORCH_DTYPE = precision
    network = CHGNet.from_file(weights).to(precision)
    # The counts of elements are made in float32, whatever the weights are.
    network.composition_model.fc.register_forward_pre_hook(
        lambda _module, inputs: (inputs[0].to(precision),)
    )
    return CHGNetCalculator(network, use_device=device, on_isolated_atoms="error")
