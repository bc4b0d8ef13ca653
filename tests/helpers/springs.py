"""Spring models whose phonons are known: ASE calculators, and formulas for frequencies."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list
from scipy import constants

TO_THZ = np.sqrt(constants.e / constants.atomic_mass) / 1e-10 / (2 * np.pi) / 1e12
"""Frequency of sqrt((eV/A^2) / amu), THz (phonopy's own constant is not used)."""


class _Springs(Calculator):
    """Springs between neighbours; a subclass says how much each is stretched."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff

    def pull(self, z_i: np.ndarray, z_j: np.ndarray, bonds: np.ndarray) -> tuple[Any, Any]:
        """Energy of each bond (n,) and pull on its first atom (n, 3)."""
        raise NotImplementedError

    def calculate(
        self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        i, j, bonds = neighbor_list("ijD", atoms, self.cutoff)
        energy, pull = self.pull(atoms.numbers[i], atoms.numbers[j], bonds)
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, i, pull)
        # Every bond is met from both ends.
        virial = 0.5 * bonds.T @ pull / atoms.get_volume()
        self.results = {
            "energy": 0.5 * float(energy.sum()),
            "free_energy": 0.5 * float(energy.sum()),
            "forces": forces,
            "stress": (0.5 * (virial + virial.T)).ravel()[[0, 4, 8, 5, 2, 1]],
        }


class LatticeSprings(_Springs):
    """Exactly harmonic: E = 1/2 sum (r - d)^T K (r - d) over bonds r with ideal vectors d.

    ``K`` is `along` parallel to the bond and `across` perpendicular to it, eV/A^2. The ideal
    vectors stand in space, so the crystal must be in its standard orientation.
    """

    def __init__(self, vectors: np.ndarray, along: float, across: float) -> None:
        vectors = np.asarray(vectors, dtype=float)
        super().__init__(1.3 * float(np.linalg.norm(vectors, axis=1).max()))
        units = vectors / np.linalg.norm(vectors, axis=1)[:, None]
        outer = units[:, :, None] * units[:, None, :]
        self._vectors = vectors
        self._stiffness = along * outer + across * (np.eye(3) - outer)

    def pull(self, z_i: np.ndarray, z_j: np.ndarray, bonds: np.ndarray) -> tuple[Any, Any]:
        off = np.linalg.norm(bonds[:, None, :] - self._vectors, axis=2)
        nearest = off.argmin(axis=1)
        stretch = bonds - self._vectors[nearest]
        pull = np.einsum("nab,nb->na", self._stiffness[nearest], stretch)
        near = off.min(axis=1) < 0.25 * np.linalg.norm(self._vectors[nearest], axis=1)
        return 0.5 * (stretch * pull).sum(axis=1) * near, pull * near[:, None]


class NetworkSprings(_Springs):
    """Central springs between all near pairs of any crystal, at rest (nearly) as it stands.

    E = 1/2 sum K(d) (r - d)^2, d the shell of neighbours in the reference that comes nearest
    to r. It knows distances and species only, so it is invariant under rotation, translation
    and permutation. Shells less than 0.1 A apart are taken together.
    """

    def __init__(self, reference: Atoms, reach: float, stiffness: float = 8.0) -> None:
        super().__init__(reach)
        i, j, d = neighbor_list("ijd", reference, reach)
        pairs = np.sort(np.stack([reference.numbers[i], reference.numbers[j]]), axis=0).T
        self._rest: dict[tuple[int, int], np.ndarray] = {}
        for a, b in np.unique(pairs, axis=0):
            here = np.sort(d[(pairs == (a, b)).all(axis=1)])
            shells = np.split(here, np.flatnonzero(np.diff(here) > 0.1) + 1)
            if reach - here[-1] < 0.05:
                raise ValueError(f"the reach cuts a shell of {a}-{b}: {here[-1]}")
            self._rest[int(a), int(b)] = np.array([shell.mean() for shell in shells])
        self._nearest, self._stiffness = float(d.min()), stiffness

    def pull(self, z_i: np.ndarray, z_j: np.ndarray, bonds: np.ndarray) -> tuple[Any, Any]:
        length = np.linalg.norm(bonds, axis=1)
        rest = np.zeros_like(length)
        for (a, b), shells in self._rest.items():
            here = (np.minimum(z_i, z_j) == a) & (np.maximum(z_i, z_j) == b)
            rest[here] = shells[np.abs(length[here, None] - shells).argmin(axis=1)]
        stiffness = self._stiffness * (self._nearest / rest) ** 5
        tension = stiffness * (length - rest)
        return 0.5 * tension * (length - rest), (tension / length)[:, None] * bonds


class TabulatedHarmonic(Calculator):
    """Forces -Phi u from the force constants of a supercell that somebody else computed.

    It recognises the atoms of that supercell in any order and, given how the crystal was
    moved (x' = turn x + shift), at any place in space.
    """

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(
        self,
        supercell: Atoms,
        force_constants: np.ndarray,
        turn: np.ndarray | None = None,
        shift: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        self._supercell, self._force_constants = supercell, force_constants
        self._turn = np.eye(3) if turn is None else turn
        self._shift = np.zeros(3) if shift is None else shift

    def calculate(
        self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        # A smaller cell is the supercell with all its copies moved alike.
        here, cell = (atoms.positions - self._shift) @ self._turn, atoms.cell.array @ self._turn
        off = here - self._supercell.positions[:, None, :]
        fractional = off @ np.linalg.inv(cell)
        off = (fractional - np.rint(fractional)) @ cell
        like = np.linalg.norm(off, axis=2).argmin(axis=1)
        if (atoms.numbers[like] != self._supercell.numbers).any():
            raise ValueError("this is not the crystal that was tabulated")
        moved = off[np.arange(len(like)), like]
        forces = -np.einsum("ijab,jb->ia", self._force_constants, moved)
        found, first = np.unique(like, return_index=True)
        if len(found) != len(atoms):
            raise ValueError("this is not the supercell that was tabulated")
        self.results = {
            "energy": -0.5 * float((forces * moved).sum()) * len(atoms) / len(like),
            "forces": forces[first] @ self._turn.T,
        }


def simple_cubic(a: float, symbol: str = "Cu") -> Atoms:
    return Atoms(symbol, cell=a * np.eye(3), pbc=True)


def cubic_axes(length: float) -> np.ndarray:
    """The six vectors of `length` along the cubic axes."""
    return length * np.concatenate([np.eye(3), -np.eye(3)])


def fcc_neighbours(a: float) -> np.ndarray:
    """The twelve nearest-neighbour vectors of an fcc lattice."""
    signs = [v for v in itertools.product((-1, 0, 1), repeat=3) if np.abs(v).sum() == 2]
    return 0.5 * a * np.array(signs)


def simple_cubic_frequencies(
    q: np.ndarray, a: float, along: float, across: float, mass: float
) -> np.ndarray:
    """Frequencies (THz), unsorted: polarisation x, y, z; q in 1/A with 2 pi, shape (n, 3).

    m w_x^2 = 2 K (1 - cos q_x a) + 2 K' (2 - cos q_y a - cos q_z a), and so on.
    """
    wave = 1 - np.cos(np.atleast_2d(q) * a)
    squared = 2 * (along - across) * wave + 2 * across * wave.sum(axis=1, keepdims=True)
    return TO_THZ * np.sqrt(squared / mass)


def rocksalt_frequencies(
    q: np.ndarray, a: float, along: float, across: float, masses: tuple[float, float]
) -> np.ndarray:
    """Frequencies (THz), sorted, shape (n, 6); a is the conventional lattice constant.

    For each polarisation the textbook's diatomic chain, w^2 = S/2 -+ sqrt(S^2/4 - P), with
    S = A (1/m + 1/M), P = (A^2 - B^2) / (m M), A = 2 K + 4 K', B(q) = sum of 2 K cos(q a/2).
    """
    m, big_m = masses
    cosines = np.cos(np.atleast_2d(q) * a / 2)
    total = 2 * along + 4 * across
    b = 2 * (along - across) * cosines + 2 * across * cosines.sum(axis=1, keepdims=True)
    half = 0.5 * total * (1 / m + 1 / big_m)
    root = np.sqrt(half**2 - (total**2 - b**2) / (m * big_m))
    squared = np.concatenate([half - root, half + root], axis=1)
    return TO_THZ * np.sqrt(np.sort(np.maximum(squared, 0), axis=1))
