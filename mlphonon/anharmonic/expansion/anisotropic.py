"""Free energies over the lengths of the axes, minimised freely. phonopy fits the surface."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.anharmonic.expansion.result import Axes
from mlphonon.anharmonic.strained import strained_phonons
from mlphonon.crystal.crystal import space_group_number
from mlphonon.errors import CrystalError
from mlphonon.force_constants.cells import to_phonopy
from mlphonon.system.threads import one_blas_thread
from mlphonon.units import J_PER_EV_MOL

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.phonons.phonons import Phonons
    from mlphonon.potentials.potential import Potential
    from mlphonon.reporter import Reporter

POINTS = {2: 5, 3: 4}
"""Lengths of each axis, by how many are independent: 25 or 64 cells for a cubic polynomial of 10
or 20 coefficients."""


SHARE = 0.45
"""Of a change of the volume, what an axis may change by: a third if all do alike."""


def free_axes(
    phonons: Phonons,
    potential: Potential,
    volumes: tuple[float, float],
    temperatures: np.ndarray,
    pressure: float,
    reporter: Reporter,
) -> Axes:
    """Minimise the free energy over the lengths of the axes at each temperature.

    Parameters
    ----------
    phonons : Phonons
        At the minimum.
    potential : Potential
        The one they were made with.
    volumes : tuple of float
        Smallest and largest relative change of the volume; that of an axis is `SHARE` of it.
    temperatures : ndarray, shape (n,)
        K.
    pressure : float
        GPa.
    reporter : Reporter
        Is told what is being done.

    Returns
    -------
    Axes
        nan at temperatures whose minimum lies outside the cells that were computed.

    Raises
    ------
    CrystalError
        If the crystal has one axis alone, or angles that are free, or too few cells are stable.
    """
    groups = independent_axes(phonons)
    low, high = (SHARE * volume for volume in volumes)
    steps = np.linspace(low, high, POINTS[len(groups)])
    cells: list[Phonopy] = []
    energies: list[float] = []
    vibrational: list[np.ndarray] = []
    combinations = list(product(steps, repeat=len(groups)))
    step = temperatures[1] - temperatures[0]
    grid = np.append(temperatures, temperatures[-1] + step)
    for number, strains in enumerate(combinations):
        reporter.say(f"cell {number + 1} of {len(combinations)}")
        stretch = np.eye(3)
        for axes, strain in zip(groups, strains, strict=True):
            stretch[axes, axes] += strain
        found = strained_phonons(phonons, potential, stretch, "none", reporter)
        if not found.stability.stable_by_threshold:
            continue
        cells.append(conventional_phonopy(found))
        energies.append(found.record.energy_eV_per_atom * len(found.phonopy.primitive))
        # kJ/mol of primitive cells to eV.
        vibrational.append(1000 * found.thermal(grid.tolist()).free_energy / J_PER_EV_MOL)
    if len(cells) < 12 * (len(groups) - 1):
        raise CrystalError(
            f"{phonons.record.name} has imaginary modes in {len(combinations) - len(cells)} of"
            f" {len(combinations)} cells",
            "too few are left for a surface of free energies",
            "take a narrower range of volumes",
        )
    surface = _Surface(cells, grid, np.array(energies), np.array(vibrational).T)
    return surface.minimum(pressure)


@dataclass(frozen=True)
class _Surface:
    """Free energies of cells, which phonopy fits by a polynomial in the lengths of the axes."""

    cells: list[Phonopy]
    temperatures: np.ndarray
    """K; the last is used up by differences."""

    energies: np.ndarray
    """Static, eV per conventional cell."""

    vibrational: np.ndarray
    """Free energies, eV, shape (n_temperatures, n_cells)."""

    def minimum(self, pressure: float) -> Axes:
        """Return the axes of least free energy at a pressure, GPa; NaN outside the cells."""
        from phonopy.qha.anisotropic import run_anisotropic_qha

        with one_blas_thread(), warnings.catch_warnings():
            # Of each temperature; they are left out below.
            warnings.filterwarnings("ignore", message="The free energy minimum lies outside")
            result = run_anisotropic_qha(
                self.cells,
                self.temperatures,
                list(self.energies),
                phonon_free_energies=self.vibrational,
                pressure=pressure or None,
            )
        n = len(self.temperatures) - 1
        outside = np.asarray(result.minimum_extrapolated)[:n, None]
        lengths = np.where(outside, np.nan, result.equilibrium_lattice_parameters[:n])
        return Axes(lengths, np.where(outside, np.nan, result.axial_thermal_expansions[:n]))


def independent_axes(phonons: Phonons) -> list[list[int]]:
    """Return which Cartesian axes stretch together, by the crystal family.

    Raises
    ------
    CrystalError
        If that is one group alone (cubic), or angles are free (monoclinic, triclinic).
    """
    number = space_group_number(phonons.record.spacegroup)
    if number < 16:
        raise CrystalError(
            f"the angles of {phonons.record.name} are free",
            f"{phonons.record.spacegroup} is monoclinic or triclinic",
            "leave out --anisotropic",
        )
    if number >= 195:
        raise CrystalError(
            f"{phonons.record.name} is cubic and expands alike in all directions",
            fix="leave out --anisotropic",
        )
    return [[0], [1], [2]] if number < 75 else [[0, 1], [2]]


def conventional_phonopy(phonons: Phonons) -> Phonopy:
    """Return a phonopy object of the conventional cell, without force constants.

    phonopy reads lengths of axes off the cell it is given; ours are primitive.
    """
    import spglib
    from ase import Atoms
    from phonopy import Phonopy

    atoms = phonons.atoms
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    found = spglib.standardize_cell(cell, no_idealize=True, symprec=phonons.record.settings.symprec)
    lattice, positions, numbers = found
    conventional = Atoms(numbers, cell=lattice, scaled_positions=positions, pbc=True)
    return Phonopy(
        to_phonopy(conventional),
        np.eye(3, dtype=int),
        primitive_matrix="auto",
        symprec=phonons.record.settings.symprec,
        log_level=0,
    )
