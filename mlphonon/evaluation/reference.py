"""Phonons of DFT that a potential is compared with, crystal by crystal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.evaluation.metrics import Spectrum

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class ReferenceCrystal:
    """What DFT says of one crystal.

    Attributes
    ----------
    key : str
        Its name in the set, without spaces; unique there.
    atoms : Atoms
        The cell that `supercell_matrix` and `primitive_matrix` refer to, at DFT's minimum.
    supercell_matrix : ndarray, shape (3, 3)
        Of DFT's second-order force constants (phonopy's convention).
    primitive_matrix : ndarray, shape (3, 3)
        phonopy's.
    qpoints : ndarray, shape (n_qpoints, 3)
        In the reciprocal lattice of the primitive cell.
    spectrum : Spectrum
        DFT's frequencies there, with the weights of the mesh.
    """

    key: str
    atoms: Atoms
    supercell_matrix: np.ndarray
    primitive_matrix: np.ndarray
    qpoints: np.ndarray
    spectrum: Spectrum

    def __post_init__(self) -> None:
        if self.qpoints.shape != (len(self.spectrum.weights), 3):
            raise ValueError(
                f"{self.key}: q-points of shape {self.qpoints.shape} for"
                f" {len(self.spectrum.weights)} weights"
            )


@dataclass(frozen=True)
class ReferenceSet:
    """A named set of references: where it is from, and how it is read.

    Attributes
    ----------
    name : str
        What it is called.
    description, source, licence, functional : str
        What is in it, where it is from, on what terms, and how it was computed.
    files : mapping of str to str
        SHA-256 of each file, by its path in the folder of data.
    read : callable
        From that folder to the crystals.
    """

    name: str
    description: str
    source: str
    licence: str
    functional: str
    files: dict[str, str]
    read: Callable[[Path], Iterator[ReferenceCrystal]]
