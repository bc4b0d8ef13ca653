"""Scattering of phonons by the natural mixture of isotopes (Tamura's formula)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.properties.mode_average import LEAST, ROOM, even_mesh, mean_by_heat_capacity
from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from phono3py.phonon.solver import PhononData
    from phonopy import Phonopy
    from phonopy.phonon.grid import BZGrid

    from mlphonon.phonons.phonons import Phonons

MESH_LENGTH = 20.0
"""Length that sets the mesh of isotopes, A: against 40 A it changed the mean of copper (EMT),
Cr3Si and quartz (springs) by 1 to 21 %, and costs a sixteenth or less; the rate is a sum over
pairs of modes."""


def mean_isotope_rate(
    phonons: Phonons, temperature: float = ROOM, mesh_length: float = MESH_LENGTH
) -> float | None:
    """Rate of scattering by isotopes, the mean over modes weighted by their heat capacities.

    Parameters
    ----------
    phonons : Phonons
        Of the crystal.
    temperature : float
        Of the heat capacities, K.
    mesh_length : float
        Sets the mesh that the mean is taken on, A.

    Returns
    -------
    float or None
        1/tau, 1/ps (see `isotope_rates`). None if no mode is real, or for elements without a
        natural mixture (technetium, polonium).
    """
    from phonopy.phonon.grid import get_ir_grid_points
    from phonopy.structure.atomic_data import get_atomic_data

    phonopy = phonons.phonopy
    mixtures = get_atomic_data().isotope_data
    if any(mixtures.get(symbol) is None for symbol in phonopy.primitive.symbols):
        return None
    grid = isotope_grid(phonons, even_mesh(phonopy, mesh_length))
    points, stars, _ = get_ir_grid_points(grid)
    frequencies, rates = isotope_rates(phonons, grid, grid.grg2bzg[points])
    return mean_by_heat_capacity(rates, frequencies, stars, temperature)


def isotope_grid(phonons: Phonons, numbers: np.ndarray) -> BZGrid:
    """Make a Gamma-centred grid of the Brillouin zone, `numbers` of shape (3,) along its axes.

    The numbers should be even. On an odd grid q and -q stand at corners of one tetrahedron, and a
    mode at the top of its band meets its own mirror image: in P1, 3 x 3 x 3 gave seven times too
    much, and 2 x 2 x 2 a fifth.
    """
    from phonopy.phonon.grid import BZGrid

    phonopy = phonons.phonopy
    return BZGrid(
        numbers,
        lattice=phonopy.primitive.cell,
        symmetry_dataset=phonopy.primitive_symmetry.dataset,
    )


def isotope_rates(
    phonons: Phonons, grid: BZGrid, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies and rates of scattering by isotopes at points of a grid.

    Tamura, Phys. Rev. B 27, 858 (1983): with N points, g the variance of the mass of each atom k
    over its mean squared, and e the eigenvectors,

        1/tau = pi / (2 N) w^2 sum_{q'j'} delta(w - w') sum_k g_k |e_k(q'j')* . e_k(qj)|^2.

    phono3py gives half the width of the line, gamma = 1 / (4 pi tau), in THz. Degenerate modes
    share alike, so that the choice of their eigenvectors does not matter.

    Parameters
    ----------
    phonons : Phonons
        Of the crystal.
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

    phonopy = phonons.phonopy
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
