"""A calculation as phonopy wrote it in 2018: rocksalt held by springs, in text files."""

from __future__ import annotations

import io
import lzma
import tarfile
from functools import cache
from pathlib import Path

import numpy as np
from phonopy import Phonopy
from phonopy.file_IO import get_FORCE_SETS_lines
from phonopy.interface.vasp import get_vasp_structure_lines
from phonopy.structure.atoms import PhonopyAtoms

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


@cache
def rocksalt() -> Phonopy:
    """NaCl-like, springs to six neighbours of each ion, stiffer along than across."""
    points = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    cell = PhonopyAtoms(
        symbols=["Na"] * 4 + ["Cl"] * 4,
        cell=5.6 * np.eye(3),
        scaled_positions=np.concatenate([points, (points + 0.5) % 1]),
    )
    phonopy = Phonopy(cell, np.diag([2, 2, 2]), primitive_matrix=FCC, log_level=0)
    phonopy.generate_displacements(distance=0.01)
    constants = springs(phonopy.supercell)
    phonopy.forces = [
        -np.einsum("ijab,jb->ia", constants, each.positions - phonopy.supercell.positions)
        for each in phonopy.supercells_with_displacements
    ]
    phonopy.produce_force_constants()
    return phonopy


def springs(cell: PhonopyAtoms) -> np.ndarray:
    n = len(cell)
    found = np.zeros((n, n, 3, 3))
    for i in range(n):
        away = cell.scaled_positions - cell.scaled_positions[i]
        vectors = (away - np.rint(away)) @ cell.cell
        for j in np.flatnonzero(np.abs(np.linalg.norm(vectors, axis=1) - 2.8) < 0.1):
            unit = vectors[j] / 2.8
            found[i, j] = -(2.0 * np.outer(unit, unit) + 0.3 * np.eye(3))
    for i in range(n):
        found[i, i] = -found[i].sum(axis=0)
    return found


def classic_files() -> dict[str, str]:
    """Return the files of the calculation by their names."""
    return {
        "POSCAR-unitcell": "\n".join(get_vasp_structure_lines(rocksalt().unitcell)),
        "phonopy.conf": "# as of 2018\nDIM = 2 0 0 0 2 0 0 0 2\n"
        "PRIMITIVE_AXIS = 0 1/2 1/2 1/2 0 1/2 1/2 1/2 0\n",
        "FORCE_SETS": "\n".join(get_FORCE_SETS_lines(rocksalt().dataset)),
        "BORN": BORN,
    }


BORN = """# epsilon and Z* of atoms 1 2
2.5 0 0 0 2.5 0 0 0 2.5
1.1 0 0 0 1.1 0 0 0 1.1
-1.1 0 0 0 -1.1 0 0 0 -1.1
"""


def write_archive(path: Path, files: dict[str, str]) -> Path:
    """Write files into a .tar.lzma, in a folder, as the database does."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"mp-1-20180417/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    path.write_bytes(lzma.compress(packed.getvalue(), format=lzma.FORMAT_ALONE))
    return path
