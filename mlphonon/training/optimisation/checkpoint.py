"""The state of a training run on disk: tensors and numbers only, written whole."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from mlphonon.errors import TrainingError
from mlphonon.io.atomic_files import write_whole

FILE = "checkpoint.pt"
"""Name of the file in a run's folder."""

FORMAT = 2
"""Version of the layout. 1, which names none, lacks the best weights: the averaged ones of the same
moment stand for them until the next report."""


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write a state so that the earlier one stays until the new one is complete.

    Parameters
    ----------
    folder : Path
        Of the run.
    state : dict
        Tensors, numbers, text, and lists and dictionaries of these.

    Raises
    ------
    OSError
        If it cannot be written; the earlier one is still there then.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    write_whole(folder / FILE, buffer.getvalue())


def load_checkpoint(folder: Path, identity: list[str], device: str = "cpu") -> dict[str, Any]:
    """Read the state of a run, without unpickling code.

    Parameters
    ----------
    folder : Path
        Of the run.
    identity : list of str
        Digests of settings and data that it must belong to.
    device : str
        Where the tensors go.

    Raises
    ------
    TrainingError
        If it is damaged, of another version, or of another recipe or data set.
    """
    path = folder / FILE
    try:
        state = dict(torch.load(path, weights_only=True, map_location=device))
        version = state.setdefault("format", 1)
        if version == 1:
            state |= {"format": FORMAT, "best_weights": state["average"]}
    # torch meets what is no checkpoint, or one that holds code, with many kinds of exceptions.
    except Exception as error:
        raise TrainingError(
            f"cannot read the checkpoint {path}",
            (str(error).splitlines() or [type(error).__name__])[0],
            "move it away to begin anew",
        ) from error
    if state["format"] != FORMAT:
        raise TrainingError(
            f"{path} has format {version}, not {FORMAT}",
            "another version of mlphonon wrote it",
            "move it away to begin anew",
        )
    if state["identity"] != identity:
        raise TrainingError(
            f"{path} belongs to another recipe or data set",
            fix="give another output folder, or the recipe and data it was begun with",
        )
    return state
