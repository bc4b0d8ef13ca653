"""ORB in its own environment: its ASE calculator, in single or double precision."""

from __future__ import annotations

from typing import Any


def make(weights: str, device: str, dtype: str, model: str) -> Any:
    """Return an ORB calculator.

    Parameters
    ----------
    weights : str
        Checkpoint file.
    device : str
        A torch device.
    dtype : {"float32", "float64"}
        Precision; float32 is without the shortcuts of TF32.
    model : str
        Name of the architecture in ``orb_models.forcefield.pretrained``.
    """
    from orb_models.forcefield import pretrained
    from orb_models.forcefield.calculator import ORBCalculator

    build = getattr(pretrained, model)
    precision = "float64" if dtype == "float64" else "float32-highest"
    network = build(weights_path=weights, device=device, precision=precision, compile=False)
    return ORBCalculator(network, device=device)
