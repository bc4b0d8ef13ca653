"""How well a harmonic crystal might carry heat: group velocities, and scattering by isotopes.

Each is a mean over the modes of a mesh of its own, weighted by their heat capacities at `ROOM`.
Imaginary modes carry no heat and are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from phono3py.phonon.solver import PhononData
    from phonopy import Phonopy
    from phonopy.phonon.grid import BZGrid

    from mlphonon.phonons.phonons import Phonons

ROOM = 300.0
"""K."""

LEAST = 1e-3
"""THz; acoustic modes at Gamma, which carry nothing, lie below, all that count above."""

VELOCITY_LENGTH = 30.0
"""Length that sets the mesh of velocities, A: against 100 A it changed the mean of copper (EMT),
Cr3Si and quartz (springs) by less than 2.5 %, and costs a fifteenth or less."""

ISOTOPE_LENGTH = 20.0
"""The same for isotopes, A: against 40 A it changed the mean of the same three by 1 to 21 %, and
costs a sixteenth or less; the rate is a sum over pairs of modes."""


def rms_group_velocity(phonons: Phonons) -> float | None:
    """Root mean square of the group velocities, km/s; None if no mode is real."""
    from phonopy.phonon.grid import get_ir_qpoints_and_weights

    phonopy = phonons.phonopy
    # Odd: of an even mesh eight points are their own opposites, where all velocities vanish.
    numbers = even_mesh(phonopy, VELOCITY_LENGTH) + 1
    qpoints, stars = get_ir_qpoints_and_weights(
        numbers, phonopy.primitive.cell, phonopy.primitive_symmetry
    )
    with one_blas_thread():
        found = phonopy.run_qpoints(qpoints, with_group_velocities=True)
    squares = (np.asarray(found.group_velocities) ** 2).sum(axis=2)
    mean = _mean_by_heat(squares, np.asarray(found.frequencies), stars)
    return None if mean is None else float(np.sqrt(mean)) / 10  # A THz are 100 m/s


def mean_isotope_rate(phonons: Phonons) -> float | None:
    """Rate of scattering by the natural mixture of isotopes, 1/ps.

    None if no mode is real, or for elements without a natural mixture (technetium, polonium).
    """
    from phonopy.phonon.grid import get_ir_grid_points
    from phonopy.structure.atomic_data import get_atomic_data

    phonopy = phonons.phonopy
    mixtures = get_atomic_data().isotope_data
    if any(mixtures.get(symbol) is None for symbol in phonopy.primitive.symbols):
        return None
    grid = isotope_grid(phonopy, even_mesh(phonopy, ISOTOPE_LENGTH))
    points, stars, _ = get_ir_grid_points(grid)
    frequencies, rates = isotope_rates(phonopy, grid, grid.grg2bzg[points])
    return _mean_by_heat(rates, frequencies, stars)


def isotope_grid(phonopy: Phonopy, numbers: np.ndarray) -> BZGrid:
    """Make a Gamma-centred grid of the Brillouin zone, `numbers` of shape (3,) along its axes.

    The numbers should be even. On an odd grid q and -q stand at corners of one tetrahedron, and a
    mode at the top of its band meets its own mirror image: in P1, 3 x 3 x 3 gave seven times too
    much, and 2 x 2 x 2 a fifth.
    """
    from phonopy.phonon.grid import BZGrid

    return BZGrid(
        numbers,
        lattice=phonopy.primitive.cell,
        symmetry_dataset=phonopy.primitive_symmetry.dataset,
    )


def isotope_rates(
    phonopy: Phonopy, grid: BZGrid, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies and rates of scattering by isotopes at points of a grid.

    Tamura, Phys. Rev. B 27, 858 (1983): with N points, g the variance of the mass of each atom k
    over its mean squared, and e the eigenvectors,

        1/tau = pi / (2 N) w^2 sum_{q'j'} delta(w - w') sum_k g_k |e_k(q'j')* . e_k(qj)|^2.

    phono3py gives half the width of the line, gamma = 1 / (4 pi tau), in THz. Degenerate modes
    share alike, so that the choice of their eigenvectors does not matter.

    Parameters
    ----------
    phonopy : Phonopy
        With force constants.
    grid : BZGrid
        Over which the sum runs (see `isotope_grid`).
    points : ndarray, shape (n,)
        Indices in the grid.

    Returns
    -------
    frequencies : ndarray, shape (n, n_bands)
        THz, imaginary ones negative.
    rates : ndarray, shape (n, n_bands)
        1/tau, 1/ps.
    """
    from phono3py.other.isotope import Isotope

    scattering = Isotope(
        grid.D_diag,
        phonopy.primitive,
        bz_grid=grid,
        cutoff_frequency=LEAST,
        average_degenerate_weights=True,
        exclude_gamma_acoustic=True,
    )
    gammas = []
    with one_blas_thread():
        modes = _modes_of_grid(phonopy, grid)
        scattering.set_phonons(modes, dm=phonopy.dynamical_matrix)
        for point in points:
            scattering.set_grid_point(point)
            scattering.run()
            gammas.append(scattering.gamma)
    return modes.frequencies[points], 4 * np.pi * np.array(gammas)


def _modes_of_grid(phonopy: Phonopy, grid: BZGrid) -> PhononData:
    from phono3py.phonon.solver import PhononData
    from phonopy.phonon.degeneracy import get_degenerate_ids

    found = phonopy.run_qpoints(grid.addresses @ grid.QDinv.T, with_eigenvectors=True)
    # Rounded, so that modes which symmetry makes equal are so: a mode lies where the density of
    # states of a tetrahedron jumps, and the last digit decided a third of its rate.
    frequencies = np.round(np.asarray(found.frequencies), 6)
    return PhononData(
        frequencies=frequencies,
        eigenvectors=np.array(found.eigenvectors, dtype=complex, order="C"),
        phonon_done=np.ones(len(frequencies), dtype="byte"),
        degenerate_ids=get_degenerate_ids(frequencies),
    )


def even_mesh(phonopy: Phonopy, length: float) -> np.ndarray:
    """Even numbers of points along each axis, about length / a and two at least, shape (3,).

    Where they would break the symmetry of the crystal (in centred cells phonopy's may), as many
    along each: such a grid every symmetry keeps.
    """
    from phonopy.phonon.grid import length2mesh

    rotations = np.asarray(phonopy.primitive_symmetry.pointgroup_operations)
    numbers = 2 * length2mesh(length / 2, phonopy.primitive.cell, rotations=rotations)
    turned = rotations * numbers[:, None] / numbers
    keeps_symmetry = np.allclose(turned, np.rint(turned))
    return numbers if keeps_symmetry else np.full(3, numbers.max())


def _mean_by_heat(values: np.ndarray, frequencies: np.ndarray, stars: np.ndarray) -> float | None:
    """Mean over modes weighted by heat capacity, arrays (n, n_bands), (n, n_bands) and (n,)."""
    from phonopy.phonon.thermal_properties import mode_cv
    from phonopy.physical_units import get_physical_units

    real = frequencies > LEAST
    if not real.any():
        return None
    heat = mode_cv(ROOM, frequencies[real] * get_physical_units().THzToEv)
    heat = heat * np.broadcast_to(stars[:, None], real.shape)[real]
    return float((heat * values[real]).sum() / heat.sum())
