"""Heat capacities of binary compounds from the Alexandria database, as matcalc tests with them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mlphonon.evaluation.references.keys import by_key, make_key
from mlphonon.evaluation.references.reference import (
    Crystals,
    ReferenceCrystal,
    ReferenceFile,
    ReferenceSet,
)
from mlphonon.evaluation.references.structures import atoms_of
from mlphonon.readers.reading import read_json, reading
from mlphonon.units import GAS_CONSTANT

# The digest is that of an excerpt of 519 compounds.
FILE = ReferenceFile(
    "alexandria-binary/alexandria-binary-pbe-phonon-2025.1.json.gz",
    None,
    ("a748d23a116fcfe8bbb6728145abd2d9a832e573d5268badcf839d5fda8bb309",),
)


def read_alexandria(folder: Path) -> Crystals:
    """Read the compounds with their C_V at 300 K.

    The file has J/K per mole of the cell that it gives, which need not be primitive.

    Parameters
    ----------
    folder : Path
        Holds ``alexandria-binary/``.

    Raises
    ------
    ResultError
        If the file is damaged.
    """
    path = folder / FILE.path
    entries = read_json(path)
    with reading(path):
        return by_key(
            (
                (key, partial(_crystal, path, key, entry))
                for entry in entries
                for key in [make_key(f"{entry['formula']}_{entry['mp_id']}")]
            ),
            path,
        )


def _crystal(path: Path, key: str, entry: Mapping[str, Any]) -> ReferenceCrystal:
    with reading(path, key):
        atoms = atoms_of(entry["structure"])
        heat_capacity = float(entry["heat_capacity"]) / len(atoms)
        # In other units, or of another cell, it would be far outside.
        if not 0 < heat_capacity < 1.001 * 3 * GAS_CONSTANT:
            raise ValueError(f"no crystal has C_V = {heat_capacity} J/K per mole of atoms")
        return ReferenceCrystal(key, atoms, properties={"heat_capacity": heat_capacity})


ALEXANDRIA_BINARY = ReferenceSet(
    name="alexandria-binary",
    description="binary compounds with their heat capacity at 300 K and no frequencies",
    source="benchmark_data of https://github.com/materialsvirtuallab/matcalc"
    " (DFT: Loew et al., npj Comput. Mater. 11, 178 (2025))",
    licence="CC BY 4.0",
    functional="PBE",
    files=(FILE,),
    read=read_alexandria,
)
