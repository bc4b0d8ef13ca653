"""Springs that soften as the crystal grows: every mode has the Grueneisen parameters put in.

One atom in a simple cubic, tetragonal or orthorhombic cell. With e_a the logarithm of how much
longer axis a is than at rest,

    E / cell = e C e / 2,    springs ~ exp(-2 g e),    so that    frequencies ~ exp(-g e).

What the free energy is, and where it is least, then follows from the frequencies at rest alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from scipy import constants
from scipy.optimize import minimize

from mlphonon.settings import PhononSettings

TO_EV = constants.h / constants.e * 1e12
"""One THz as an energy, eV."""

K_B = constants.k / constants.e
"""eV/K."""


class GrowingSprings(Calculator):
    """The model. Displacements are told from the growth of the cell by counting its lattice sites.

    Parameters
    ----------
    lengths : array_like, shape (3,)
        Of the cell at rest, A.
    gamma : array_like, shape (3,)
        -d ln(frequency) / d e_a.
    stiffness : array_like, shape (3, 3)
        C, eV.
    along, across : float
        Springs to the six neighbours at rest, eV/A^2.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(
        self, lengths: Any, gamma: Any, stiffness: Any, along: float = 3.0, across: float = 1.0
    ) -> None:
        super().__init__()
        self.lengths = np.asarray(lengths, dtype=float)
        self.gamma = np.asarray(gamma, dtype=float)
        self.stiffness = np.asarray(stiffness, dtype=float)
        self.springs = across * np.ones((3, 3)) + (along - across) * np.eye(3)

    def crystal(self, symbol: str = "Cu") -> Atoms:
        return Atoms(symbol, cell=np.diag(self.lengths), pbc=True)

    def calculate(
        self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        edges = np.abs(np.diag(atoms.cell.array))
        assert np.allclose(np.abs(atoms.cell.array), np.diag(edges))
        repeats = np.rint(edges / self.lengths).astype(int)
        assert repeats.prod() == len(atoms)
        grown = np.log(edges / repeats / self.lengths)
        sites = atoms.get_scaled_positions(wrap=False) * repeats
        sites -= sites[0] - np.rint(sites[0])
        cells = np.rint(sites).astype(int)
        at = tuple((cells % repeats).T)
        u = np.zeros((*repeats, 3))
        u[at] = atoms.positions - (cells / repeats) @ atoms.cell.array
        energy, pull = 0.0, np.zeros_like(u)
        scale = float(np.exp(-2 * self.gamma @ grown))
        for axis in range(3):
            stretch = np.roll(u, -1, axis=axis) - u
            tension = scale * self.springs[axis] * stretch
            energy += 0.5 * float((tension * stretch).sum())
            pull += tension - np.roll(tension, 1, axis=axis)
        energy += 0.5 * len(atoms) * float(grown @ self.stiffness @ grown)
        stress = len(atoms) * (self.stiffness @ grown) / atoms.get_volume()
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": pull[at],
            "stress": np.append(stress, np.zeros(3)),
        }

    def free_energy(
        self, grown: np.ndarray, temperature: float, mesh: tuple[np.ndarray, np.ndarray]
    ) -> float:
        """Return the free energy of a cell, eV.

        Parameters
        ----------
        grown : ndarray, shape (3,)
            e.
        temperature : float
            K.
        mesh : tuple of ndarray
            Frequencies at rest, THz, shape (n_q, 3), and weights.
        """
        quantum = TO_EV * mesh[0] * np.exp(-self.gamma @ grown)
        modes = quantum / 2
        if temperature > 0:
            modes = modes + K_B * temperature * np.log1p(-np.exp(-quantum / (K_B * temperature)))
        vibrations = float((mesh[1][:, None] * modes).sum() / mesh[1].sum())
        return 0.5 * float(grown @ self.stiffness @ grown) + vibrations

    def equilibrium(
        self,
        temperature: float,
        mesh: tuple[np.ndarray, np.ndarray],
        groups: Any,
        pressure: float = 0.0,
    ) -> np.ndarray:
        """Return where the free energy is least, e, where groups of axes grow alike; GPa."""
        pattern = np.zeros((3, len(groups)))
        for column, axes in enumerate(groups):
            pattern[axes, column] = 1
        squeeze = pressure * constants.giga * 1e-30 / constants.e * self.lengths.prod()

        def enthalpy(x: np.ndarray) -> float:
            grown = pattern @ x
            volume = float(np.exp(grown.sum()))
            return self.free_energy(grown, temperature, mesh) + squeeze * volume

        found = minimize(
            enthalpy,
            np.zeros(len(groups)),
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 4000},
        )
        assert found.success
        return pattern @ found.x


CUBIC = GrowingSprings([3.0] * 3, [1.8] * 3, 12.0 * np.ones((3, 3)) + 12.0 * np.eye(3))
"""Every mode has 1.8."""

QUICK = PhononSettings.make(
    relax=False,
    supercell="3 3 3",
    method="displacements",
    mesh=30,
    projected_mesh=10,
    band_points=11,
)
