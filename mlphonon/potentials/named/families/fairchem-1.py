"""eqV2 in its own environment: the ASE calculator of fairchem 1."""

from __future__ import annotations

from typing import Any


def make(weights: str, device: str) -> Any:
    """Return a calculator.

    Parameters
    ----------
    weights : str
        Checkpoint file.
    device : str
        A torch device; of several GPUs fairchem takes the first.
    """
    from fairchem.core import OCPCalculator

    return OCPCalculator(checkpoint_path=weights, cpu=device == "cpu")
