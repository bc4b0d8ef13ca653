"""Force constants as a reference: their frequencies on a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.evaluation.metrics.spectrum import Spectrum
from mlphonon.evaluation.references.reference import ReferenceCrystal
from mlphonon.force_constants.cells import to_ase

if TYPE_CHECKING:
    from phonopy import Phonopy

MEMORY = 1 << 27
"""Bytes of dynamical matrices that are held at once."""


def crystal_of(phonopy: Phonopy, key: str, mesh: float | Sequence[int]) -> ReferenceCrystal:
    """Make a reference of force constants: frequencies on a Gamma-centred mesh.

    Parameters
    ----------
    phonopy : Phonopy
        With force constants, in A and eV.
    key : str
        Its name.
    mesh : float or sequence of int
        Numbers of q-points along the reciprocal vectors of the primitive cell, or the length (A)
        that sets them.
    """
    qpoints, spectrum = _on_mesh(phonopy, mesh)
    return ReferenceCrystal(
        key=key,
        atoms=to_ase(phonopy.unitcell),
        supercell_matrix=np.asarray(phonopy.supercell_matrix),
        primitive_matrix=np.asarray(phonopy.primitive_matrix),
        qpoints=qpoints,
        spectrum=spectrum,
        force_constants=phonopy,
    )


def _on_mesh(phonopy: Phonopy, mesh: float | Sequence[int]) -> tuple[np.ndarray, Spectrum]:
    # Even numbers would be shifted off Gamma, which breaks the symmetry of some lattices.
    phonopy.init_mesh(mesh, is_gamma_center=True)
    qpoints, weights = np.array(phonopy.mesh.qpoints), np.array(phonopy.mesh.weights)
    # phonopy would hold the matrices of all q-points at once: gigabytes for a large cell.
    at_once = max(1, MEMORY // (16 * (3 * len(phonopy.primitive)) ** 2))
    frequencies = []
    for first in range(0, len(qpoints), at_once):
        phonopy.run_qpoints(qpoints[first : first + at_once])
        frequencies.append(np.array(phonopy.qpoints.frequencies))
    return qpoints, Spectrum(np.concatenate(frequencies), weights)
