"""The curvature of the free energy in the mean places of atoms: its imaginary modes are unstable.

Frequencies of self-consistent force constants are positive by construction. What says whether a
crystal is at a minimum of its free energy is the second derivative of that (Bianco, Errea,
Paulatto, Calandra and Mauri, Phys. Rev. B 96, 014111 (2017)),

    H = Phi + Psi L Psi + ...,  L = 1/2 (change of <u u> with force constants),

Psi the mean third derivatives. Left out, as usual, is what the fourth derivatives add to L.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from mlphonon.anharmonic.sscha.gaussian import Ensemble, Gaussian

ALIKE = 1e-5
"""Relative difference of two w^2 below which a difference of variances is a derivative."""


def response(ensemble: Ensemble, squared: np.ndarray) -> np.ndarray:
    """Change of <a_m a_n> with the dynamical matrix, for all pairs of modes, shape (n, n).

    The divided difference (A_m - A_n) / (w_m^2 - w_n^2) of the variances A, amu A^2 per
    eV/A^2/amu: twice -F hbar^2 / (8 w_m w_n) in the notation of the paper.
    """
    variances = ensemble.variance(squared)
    difference = squared[:, None] - squared
    mean = 0.5 * (squared[:, None] + squared)
    alike = np.abs(difference) < ALIKE * mean
    quotient = (variances[:, None] - variances) / np.where(alike, 1.0, difference)
    return np.where(alike, ensemble.slope(mean), quotient)


def free_energy_hessian(
    density: Gaussian, force_constants: np.ndarray, third: np.ndarray
) -> np.ndarray:
    """Add the bubble of third-order force constants to those of second order.

    Parameters
    ----------
    density : Gaussian
        Self-consistent.
    force_constants : ndarray, shape (n, n, 3, 3)
        Mean second derivatives, eV/A^2.
    third : ndarray, shape (n_primitive, n, n, 3, 3, 3)
        Mean third derivatives, eV/A^3.

    Returns
    -------
    ndarray, shape (n_primitive, n, 3, 3)
        Second derivatives of the free energy of the supercell, eV/A^2: what harmonic force
        constants are of the energy.
    """
    primitive = density.reference.phonopy.primitive
    n, rows = len(force_constants), np.asarray(primitive.p2s_map)
    change = response(density.ensemble, density.squared)
    modes = density.modes / np.sqrt(np.repeat(density.reference.masses, 3))[:, None]
    # One matrix of second derivatives for each coordinate of the primitive cell's atoms.
    slopes = third.transpose(0, 3, 1, 4, 2, 5).reshape(3 * len(rows), 3 * n, 3 * n)
    with one_blas_thread():
        answers = [modes @ (change * (modes.T @ one @ modes)) @ modes.T for one in slopes]
    flat = np.array(answers).reshape(len(slopes), -1)
    slopes = slopes.reshape(len(slopes), n, 3, n, 3)
    found = np.array(force_constants[rows])
    for images in primitive.atomic_permutations:
        # The same derivatives for copies of the primitive cell's atoms elsewhere.
        origin = np.argsort(images)
        there = slopes[:, origin][:, :, :, origin].reshape(len(slopes), -1)
        block = 0.5 * (flat @ there.T).reshape(len(rows), 3, len(rows), 3)
        found[:, images[rows]] += block.transpose(0, 2, 1, 3)
    return found
