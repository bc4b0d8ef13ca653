"""A heat conductivity on disk: numbers as JSON, arrays as npz, a table, a figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mlphonon.anharmonic.conductivity.result import (
    Accumulation,
    ConductivityRecord,
    HeatConductivity,
)
from mlphonon.errors import ResultError
from mlphonon.io.atomic_files import write_folder

FORMAT = 1
SUMMARY, ARRAYS, TABLE = "conductivity.json", "conductivity.npz", "kappa.csv"

PLAIN = (
    "kappa",
    "coherences",
    "qpoints",
    "weights",
    "frequencies",
    "group_velocities",
    "linewidths",
    "mode_kappa",
)
AXES = ("by_frequency", "by_mean_free_path")
PARTS = ("points", "cumulative", "density")


def save(result: HeatConductivity, folder: Path) -> Path:
    """Write every file of a result (see `HeatConductivity.save`)."""
    return write_folder(folder, SUMMARY, lambda part: _write(result, part))


def load(folder: Path) -> HeatConductivity:
    """Read a result back (see `HeatConductivity.load`)."""
    try:
        summary = json.loads((folder / SUMMARY).read_text())
        record = ConductivityRecord.model_validate(summary["record"])
        with np.load(folder / ARRAYS, allow_pickle=False) as found:
            parts: dict[str, Any] = {name: found[name] for name in PLAIN}
            for axis in AXES:
                parts[axis] = Accumulation(*(found[f"{axis}_{part}"] for part in PARTS))
    # numpy meets a damaged archive with any of several exceptions, zipfile's among them.
    except Exception as error:
        raise ResultError(
            f"{folder} does not hold a whole heat conductivity",
            str(error).splitlines()[0] if str(error) else type(error).__name__,
            "give a folder that 'mlphonon conductivity' or HeatConductivity.save wrote",
        ) from error
    return HeatConductivity(**parts, record=record)


def _write(result: HeatConductivity, folder: Path) -> None:
    arrays = {name: getattr(result, name) for name in PLAIN}
    for axis in AXES:
        for part in PARTS:
            arrays[f"{axis}_{part}"] = getattr(getattr(result, axis), part)
    np.savez_compressed(folder / ARRAYS, allow_pickle=False, **arrays)
    text = json.dumps({"format": FORMAT} | result.summary(), indent=1) + "\n"
    (folder / SUMMARY).write_text(text)
    lines = ["temperature_K,xx,yy,zz,yz,xz,xy,coherences_average"]
    coherences = np.trace(result.coherences, axis1=1, axis2=2) / 3
    for t, k, c in zip(result.temperatures, result.kappa, coherences, strict=True):
        six = (k[0, 0], k[1, 1], k[2, 2], k[1, 2], k[0, 2], k[0, 1])
        lines.append(f"{t:g}," + ",".join(f"{x:.6g}" for x in (*six, c)))
    (folder / TABLE).write_text("\n".join(lines) + "\n")
    result.plot(folder / "conductivity.png")
