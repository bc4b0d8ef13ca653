"""Phonons of DFT that a potential is compared with, crystal by crystal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.evaluation.metrics.conductivity import Conductivity
from mlphonon.evaluation.metrics.spectrum import Spectrum

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy


@dataclass(frozen=True)
class ReferenceCrystal:
    """What DFT says of one crystal; what it does not say is None, and is not compared.

    Attributes
    ----------
    key : str
        Its name in the set, without spaces; unique there.
    atoms : Atoms
        The cell that `supercell_matrix` and `primitive_matrix` refer to, at DFT's minimum.
    supercell_matrix : ndarray, shape (3, 3), optional
        Of DFT's second-order force constants (phonopy's convention); where there is none, the
        protocol chooses.
    primitive_matrix : ndarray, shape (3, 3)
        phonopy's.
    qpoints : ndarray, shape (n_qpoints, 3), optional
        Of `spectrum`, in the reciprocal lattice of the primitive cell; None if that is a density
        of states.
    spectrum : Spectrum, optional
        DFT's frequencies there, with the weights of the mesh, or its density of states.
    properties : mapping of str to float
        Where DFT gives them and no spectrum: some of ``entropy``, ``heat_capacity`` (J/K) and
        ``free_energy`` (kJ) at 300 K, per mole of atoms.
    moduli : mapping of str to float
        Where they are known: ``bulk_modulus``, ``shear_modulus``, GPa, as Voigt, Reuss and Hill.
    force_constants : Phonopy, optional
        Of `atoms`, for all that needs eigenvectors.
    conductivity : Conductivity, optional
        On the q-points of `spectrum`, at 300 K.
    third_order_supercell : ndarray, shape (3, 3), optional
        Of DFT's third-order force constants.
    q_mesh : tuple of int, optional
        Whose irreducible points `qpoints` are.
    """

    key: str
    atoms: Atoms
    supercell_matrix: np.ndarray | None = None
    primitive_matrix: np.ndarray = field(default_factory=lambda: np.eye(3))
    qpoints: np.ndarray | None = None
    spectrum: Spectrum | None = None
    properties: Mapping[str, float] = field(default_factory=dict)
    moduli: Mapping[str, float] = field(default_factory=dict)
    force_constants: Phonopy | None = None
    conductivity: Conductivity | None = None
    third_order_supercell: np.ndarray | None = None
    q_mesh: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.qpoints is None:
            return
        if self.spectrum is None or self.qpoints.shape != (len(self.spectrum.weights), 3):
            n = 0 if self.spectrum is None else len(self.spectrum.weights)
            raise ValueError(f"{self.key}: q-points of shape {self.qpoints.shape} for {n} weights")


Crystals = Mapping[str, Callable[[], ReferenceCrystal]]
"""What reads each crystal of a set, by key: all keys are known before any crystal is read."""


@dataclass(frozen=True)
class ReferenceFile:
    """One file of a set.

    Attributes
    ----------
    path : str
        Where it lies in the folder of data.
    url : str, optional
        Where it can be had; None if only on a page with conditions or in an archive.
    sha256 : tuple of str
        Digests of its known editions; empty if none is known.
    """

    path: str
    url: str | None = None
    sha256: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReferenceSet:
    """A named set of references: where it is from, and how it is read.

    Attributes
    ----------
    name : str
        What it is called.
    description, source, licence, functional : str
        What is in it, where it is from, on what terms, and how it was computed.
    files : tuple of ReferenceFile
        What must be there.
    read : callable
        From the folder of data to its crystals; raises ResultError if a file is damaged, there or
        when the crystal is read.
    patterns : tuple of str
        Of a set with a file for each crystal: what the files that are there are found by, as
        `pathlib.Path.glob` has it.
    """

    name: str
    description: str
    source: str
    licence: str
    functional: str
    files: tuple[ReferenceFile, ...]
    read: Callable[[Path], Crystals]
    patterns: tuple[str, ...] = ()

    def paths(self, folder: Path) -> list[Path]:
        """Return the paths in a folder of data that are read, whether or not they are there."""
        found = {path for pattern in self.patterns for path in folder.glob(pattern)}
        # Hidden files are those of other programs, and downloads that have not ended.
        seen = sorted(path for path in found if path.is_file() and path.name[0] != ".")
        return [folder / file.path for file in self.files] + seen
