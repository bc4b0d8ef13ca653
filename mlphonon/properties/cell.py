"""Mass, volume and density of the primitive cell that phonons are of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlphonon.units import G_PER_CM3

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons


def mean_mass(phonons: Phonons) -> float:
    """Return the mean mass of an atom, amu."""
    return float(phonons.phonopy.primitive.masses.mean())


def volume_per_atom(phonons: Phonons) -> float:
    """Return the volume of the cell over its number of atoms, A^3."""
    cell = phonons.phonopy.primitive
    return float(cell.volume / len(cell))


def density(phonons: Phonons) -> float:
    """Return mass over volume, g/cm^3."""
    cell = phonons.phonopy.primitive
    return float(cell.masses.sum() / cell.volume * G_PER_CM3)
