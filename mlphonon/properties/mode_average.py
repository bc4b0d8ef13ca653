"""Means over modes weighted by their heat capacities, and the meshes that they are taken on.

Imaginary modes carry no heat and are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from phonopy import Phonopy

ROOM = 300.0
"""Temperature of the heat capacities where none is asked for, K."""

LEAST = 1e-3
"""THz; acoustic modes at Gamma, which carry nothing, lie below, all that count above."""


def mean_by_heat_capacity(
    values: np.ndarray, frequencies: np.ndarray, weights: np.ndarray, temperature: float = ROOM
) -> float | None:
    """Return the mean over the real modes, each weighted by its heat capacity.

    Parameters
    ----------
    values, frequencies : ndarray, shape (n, n_bands)
        What is averaged, of any unit; THz, imaginary ones negative.
    weights : ndarray, shape (n,)
        Multiplicities of the q-points.
    temperature : float
        Of the heat capacities, K.

    Returns
    -------
    float or None
        None if no mode is real.
    """
    from phonopy.phonon.thermal_properties import mode_cv
    from phonopy.physical_units import get_physical_units

    real = frequencies > LEAST
    if not real.any():
        return None
    heat = mode_cv(temperature, frequencies[real] * get_physical_units().THzToEv)
    heat = heat * np.broadcast_to(weights[:, None], real.shape)[real]
    return float((heat * values[real]).sum() / heat.sum())


def even_mesh(phonopy: Phonopy, length: float) -> np.ndarray:
    """Even numbers of points along each axis, about length / a and two at least, shape (3,).

    Where they would break the symmetry of the crystal (in centred cells phonopy's may), as many
    along each: such a grid every symmetry keeps.

    Parameters
    ----------
    phonopy : Phonopy
        Its primitive cell and point group.
    length : float
        A.
    """
    from phonopy.phonon.grid import length2mesh

    rotations = np.asarray(phonopy.primitive_symmetry.pointgroup_operations)
    numbers = 2 * length2mesh(length / 2, phonopy.primitive.cell, rotations=rotations)
    turned = rotations * numbers[:, None] / numbers
    keeps_symmetry = np.allclose(turned, np.rint(turned))
    return numbers if keeps_symmetry else np.full(3, numbers.max())
