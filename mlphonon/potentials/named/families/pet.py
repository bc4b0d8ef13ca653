"""PET in its own environment: its ASE calculator, in single or double precision."""

from __future__ import annotations

from typing import Any


def make(model: str, version: str, device: str, dtype: str) -> Any:
    """Return a PET calculator with forces that are the slope of its energy.

    Parameters
    ----------
    model, version : str
        As upet names them.
    device : str
        A torch device.
    dtype : {"float32", "float64"}
        Precision.
    """
    import torch
    from upet.ase import UPETCalculator

    return UPETCalculator(model=model, version=version, dtype=getattr(torch, dtype), device=device)
