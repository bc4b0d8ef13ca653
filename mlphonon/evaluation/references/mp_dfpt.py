"""Densities of states by perturbation theory, from the Materials Project.

Petretto et al., Sci. Data 5, 180065 (2018): 1,521 semiconductors and insulators, ABINIT, PBEsol.
The form that is public now is the project's open data, one JSON file for each compound.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mlphonon.evaluation.references.densities import spectrum_of_density
from mlphonon.evaluation.references.keys import by_key, make_key
from mlphonon.evaluation.references.reference import Crystals, ReferenceCrystal, ReferenceSet
from mlphonon.evaluation.references.structures import atoms_of
from mlphonon.readers.reading import read_json, reading, stem_of


def read_mp_dfpt(folder: Path) -> Crystals:
    """List the compounds, each to be read from its file.

    Parameters
    ----------
    folder : Path
        Holds ``mp-dfpt/``.

    Raises
    ------
    ResultError
        If two files are of one compound.
    """
    return by_key(
        ((make_key(stem_of(path)), partial(_crystal, path)) for path in MP_DFPT.paths(folder)),
        folder,
    )


def _crystal(path: Path) -> ReferenceCrystal:
    """Read the total density of states; its frequencies are THz."""
    found = read_json(path)
    with reading(path):
        return ReferenceCrystal(
            key=make_key(stem_of(path)),
            atoms=atoms_of(found["structure"]),
            spectrum=spectrum_of_density(found["frequencies"], found["densities"]),
        )


MP_DFPT = ReferenceSet(
    name="mp-dfpt",
    description="1,521 semiconductors and insulators, densities of states by perturbation theory;"
    " they include the non-analytical term, which shifts those of polar crystals",
    source="https://materialsproject-parsed.s3.amazonaws.com/ph-dos/dfpt/<mp-id>.json.gz"
    " (Petretto et al., Sci. Data 5, 180065 (2018))",
    licence="CC BY 4.0",
    functional="PBEsol",
    files=(),
    read=read_mp_dfpt,
    patterns=("mp-dfpt/ph-dos/*.json", "mp-dfpt/ph-dos/*.json.gz"),
)
