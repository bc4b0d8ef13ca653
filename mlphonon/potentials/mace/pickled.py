"""A pickled MACE: the one place in which unpickling may run code, once somebody vouches for it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from mlphonon.errors import PotentialError, first_line

if TYPE_CHECKING:
    import torch

MODEL_ATTRIBUTES = ("r_max", "atomic_numbers", "num_interactions", "atomic_energies_fn")
"""What every MACE model of an energy has."""


def unpickle_model(data: bytes, path: Path) -> torch.nn.Module:
    """Load a pickled MACE. This runs whatever code `data` holds.

    Parameters
    ----------
    data : bytes
        Contents of the file, for which the catalogue or the user vouches by now.
    path : Path
        Where they come from, for errors.

    Raises
    ------
    PotentialError
        If it cannot be loaded or is no MACE.
    """
    import mace.modules  # noqa: F401  before e3nn: see mlphonon.potentials.mace.architecture
    import torch

    try:
        model = torch.load(io.BytesIO(data), map_location="cpu", weights_only=False)
    except Exception as error:  # what a pickle runs may raise anything
        raise PotentialError(
            f"cannot load {path}",
            f"{type(error).__name__}: {first_line(error)}",
            "bring the file again: it is truncated, damaged or no torch model; or it was pickled"
            f" under another e3nn or mace than {_versions()} here",
        ) from error
    if (
        not isinstance(model, torch.nn.Module)
        or isinstance(model, torch.jit.ScriptModule)
        or not all(hasattr(model, name) for name in MODEL_ATTRIBUTES)
    ):
        raise PotentialError(
            f"{path} is no MACE model",
            f"it holds a {type(model).__name__}",
            "give the .model file that mace_run_train writes, not a checkpoint or an export",
        )
    return model


def _versions() -> str:
    from importlib.metadata import version

    return f"e3nn {version('e3nn')} and mace-torch {version('mace-torch')}"
