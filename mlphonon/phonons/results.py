"""What phonons are asked for: band structure, density of states, thermal properties."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

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

    def table(self) -> dict[str, np.ndarray]:
        """Return columns by name, per mole of atoms."""
        return {
            "temperature_K": self.temperatures,
            "F_kJ_per_mol_atoms": self.free_energy / self.n_atoms,
            "S_J_per_K_mol_atoms": self.entropy / self.n_atoms,
            "C_V_J_per_K_mol_atoms": self.heat_capacity / self.n_atoms,
        }


@dataclass(frozen=True)
class Spread:
    """A number that several potentials were asked for.

    Attributes
    ----------
    mean : float
        Over the potentials.
    std : float
        Standard deviation of a sample (n - 1 in the denominator).
    members : tuple of float
        What each potential says, in order.
    """

    mean: float
    std: float
    members: tuple[float, ...]

    @classmethod
    def of(cls, members: Iterable[float]) -> Spread:
        """Return mean and deviation of two numbers or more."""
        values = tuple(float(value) for value in members)
        return cls(float(np.mean(values)), float(np.std(values, ddof=1)), values)


@dataclass(frozen=True)
class BandSpread:
    """Phonon frequencies of several potentials along one path.

    Bands are told apart by their order, as in `BandStructure`.

    Attributes
    ----------
    mean : BandStructure
        Mean frequencies.
    std : tuple of ndarray, each of shape (n_q, n_bands)
        Standard deviation (n - 1 in the denominator), THz, of each straight piece.
    members : tuple of BandStructure
        What each potential says, at the same q-points and distances.
    """

    mean: BandStructure
    std: tuple[np.ndarray, ...]
    members: tuple[BandStructure, ...]

    @classmethod
    def of(cls, members: Sequence[BandStructure]) -> BandSpread:
        """Return mean and deviation of two band structures or more along the same path."""
        pieces = [np.array(piece) for piece in zip(*(m.frequencies for m in members), strict=True)]
        means, stds = (
            tuple(_read_only(take(piece)) for piece in pieces) for take in (_mean, _deviation)
        )
        return cls(replace(members[0], frequencies=means), stds, tuple(members))


@dataclass(frozen=True)
class ThermalSpread:
    """Thermal properties of several potentials at the same temperatures.

    Attributes
    ----------
    mean : ThermalProperties
        Mean values.
    std : ThermalProperties
        Standard deviations (n - 1 in the denominator), each in the unit of its quantity.
    members : tuple of ThermalProperties
        What each potential says.
    """

    mean: ThermalProperties
    std: ThermalProperties
    members: tuple[ThermalProperties, ...]

    @classmethod
    def of(cls, members: Sequence[ThermalProperties]) -> ThermalSpread:
        """Return mean and deviation of two sets or more at the same temperatures."""

        def combine(take: Callable[[np.ndarray], np.ndarray]) -> ThermalProperties:
            f, s, c = (
                _read_only(take(np.array([getattr(member, name) for member in members])))
                for name in ("free_energy", "entropy", "heat_capacity")
            )
            zero_point = take(np.array([member.zero_point_energy for member in members]))
            first = members[0]
            return ThermalProperties(first.temperatures, f, s, c, float(zero_point), first.n_atoms)

        return cls(combine(_mean), combine(_deviation), tuple(members))


def _mean(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.mean(axis=0))


def _deviation(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.std(axis=0, ddof=1))


def frozen(arrays: Iterable[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Return copies that cannot be written to, so that a result stays what it was."""
    return tuple(_read_only(np.array(array)) for array in arrays)


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
