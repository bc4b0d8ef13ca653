"""The 10,000 compounds of the MDR phonon database, in PBE and in PBEsol.

PBE: Loew et al., npj Comput. Mater. 11, 178 (2025), who computed them anew. PBEsol: the database
itself (A. Togo, NIMS, https://doi.org/10.48505/nims.4197). Both are phonopy's YAML, a file for
each compound.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mlphonon.evaluation.references.calculation import crystal_of
from mlphonon.evaluation.references.keys import by_key, make_key
from mlphonon.evaluation.references.reference import Crystals, ReferenceCrystal, ReferenceSet
from mlphonon.readers.phonopy_calculation import load_phonopy
from mlphonon.readers.reading import reading, stem_of

MESH = (20, 20, 20)
"""Of the paper, along the reciprocal vectors of each primitive cell."""


def read_mdr(functional: str, folder: Path) -> Crystals:
    """List the compounds, each to be read from its file.

    Parameters
    ----------
    functional : str
        ``"pbe"`` or ``"pbesol"``.
    folder : Path
        Holds ``mdr-10k/``.

    Raises
    ------
    ResultError
        If two files are of one compound.
    """
    paths = {"pbe": MDR_10K_PBE, "pbesol": MDR_10K_PBESOL}[functional].paths(folder)
    return by_key(((_key(path), partial(read_compound, path)) for path in paths), folder)


def read_compound(path: Path) -> ReferenceCrystal:
    """Read one compound and compute its frequencies, without the non-analytical term.

    Raises
    ------
    ResultError
        If the file is damaged.
    """
    # A file that names no primitive cell is of a unit cell that DFT took for one.
    phonopy = load_phonopy(path, find_primitive=False)
    with reading(path):
        return crystal_of(phonopy, _key(path), MESH)


def _key(path: Path) -> str:
    """Return the name of the file, or that of its folder where all files have phonopy's name."""
    stem = stem_of(path)
    return make_key(path.parent.name if stem.startswith("phonopy") else stem)


def _patterns(functional: str) -> tuple[str, ...]:
    return tuple(f"mdr-10k/{functional}/**/*.yaml{end}" for end in ("", ".xz", ".bz2", ".gz"))


MDR_10K_PBE = ReferenceSet(
    name="mdr-10k-pbe",
    description="10,000 compounds of the MDR phonon database, computed anew",
    source="https://alexandria.icams.rub.de/data/phonon_benchmark/pbe/<mp-id>.yaml.bz2"
    " (Loew et al., npj Comput. Mater. 11, 178 (2025))",
    licence="CC BY 4.0",
    functional="PBE",
    files=(),
    read=partial(read_mdr, "pbe"),
    patterns=_patterns("pbe"),
)

MDR_10K_PBESOL = ReferenceSet(
    name="mdr-10k-pbesol",
    description="10,000 compounds of the MDR phonon database",
    source="https://doi.org/10.48505/nims.4197 (A. Togo, NIMS), <mp-id>/phonopy_params.yaml.xz",
    licence="CC BY 4.0",
    functional="PBEsol",
    files=(),
    read=partial(read_mdr, "pbesol"),
    patterns=_patterns("pbesol"),
)
