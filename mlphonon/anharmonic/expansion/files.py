"""An expansion on disk: numbers as JSON, arrays as npz, a table, a figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mlphonon.anharmonic.expansion.result import Axes, ExpansionRecord, QuasiHarmonic
from mlphonon.errors import ResultError
from mlphonon.io.atomic_files import write_folder

FORMAT = 1
SUMMARY, ARRAYS, TABLE = "qha.json", "qha.npz", "expansion.csv"

COLUMNS = ("equilibrium_volumes", "expansion", "bulk_moduli", "heat_capacity", "gruneisen")
PLAIN = ("temperatures", "volumes", "static_energies", "helmholtz", *COLUMNS)


def save(result: QuasiHarmonic, folder: Path) -> Path:
    """Write every file of a result (see `QuasiHarmonic.save`)."""
    return write_folder(folder, SUMMARY, lambda part: _write(result, part))


def load(folder: Path) -> QuasiHarmonic:
    """Read a result back (see `QuasiHarmonic.load`)."""
    try:
        record = ExpansionRecord.model_validate(
            json.loads((folder / SUMMARY).read_text())["record"]
        )
        with np.load(folder / ARRAYS, allow_pickle=False) as found:
            parts: dict[str, Any] = {name: found[name] for name in PLAIN}
            parts["n_atoms"] = int(found["n_atoms"])
            parts["axes"] = None
            if "axes_lengths" in found:
                parts["axes"] = Axes(found["axes_lengths"], found["axes_expansions"])
    # numpy meets a damaged archive with any of several exceptions, zipfile's among them.
    except Exception as error:
        raise ResultError(
            f"{folder} does not hold a whole quasi-harmonic result",
            str(error).splitlines()[0] if str(error) else type(error).__name__,
            "give a folder that 'mlphonon qha' or QuasiHarmonic.save wrote",
        ) from error
    return QuasiHarmonic(**parts, record=record)


def _write(result: QuasiHarmonic, folder: Path) -> None:
    arrays: dict[str, Any] = {name: getattr(result, name) for name in PLAIN}
    arrays["n_atoms"] = result.n_atoms
    if result.axes is not None:
        arrays |= {
            "axes_lengths": result.axes.lengths,
            "axes_expansions": result.axes.expansions,
        }
    np.savez_compressed(folder / ARRAYS, allow_pickle=False, **arrays)
    text = json.dumps({"format": FORMAT} | result.summary(), indent=1) + "\n"
    (folder / SUMMARY).write_text(text)
    lines = ["temperature_K,volume_A3,expansion_per_K,B_GPa,C_P_J_per_K_mol_cell,gruneisen"]
    rows = np.column_stack([result.temperatures, *(getattr(result, name) for name in COLUMNS)])
    lines += [",".join(f"{x:.7g}" for x in row) for row in rows]
    (folder / TABLE).write_text("\n".join(lines) + "\n")
    result.plot(folder / "expansion.png")
