"""Debye temperatures: of sound, and of the spectrum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.properties.cell import volume_per_atom
from mlphonon.properties.elasticity import compute_elasticity
from mlphonon.units import KELVIN_PER_THZ

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons


def debye_temperature(phonons: Phonons) -> float:
    """Debye temperature of long waves, K: that of the heat capacity of the cold crystal.

    Raises
    ------
    UnstableWavesError
        If a long wave is unstable, so that it has no velocity.
    """
    velocity = compute_elasticity(phonons).mean_velocity
    return debye_temperature_of_sound(velocity, volume_per_atom(phonons))


def debye_temperature_of_sound(sound_velocity: float, volume: float) -> float:
    """Debye temperature of a sound velocity, K: (h/k) v/(2 pi) (6 pi^2/V)^(1/3).

    Parameters
    ----------
    sound_velocity : float
        Debye's mean, km/s.
    volume : float
        A^3 for each atom: all atoms of the cell count, as in Anderson, J. Phys. Chem. Solids 24,
        909 (1963), so that C_V per atom is 12 pi^4/5 k (T/theta)^3 at low temperatures.
    """
    wave_number = (6 * np.pi**2 / volume) ** (1 / 3)
    return float(KELVIN_PER_THZ * 10 * sound_velocity * wave_number / (2 * np.pi))


def debye_temperature_of_spectrum(phonons: Phonons) -> float | None:
    """Debye temperature of the second moment, K: <nu^2> is 3/5 of Debye's cutoff squared.

    The mean square is the trace of the dynamical matrix at one site: springs over masses,
    whatever the crystal's stability (imaginary frequencies have negative squares). Barron, Berg and
    Morrison, Proc. R. Soc. A 242, 478 (1957), there theta_D(2).

    Returns
    -------
    float or None
        None if the mean square is not positive.
    """
    _, frequencies, stars = phonons.mesh
    squares = np.sign(frequencies) * frequencies**2
    mean = float(stars @ squares.mean(axis=1) / stars.sum())
    return KELVIN_PER_THZ * float(np.sqrt(5 / 3 * mean)) if mean > 0 else None
