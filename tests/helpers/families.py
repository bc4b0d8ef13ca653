"""Potentials of other programs, installed as a user would install them, once for all runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlphonon import install_potential, load_potential
from mlphonon.potentials.named.catalogue import find_entry
from mlphonon.potentials.potential import Potential

ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("MLPHONON_TEST_CACHE", ROOT / ".families"))
"""Environments take minutes and gigabytes: they are kept between runs ("make clean" drops them)."""


def weights_of(name: str) -> Path | None:
    """Where the weights that its package does not bring are; the test is skipped without."""
    entry = find_entry(name)
    if entry.source == "environment":
        return None
    data = Path(os.environ.get("MLPHONON_DATA", ROOT.parent / "shared" / "data")) / "potentials"
    for folder in (data, data / "matgl"):
        if (folder / str(entry.filename)).exists():
            return folder / str(entry.filename)
    pytest.skip(f"no {entry.filename} in {data}")


def installed(name: str, dtype: str = "float64") -> Potential:
    """Install a potential of the catalogue and load it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLPHONON_CACHE", str(CACHE))
        patch.delenv("MLPHONON_OFFLINE", raising=False)
        install_potential(name, weights=weights_of(name))
        return load_potential(name, device="cpu", dtype=dtype)
