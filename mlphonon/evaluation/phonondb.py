"""phononDB-103: rock salt, zincblende and wurtzite crystals, as the kappa benchmark has them.

Three files of the k_SRME repository (Pota et al., arXiv:2408.00755; DFT: phononDB, Togo, NIMS MDR,
CC BY 4.0): structures with their supercells, and frequencies on irreducible meshes with and
without the non-analytical term.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mlphonon.evaluation.metrics import Spectrum
from mlphonon.evaluation.reference import ReferenceCrystal, ReferenceSet

STRUCTURES = "phonondb103/phononDB-PBE-structures.extxyz"
PLAIN = "phonondb103/kappas_phononDB_PBE_noNAC.json.gz"


def read_phonondb(folder: Path) -> Iterator[ReferenceCrystal]:
    """Read the crystals and their frequencies without the non-analytical term.

    Parameters
    ----------
    folder : Path
        Holds ``phonondb103/``.
    """
    from ase.io import iread

    with gzip.open(folder / PLAIN, "rt", encoding="utf-8") as file:
        columns = json.load(file)
    rows = {mp_id: row for row, mp_id in columns["mp_id"].items()}
    for atoms in iread(folder / STRUCTURES):
        mp_id = str(atoms.info["mp_id"])
        if mp_id not in rows:
            continue
        row = rows[mp_id]
        yield ReferenceCrystal(
            key=f"{atoms.info['name']}_{mp_id}",
            atoms=atoms,
            supercell_matrix=np.array(atoms.info["fc2_supercell"], dtype=int),
            # Wurtzite cells are primitive already and name none.
            primitive_matrix=np.array(atoms.info.get("primitive_matrix", np.eye(3)), dtype=float),
            qpoints=np.array(columns["qpoints"][row]),
            spectrum=Spectrum(
                np.array(columns["frequencies"][row]), np.array(columns["weights"][row])
            ),
        )


PHONONDB_103 = ReferenceSet(
    name="phonondb-103",
    description="rock salt, zincblende and wurtzite crystals; frequencies on 19x19x19 meshes",
    source="https://github.com/MPA2suite/k_SRME",
    licence="CC BY 4.0",
    functional="PBE",
    files={
        STRUCTURES: "e77ec62828ab32fb647f428cb60024cd62a8226df5bfe520fa4af14305f0b782",
        PLAIN: "46dcbdd695641344034ef1bba890c220580591c1d310a9d9a558dad643916d07",
    },
    read=read_phonondb,
)
