"""phononDB-103: rock salt, zincblende and wurtzite crystals, as the kappa benchmark has them.

Three files of the k_SRME project (Pota et al., arXiv:2408.00755; DFT: phononDB, Togo, NIMS MDR,
CC BY 4.0): structures with their supercells, and frequencies and heat conductivities at 300 K on
irreducible meshes, with and without the non-analytical term.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from mlphonon.evaluation.metrics.conductivity import Conductivity
from mlphonon.evaluation.metrics.spectrum import Spectrum
from mlphonon.evaluation.references.keys import by_key, make_key
from mlphonon.evaluation.references.reference import (
    Crystals,
    ReferenceCrystal,
    ReferenceFile,
    ReferenceSet,
)
from mlphonon.readers.reading import read_json, reading

COMMIT = "1f853887434c860d93b0c13dd575a08d13fe0e4c"
URL = f"https://raw.githubusercontent.com/MPA2suite/k_SRME/{COMMIT}/data"

# The digests are those of an excerpt of 60 crystals.
STRUCTURES = ReferenceFile(
    "phonondb103/phononDB-PBE-structures.extxyz",
    f"{URL}/phononDB-PBE-structures.extxyz",
    ("e77ec62828ab32fb647f428cb60024cd62a8226df5bfe520fa4af14305f0b782",),
)
PLAIN = ReferenceFile(
    "phonondb103/kappas_phononDB_PBE_noNAC.json.gz",
    f"{URL}/kappas_phononDB_PBE_noNAC.json.gz",
    ("46dcbdd695641344034ef1bba890c220580591c1d310a9d9a558dad643916d07",),
)
NAC = ReferenceFile(
    "phonondb103/kappas_phononDB_PBE_NAC.json.gz",
    None,
    ("540201c9fee2de99fe688a8eac0b46f42282aa7dd8122690e5120a81907412f1",),
)


def read_phonondb(file: ReferenceFile, folder: Path) -> Crystals:
    """Read the crystals with their frequencies and conductivities.

    Parameters
    ----------
    file : ReferenceFile
        `PLAIN` or `NAC`.
    folder : Path
        Holds ``phonondb103/``.

    Raises
    ------
    ResultError
        If a file is damaged.
    """
    from ase.io import read

    path = folder / file.path
    columns = read_json(path)
    with reading(path):
        rows = {mp_id: row for row, mp_id in columns["mp_id"].items()}
    with reading(folder / STRUCTURES.path):
        crystals = [
            (make_key(f"{atoms.info['name']}_{atoms.info['mp_id']}"), atoms)
            for atoms in read(folder / STRUCTURES.path, index=":", format="extxyz")
        ]
    return by_key(
        (
            (key, partial(_crystal, path, key, atoms, columns, rows[atoms.info["mp_id"]]))
            for key, atoms in crystals
            if atoms.info["mp_id"] in rows
        ),
        folder / STRUCTURES.path,
    )


def _crystal(
    path: Path, key: str, atoms: Atoms, columns: Mapping[str, Any], row: str
) -> ReferenceCrystal:
    with reading(path, key):
        weights = np.array(columns["weights"][row])
        q_mesh = columns["q_mesh"][row]
        return ReferenceCrystal(
            key=key,
            atoms=atoms,
            supercell_matrix=np.array(atoms.info["fc2_supercell"], dtype=int),
            # Wurtzite cells are primitive already and name none.
            primitive_matrix=np.array(atoms.info.get("primitive_matrix", np.eye(3)), dtype=float),
            qpoints=np.array(columns["qpoints"][row]),
            spectrum=Spectrum(np.array(columns["frequencies"][row]), weights),
            conductivity=Conductivity(
                total=float(columns["kappa_TOT_ave"][row][0]),
                modes=np.array(columns["mode_kappa_TOT_ave"][row][0]),
                n_mesh=int(weights.sum()),
            ),
            third_order_supercell=np.array(atoms.info["fc3_supercell"], dtype=int),
            q_mesh=(int(q_mesh[0]), int(q_mesh[1]), int(q_mesh[2])),
        )


PHONONDB_103 = ReferenceSet(
    name="phonondb-103",
    description="rock salt, zincblende and wurtzite crystals; frequencies and heat conductivity"
    " on 19x19x19 meshes, without the non-analytical term",
    source="https://github.com/MPA2suite/k_SRME (Pota et al., arXiv:2408.00755)",
    licence="CC BY 4.0",
    functional="PBE",
    files=(STRUCTURES, PLAIN),
    read=partial(read_phonondb, PLAIN),
)

PHONONDB_103_NAC = ReferenceSet(
    name="phonondb-103-nac",
    description="phonondb-103 with the non-analytical term in DFT's frequencies; a potential"
    " without charges has none, so this shows what leaving it out costs",
    source="the authors of https://github.com/MPA2suite/k_SRME (Pota et al., arXiv:2408.00755)",
    licence="CC BY 4.0",
    functional="PBE",
    files=(STRUCTURES, NAC),
    read=partial(read_phonondb, NAC),
)
