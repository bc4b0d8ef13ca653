"""A potential's phonons in the cell of the reference: q-points, atoms and axes brought together.

Ours are in the standardised primitive cell (relaxed, with its own axes, origin and order of
atoms), DFT's in whatever cell they were published in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import linear_sum_assignment

from mlphonon.crystal.crystal import Crystal
from mlphonon.evaluation.metrics.spectrum import Spectrum
from mlphonon.evaluation.references.reference import ReferenceCrystal
from mlphonon.phonons.phonons import Phonons
from mlphonon.system.threads import one_blas_thread

FARTHEST = 0.1
"""A; atoms of the same crystal in two settings lie on each other to far better than this."""


@dataclass(frozen=True)
class PhononMatch:
    """Phonons of a potential beside the crystal of DFT that they belong to."""

    phonons: Phonons
    crystal: Crystal
    reference: ReferenceCrystal

    @property
    def rows(self) -> np.ndarray:
        """Rows of DFT's primitive cell in terms of those of ours (up to a rotation): T, (3, 3)."""
        return np.asarray(self.reference.primitive_matrix).T @ self.crystal.given_matrix

    def to_ours(self, qpoints: np.ndarray) -> np.ndarray:
        """Bring q-points of DFT's reciprocal lattice to ours, shape (n, 3).

        A wave vector is the same where its products with the lattice vectors are: q = T^-1 q'.
        """
        return np.linalg.solve(self.rows, np.asarray(qpoints).T).T

    def to_dft(self, qpoints: np.ndarray) -> np.ndarray:
        """Bring q-points of our reciprocal lattice to DFT's, shape (n, 3)."""
        return np.asarray(qpoints) @ self.rows.T

    @cached_property
    def spectrum(self) -> Spectrum:
        """Our frequencies at the q-points of DFT, or on our own mesh if it has none."""
        reference = self.reference
        if reference.qpoints is None or reference.spectrum is None:
            return Spectrum(*self.phonons.mesh[1:])
        frequencies = self.phonons.frequencies(self.to_ours(reference.qpoints))
        return Spectrum(frequencies, reference.spectrum.weights)

    def band_order(self) -> np.ndarray:
        """Find our band that moves as each of DFT's does, shape (n_qpoints, n_bands).

        At each q-point the pairing of bands with the greatest sum of squared overlaps of
        eigenvectors, |e'. e|^2. DFT's force constants are needed.
        """
        qpoints = self.reference.qpoints
        theirs = self.reference.force_constants
        if qpoints is None or theirs is None:
            raise ValueError(f"{self.reference.key}: no eigenvectors of DFT")
        with one_blas_thread():
            dft = theirs.run_qpoints(qpoints, with_eigenvectors=True).eigenvectors
            ours = self.phonons.phonopy.run_qpoints(
                self.to_ours(qpoints), with_eigenvectors=True
            ).eigenvectors
        turned = self._in_dft_axes(np.asarray(ours))
        overlaps = np.abs(np.einsum("qab,qac->qbc", np.asarray(dft).conj(), turned)) ** 2
        return np.array([linear_sum_assignment(one, maximize=True)[1] for one in overlaps])

    def _in_dft_axes(self, eigenvectors: np.ndarray) -> np.ndarray:
        """Turn our eigenvectors, shape (n_q, 3 n_atoms, n_bands), and reorder their atoms.

        phonopy's phases are those of atomic positions, which are the same points in both cells;
        no phase is left but that of the origin, common to all atoms.
        """
        n_q, n, n_bands = eigenvectors.shape
        atoms = eigenvectors.reshape(n_q, n // 3, 3, n_bands)[:, self._our_atoms()]
        turned = np.einsum("ji,qajb->qaib", self.crystal.to_standard, atoms)
        return turned.reshape(n_q, n, n_bands)

    def _our_atoms(self) -> np.ndarray:
        """Index in our primitive cell of each atom of DFT's, shape (n_atoms,)."""
        theirs = self.reference.force_constants
        assert theirs is not None
        crystal, primitive = self.crystal, theirs.primitive
        places = primitive.positions @ crystal.to_standard.T + crystal.origin_shift
        apart = places[:, None] - crystal.atoms.positions[None]
        cell = crystal.atoms.cell.array
        fractional = np.linalg.solve(cell.T, apart.reshape(-1, 3).T).T
        fractional -= np.rint(fractional)
        distances = np.linalg.norm(fractional @ cell, axis=1).reshape(apart.shape[:2])
        distances[primitive.numbers[:, None] != crystal.atoms.numbers[None]] = np.inf
        found = distances.argmin(axis=1)
        if distances.min(axis=1).max() > FARTHEST or len(set(found)) != len(found):
            raise ValueError(f"{self.reference.key}: the atoms of the two cells do not match")
        return found


def reordered(ours: Spectrum, order: np.ndarray) -> np.ndarray:
    """Our frequencies in the order of DFT's bands, shape (n_qpoints, n_bands), THz."""
    return np.take_along_axis(ours.frequencies, order, axis=1)
