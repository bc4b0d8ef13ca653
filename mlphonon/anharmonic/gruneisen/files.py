"""Grueneisen parameters on disk: numbers as JSON, arrays as npz, a figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mlphonon.anharmonic.gruneisen.result import Gruneisen, GruneisenRecord
from mlphonon.errors import ResultError
from mlphonon.io.atomic_files import write_folder

FORMAT = 1
SUMMARY, ARRAYS = "gruneisen.json", "gruneisen.npz"

PLAIN = ("qpoints", "weights", "frequencies", "gamma")
PIECES = ("path_distances", "path_frequencies", "path_gamma")


def save(result: Gruneisen, folder: Path) -> Path:
    """Write every file of a result (see `Gruneisen.save`)."""
    return write_folder(folder, SUMMARY, lambda part: _write(result, part))


def load(folder: Path) -> Gruneisen:
    """Read a result back (see `Gruneisen.load`)."""
    try:
        record = GruneisenRecord.model_validate(
            json.loads((folder / SUMMARY).read_text())["record"]
        )
        with np.load(folder / ARRAYS, allow_pickle=False) as found:
            parts: dict[str, Any] = {name: found[name] for name in PLAIN}
            ends = np.cumsum(found["path_lengths"])[:-1]
            for name in PIECES:
                parts[name] = tuple(np.split(found[name], ends))
            parts["path_labels"] = tuple((str(a), str(b)) for a, b in found["path_labels"])
            parts["third_order"] = found.get("third_order", None)
    # numpy meets a damaged archive with any of several exceptions, zipfile's among them.
    except Exception as error:
        raise ResultError(
            f"{folder} does not hold whole Grueneisen parameters",
            str(error).splitlines()[0] if str(error) else type(error).__name__,
            "give a folder that 'mlphonon gruneisen' or Gruneisen.save wrote",
        ) from error
    return Gruneisen(**parts, record=record)


def _write(result: Gruneisen, folder: Path) -> None:
    arrays: dict[str, Any] = {name: getattr(result, name) for name in PLAIN}
    for name in PIECES:
        arrays[name] = np.concatenate(getattr(result, name))
    arrays["path_lengths"] = np.array([len(piece) for piece in result.path_distances])
    arrays["path_labels"] = np.array(result.path_labels, dtype=str)
    if result.third_order is not None:
        arrays["third_order"] = result.third_order
    np.savez_compressed(folder / ARRAYS, allow_pickle=False, **arrays)
    text = json.dumps({"format": FORMAT} | result.summary(), indent=1) + "\n"
    (folder / SUMMARY).write_text(text)
    result.plot(folder / "gruneisen.png")
