"""What phonons are asked for: band structure, density of states, thermal properties."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BandStructure:
    """Phonon frequencies along a path through the Brillouin zone.

    Attributes
    ----------
    segments : tuple of ndarray, each of shape (n_q, 3)
        q-points of each straight piece, in reciprocal lattice vectors of the primitive cell.
    distances : tuple of ndarray, each of shape (n_q,)
        Distance along the path, 1/A (no factor 2 pi), continuous over the pieces.
    frequencies : tuple of ndarray, each of shape (n_q, n_bands)
        Frequencies, THz; imaginary ones are negative.
    labels : tuple of (str, str)
        Names of the first and last point of each piece, e.g. ``("GAMMA", "X")``.
    """

    segments: tuple[np.ndarray, ...]
    distances: tuple[np.ndarray, ...]
    frequencies: tuple[np.ndarray, ...]
    labels: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        lengths = {len(self.segments), len(self.distances), len(self.frequencies), len(self.labels)}
        if len(lengths) != 1:
            raise ValueError("segments, distances, frequencies and labels differ in number")
        for q, d, f in zip(self.segments, self.distances, self.frequencies, strict=True):
            if q.shape != (len(d), 3) or f.shape[0] != len(d):
                raise ValueError(f"shapes {q.shape}, {d.shape}, {f.shape} do not fit")


@dataclass(frozen=True)
class DensityOfStates:
    """Phonon density of states of the primitive cell.

    Attributes
    ----------
    frequencies : ndarray, shape (n,)
        Frequencies, THz.
    total : ndarray, shape (n,)
        Density, states/THz per primitive cell; integrates to 3 n_atoms.
    projected : ndarray, shape (n_atoms, n), optional
        Share of each atom of the primitive cell; sums to `total`.
    symbols : tuple of str
        Chemical symbols of the atoms of the primitive cell.
    """

    frequencies: np.ndarray
    total: np.ndarray
    symbols: tuple[str, ...]
    projected: np.ndarray | None = None

    def by_element(self) -> dict[str, np.ndarray]:
        """Return the projected density summed over the atoms of each element, states/THz."""
        if self.projected is None:
            raise ValueError("this density of states was computed without projections")
        names = np.array(self.symbols)
        return {s: self.projected[names == s].sum(axis=0) for s in dict.fromkeys(self.symbols)}


@dataclass(frozen=True)
class ThermalProperties:
    """Harmonic thermodynamics at constant volume, per mole of primitive cells.

    Attributes
    ----------
    temperatures : ndarray, shape (n,)
        K.
    free_energy : ndarray, shape (n,)
        Helmholtz free energy of the vibrations, kJ/mol, zero-point energy included.
    entropy : ndarray, shape (n,)
        J/K/mol.
    heat_capacity : ndarray, shape (n,)
        C_V, J/K/mol.
    zero_point_energy : float
        kJ/mol.
    n_atoms : int
        Atoms in the primitive cell; divide by it for values per mole of atoms.
    """

    temperatures: np.ndarray
    free_energy: np.ndarray
    entropy: np.ndarray
    heat_capacity: np.ndarray
    zero_point_energy: float
    n_atoms: int
