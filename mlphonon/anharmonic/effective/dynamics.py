"""Langevin dynamics of several supercells at once: one batch of forces for each step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.errors import CrystalError
from mlphonon.force_constants.displacements import stack
from mlphonon.units import BOLTZMANN, J_PER_EV_MOL

if TYPE_CHECKING:
    from mlphonon.anharmonic.sscha.reference import Reference
    from mlphonon.potentials.potential import Potential, ProgressCallback

ACCELERATION = J_PER_EV_MOL / 10
"""Of 1 amu by 1 eV/A, A/ps^2."""

LEFT = 0.5
"""Share of the least distance of two atoms that one may be from its place; beyond, it has left."""


@dataclass(frozen=True)
class TrajectorySnapshots:
    """Places and forces along trajectories.

    Attributes
    ----------
    moved : ndarray, shape (n_times, n_trajectories, n_supercell, 3)
        Displacements from the reference, without a motion of the crystal as a whole, A.
    forces : ndarray, shape (n_times, n_trajectories, n_supercell, 3)
        eV/A.
    energies : ndarray, shape (n_times, n_trajectories)
        Potential, eV.
    """

    moved: np.ndarray
    forces: np.ndarray
    energies: np.ndarray

    def followed_by(self, other: TrajectorySnapshots) -> TrajectorySnapshots:
        """Return both, one after the other."""
        return TrajectorySnapshots(
            np.concatenate([self.moved, other.moved]),
            np.concatenate([self.forces, other.forces]),
            np.concatenate([self.energies, other.energies]),
        )


@dataclass
class Langevin:
    """Trajectories of a supercell at a temperature; goes on where it stands.

    BAOAB (Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34): half a kick, half a drift,
    friction and noise, half a drift, half a kick. The crystal as a whole is kept at rest.

    Parameters
    ----------
    reference : Reference
        The places.
    potential : Potential
        Gives the forces.
    temperature : float
        K.
    time_step : float
        ps.
    friction : float
        1/ps.
    seed : int
        Of velocities and noise.
    """

    reference: Reference
    potential: Potential
    temperature: float
    time_step: float
    friction: float
    seed: int
    moved: np.ndarray = field(init=False)
    velocities: np.ndarray = field(init=False)
    forces: np.ndarray = field(init=False)
    energies: np.ndarray = field(init=False)

    def start(self, moved: np.ndarray) -> None:
        """Begin at displacements of shape (n_trajectories, n_supercell, 3), A."""
        self._random = np.random.default_rng(self.seed)
        self.moved = self._at_rest(np.array(moved))
        self.velocities = self._thermal(moved.shape)
        self._evaluate()

    def run(
        self, n_snapshots: int, every: int, progress: ProgressCallback | None = None
    ) -> TrajectorySnapshots:
        """Take so many snapshots of each trajectory, so many steps apart.

        Raises
        ------
        CrystalError
            If an atom leaves its place.
        """
        taken = []
        for _ in range(n_snapshots):
            for _ in range(every):
                self._step()
                if progress is not None:
                    progress(1)
            self._check()
            taken.append((self.moved.copy(), self.forces.copy(), self.energies.copy()))
        return TrajectorySnapshots(*(np.array(part) for part in zip(*taken, strict=True)))

    def _step(self) -> None:
        half = self.time_step / 2
        self.velocities += half * self._acceleration()
        self.moved += half * self.velocities
        kept = np.exp(-self.friction * self.time_step)
        noise = np.sqrt(1 - kept**2) * self._thermal(self.moved.shape)
        self.velocities = kept * self.velocities + noise
        self.moved += half * self.velocities
        self.moved = self._at_rest(self.moved)
        self._evaluate()
        self.velocities += half * self._acceleration()

    def _acceleration(self) -> np.ndarray:
        return np.asarray(ACCELERATION * self.forces / self._masses)

    @property
    def _masses(self) -> np.ndarray:
        return self.reference.masses[:, None]

    def _thermal(self, shape: tuple[int, ...]) -> np.ndarray:
        """Draw velocities of a temperature, A/ps, the crystal as a whole at rest."""
        spread = np.sqrt(BOLTZMANN * self.temperature * ACCELERATION / self._masses)
        return self._at_rest(spread * self._random.standard_normal(shape))

    def _at_rest(self, vectors: np.ndarray) -> np.ndarray:
        """Take away what all atoms share, by mass."""
        masses = self._masses
        mean = (masses * vectors).sum(axis=1, keepdims=True) / masses.sum()
        return np.asarray(vectors - mean)

    def _evaluate(self) -> None:
        found = self.potential.evaluate(stack(self.reference.supercell, list(self.moved)))
        self.forces = np.array([one.forces for one in found])
        self.energies = np.array([one.energy for one in found])

    def _check(self) -> None:
        furthest = float(np.linalg.norm(self.moved, axis=2).max())
        if furthest > LEFT * self.reference.nearest:
            raise CrystalError(
                f"an atom is {furthest:.1f} A from its place at {self.temperature:g} K",
                f"neighbours are {self.reference.nearest:.1f} A apart: the crystal melts, atoms"
                " diffuse, or its structure is another at this temperature",
                "lower the temperature, or see 'mlphonon phonons --explain'",
            )
