"""Running phonopy's own programs, and reading what they write."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml


def run_phonopy(folder: Path, *arguments: str) -> str:
    """Run ``phonopy-load`` in a folder, in a process of its own."""
    return run_program("phonopy-load", folder, *arguments)


def run_program(name: str, folder: Path, *arguments: str) -> str:
    """Run a program of this environment in a folder; returns what it printed."""
    program = Path(sys.executable).parent / name
    threads = {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    environment = os.environ | threads | {"MPLBACKEND": "agg"}
    done = subprocess.run(
        [str(program), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def read_yaml(path: Path) -> dict:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(), Loader=loader)


def read_bands(path: Path) -> list[dict]:
    return read_yaml(path)["phonon"]


def read_band_yaml(path: Path) -> np.ndarray:
    """Frequencies, THz, of band.yaml, mesh.yaml or qpoints.yaml, shape (n_q, n_bands)."""
    return np.array([[band["frequency"] for band in q["band"]] for q in read_bands(path)])
