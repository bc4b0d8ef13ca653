"""Densities of states of JARVIS-DFT, in the two forms that are published.

On 66 points from -300 to 1000 1/cm (Gurunathan et al., Phys. Rev. Mater. 7, 023803 (2023)), and
in JARVIS's own `edos_pdos`, every 5 1/cm from 0, without imaginary modes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from mlphonon.errors import ResultError
from mlphonon.evaluation.references.densities import spectrum_of_density
from mlphonon.evaluation.references.keys import by_key, make_key
from mlphonon.evaluation.references.reference import Crystals, ReferenceCrystal, ReferenceSet
from mlphonon.readers.reading import read_json, reading
from mlphonon.units import CM_PER_THZ

GRIDS = {66: np.linspace(-300, 1000, 66), 200: 5.0 * np.arange(200), 201: 5.0 * np.arange(201)}
"""Wave numbers by how many there are, 1/cm."""


def read_jarvis(folder: Path) -> Crystals:
    """Read the crystals that have a density of states.

    Parameters
    ----------
    folder : Path
        Holds ``jarvis-dos/``.

    Raises
    ------
    ResultError
        If a file is damaged, or a density is on a grid that is not known.
    """
    return by_key((pair for path in JARVIS_DOS.paths(folder) for pair in _entries(path)), folder)


def _entries(path: Path) -> Iterator[tuple[str, partial[ReferenceCrystal]]]:
    entries = read_json(path)
    with reading(path):
        for entry in entries:
            key, density = make_key(entry["jid"]), entry["pdos_elast"]
            # Crystals without phonons are there for their electrons.
            if density == "na":
                continue
            if len(density) not in GRIDS:
                raise ResultError(
                    f"{path} is no density of states of JARVIS-DFT as mlphonon knows them",
                    f"that of {key} has {len(density)} values and not {_one_of(list(GRIDS))}",
                    "see 'mlphonon benchmark list' for where they are from",
                )
            yield key, partial(_crystal, path, key, entry)


def _one_of(numbers: list[int]) -> str:
    return f"{', '.join(str(n) for n in numbers[:-1])} or {numbers[-1]}"


def _crystal(path: Path, key: str, entry: Mapping[str, Any]) -> ReferenceCrystal:
    with reading(path, key):
        given, density = entry["atoms"], entry["pdos_elast"]
        where = "positions" if given["cartesian"] else "scaled_positions"
        return ReferenceCrystal(
            key=key,
            atoms=Atoms(
                given["elements"],
                cell=given["lattice_mat"],
                pbc=True,
                **{where: given["coords"]},
            ),
            spectrum=spectrum_of_density(GRIDS[len(density)] / CM_PER_THZ, density),
        )


JARVIS_DOS = ReferenceSet(
    name="jarvis-dos",
    description="JARVIS-DFT, densities of states every 20 (or 5) 1/cm, not beyond 1000 1/cm",
    source="PhononData-Freq-300_1000_20.json (Gurunathan et al., Phys. Rev. Mater. 7, 023803"
    " (2023)), or JARVIS's 'edos_pdos' (https://jarvis.nist.gov)",
    licence="see https://jarvis.nist.gov",
    functional="OptB88vdW",
    files=(),
    read=read_jarvis,
    patterns=("jarvis-dos/*.json", "jarvis-dos/*.json.gz", "jarvis-dos/*.json.zip"),
)
