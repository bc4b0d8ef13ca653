"""A crystal of independent anharmonic wells, whose self-consistent phonons are known exactly.

In each cell sit two atoms. Their centre of mass is held, harmonically, to where the lattice (that
is: the centre of mass of all cells) says it is, and their distance vector r moves in a well

    w(r) = sum_a (k_a r_a^2 / 2 + b r_a^4) + g r_z^3.

Nothing else acts, so the energy does not change when the crystal is moved as a whole, the two
motions do not mix, and cells know nothing of each other: self-consistent springs K of the well obey

    K_x = k_x + 12 b <r_x^2>,   K_z = k_z + 6 g s + 12 b (s^2 + <r_z^2>),
    0 = k_z s + 3 g (s^2 + <r_z^2>) + 4 b (s^3 + 3 s <r_z^2>),

with s the mean of r_z and <r_a^2> that of an oscillator of the reduced mass and spring K_a.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from scipy import constants
from scipy.optimize import fsolve

from mlphonon.potentials.potential import Evaluation, PotentialInfo, ProgressCallback

HBAR = constants.hbar / (constants.e * 1e-12)
"""eV ps."""

K_B = constants.k / constants.e
"""eV/K."""

MASS = constants.atomic_mass / constants.e * 1e4
"""1 amu, eV ps^2/A^2."""

MASSES = (39.0983, 35.453)
CELL = np.diag([4.0, 4.0, 5.0])
PLACES = np.array([[0, 0, 0], [0, 0, 0.6]])
APART = 3.0
"""Of the two atoms along the axis at rest, A; the standard cell has them so, too."""


def molecular_crystal() -> Atoms:
    """Return K and Cl on a primitive tetragonal lattice, space group P4mm."""
    return Atoms("KCl", cell=CELL, scaled_positions=PLACES, pbc=True)


@dataclass
class Wells:
    """The model as a potential; it recognises the atoms of any supercell of the crystal.

    Attributes
    ----------
    k : tuple of float
        Across and along the fourfold axis, eV/A^2.
    b, g : float
        Quartic, eV/A^4, and cubic, eV/A^3.
    holding : float
        Spring of the centre of mass, eV/A^2.
    softening : float
        All of these go as 1 - softening times the relative change of the volume.
    stiffness, shape : float
        A cell whose volume has changed by the share x, and whose length along the axis by y more
        than across, has the energy stiffness x^2 / 2 + shape y^2 / 2, eV.
    """

    k: tuple[float, float] = (2.0, 2.0)
    b: float = 0.0
    g: float = 0.0
    holding: float = 4.0
    softening: float = 0.0
    stiffness: float = 0.0
    shape: float = 0.0
    evaluated: int = field(default=0)

    @property
    def info(self) -> PotentialInfo:
        return PotentialInfo("wells", "test", "float64", "cpu", conservative=True)

    def calculator(self) -> Calculator:
        from mlphonon.potentials.calculator import as_calculator

        return as_calculator(self)

    def evaluate(
        self, structures: Sequence[Atoms], progress: ProgressCallback | None = None
    ) -> list[Evaluation]:
        self.evaluated += len(structures)
        if progress is not None:
            progress(len(structures))
        return [self._one(atoms) for atoms in structures]

    def _one(self, atoms: Atoms) -> Evaluation:
        cells = len(atoms) // 2
        supercell = np.rint(atoms.cell.array @ np.linalg.inv(CELL))
        lattice = np.linalg.solve(supercell, atoms.cell.array)
        lead, follow = (np.flatnonzero(atoms.numbers == z) for z in (19, 17))
        sites = atoms.positions @ np.linalg.inv(lattice)
        near = np.rint(sites[lead])
        u = (sites[lead] - near) @ lattice
        off = sites[follow] - PLACES[1] - near[:, None]
        off -= np.rint(off @ np.linalg.inv(supercell)) @ supercell
        partner = np.linalg.norm(off, axis=2).argmin(axis=1)
        assert len(set(partner)) == cells
        v = off[np.arange(cells), partner] @ lattice
        m, big_m = MASSES
        centre = (m * u + big_m * v) / (m + big_m)
        centre = centre - centre.mean(axis=0)
        r = v - u
        k = np.array([self.k[0], self.k[0], self.k[1]])
        z = np.array([0.0, 0.0, 1.0])
        well = float((k * r**2 / 2 + self.b * r**4 + self.g * z * r**3).sum())
        pull = k * r + 4 * self.b * r**3 + 3 * self.g * z * r**2
        held = self.holding * centre
        motion = well + 0.5 * float((held * centre).sum())
        swelling = float(np.linalg.det(lattice) / np.linalg.det(CELL) - 1)
        scale = 1 - self.softening * swelling
        stretch = np.diag(lattice) / np.diag(CELL)
        longer = stretch[2] - (stretch[0] + stretch[1]) / 2
        moved, forces = np.zeros((len(atoms), 3)), np.zeros((len(atoms), 3))
        moved[lead], moved[follow[partner]] = u, v
        forces[lead] = scale * (pull - held * m / (m + big_m))
        forces[follow[partner]] = scale * (-pull - held * big_m / (m + big_m))
        # Displacements are strained with the cell.
        stress = -0.5 * (forces.T @ moved + moved.T @ forces)
        by_volume = cells * self.stiffness * swelling - self.softening * motion
        stress += by_volume * (1 + swelling) * np.eye(3)
        stress += cells * self.shape * longer * np.diag(np.array([-0.5, -0.5, 1]) * stretch)
        static = cells * (self.stiffness * swelling**2 + self.shape * longer**2) / 2
        return Evaluation(scale * motion + static, forces, stress / atoms.get_volume())

    def swollen(self, swelling: float) -> Wells:
        """Return the wells of a crystal whose volume has changed by a share."""
        scale = 1 - self.softening * swelling
        k = (scale * self.k[0], scale * self.k[1])
        return Wells(k, scale * self.b, scale * self.g, scale * self.holding)

    def spread(self, spring: float, temperature: float, mass: float, classical: bool) -> float:
        """Mean square displacement of an oscillator, A^2."""
        if classical:
            return K_B * temperature / spring
        omega = np.sqrt(spring / (mass * MASS))
        half = HBAR * omega / (2 * K_B * temperature) if temperature > 0 else np.inf
        return float(HBAR / (2 * mass * MASS * omega) / np.tanh(half))

    def exact(
        self, temperature: float, classical: bool = False
    ) -> tuple[float, float, float, float, float]:
        """Springs K_x and K_z, shift s, and spreads of r_x and r_z, of self-consistency."""
        mass = reduced_mass()

        def missed(unknown: np.ndarray) -> list[float]:
            x, z, s = np.exp(unknown[0]), np.exp(unknown[1]), unknown[2]
            spread_x = self.spread(x, temperature, mass, classical)
            spread_z = self.spread(z, temperature, mass, classical)
            return [
                self.k[0] + 12 * self.b * spread_x - x,
                self.k[1] + 6 * self.g * s + 12 * self.b * (s**2 + spread_z) - z,
                self.k[1] * s
                + 3 * self.g * (s**2 + spread_z)
                + 4 * self.b * (s**3 + 3 * s * spread_z),
            ]

        start = [np.log(max(abs(k), 0.5)) for k in self.k]
        found, _, ok, _ = fsolve(missed, [*start, 0.0], full_output=True, xtol=1e-12)
        assert ok == 1
        x, z, s = float(np.exp(found[0])), float(np.exp(found[1])), float(found[2])
        return (
            x,
            z,
            s,
            self.spread(x, temperature, mass, classical),
            self.spread(z, temperature, mass, classical),
        )

    def exact_free_energy(
        self, temperature: float, classical: bool = False, cells: int = 8
    ) -> float:
        """Of a cell, eV: of the springs, and the mean of what the well has more.

        The centre of mass of all cells of the supercell is free.
        """
        x, z, s, spread_x, spread_z = self.exact(temperature, classical)
        total = 3 * (1 - 1 / cells) * oscillator(self.holding, sum(MASSES), temperature, classical)
        for k, spring, shift, spread, g in (
            (self.k[0], x, 0.0, spread_x, 0.0),
            (self.k[0], x, 0.0, spread_x, 0.0),
            (self.k[1], z, s, spread_z, self.g),
        ):
            total += oscillator(spring, reduced_mass(), temperature, classical)
            square = shift**2 + spread
            fourth = shift**4 + 6 * shift**2 * spread + 3 * spread**2
            third = shift**3 + 3 * shift * spread
            total += k * square / 2 + self.b * fourth + g * third - spring * spread / 2
        return total


def reduced_mass() -> float:
    return MASSES[0] * MASSES[1] / sum(MASSES)


def oscillator(spring: float, mass: float, temperature: float, classical: bool = False) -> float:
    """Free energy of one oscillator, eV."""
    quantum = HBAR * np.sqrt(spring / (mass * MASS))
    kt = K_B * temperature
    if classical:
        return float(kt * np.log(quantum / kt))
    return float(quantum / 2 + (kt * np.log1p(-np.exp(-quantum / kt)) if kt > 0 else 0.0))


def frequency(spring: float, mass: float | None = None) -> float:
    """Of an oscillator, THz; negative if the spring is."""
    mass = reduced_mass() if mass is None else mass
    return float(np.sign(spring) * np.sqrt(abs(spring) / (mass * MASS)) / (2 * np.pi))
