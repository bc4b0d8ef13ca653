"""Grueneisen parameters directly from third-order force constants. phono3py contracts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.anharmonic.gruneisen.result import SOFT
from mlphonon.anharmonic.third_order.compute import compute_third_order
from mlphonon.anharmonic.third_order.settings import ThirdOrderSettings
from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.potentials.potential import Potential
    from mlphonon.reporter import Reporter


def gamma_by_third_order(
    phonons: Phonons, potential: Potential, qpoints: np.ndarray, reporter: Reporter
) -> np.ndarray:
    """Contract the third order with a change of volume, internal relaxation included.

    No volume but that at rest is computed, so nothing is known of how the shape of the cell would
    relax: of a crystal that is not cubic these are for an isotropic strain. The third order is
    that of the supercell of the phonons: what a smaller one cuts off counts with its distance
    (64 atoms of NaCl gave 0.73 for 1.30, 216 atoms 1.295).

    Parameters
    ----------
    phonons : Phonons
        At the minimum.
    potential : Potential
        The one they were made with.
    qpoints : ndarray, shape (n_q, 3)
        In reciprocal vectors of the primitive cell.
    reporter : Reporter
        Is told what is being done.

    Returns
    -------
    ndarray, shape (n_q, n_bands)
        Gamma, by ascending frequency.
    """
    from phono3py.phonon3.gruneisen import Gruneisen as Contraction

    settings = ThirdOrderSettings(supercell="harmonic", max_atoms=2000)
    third = compute_third_order(phonons, potential, settings, reporter).phono3py
    with one_blas_thread():
        found = Contraction(
            np.array(phonons.phonopy.force_constants),
            np.array(third.fc3),
            third.supercell,
            third.primitive,
            nac_params=phonons.phonopy.nac_params,
        )
        found.set_qpoints(np.ascontiguousarray(qpoints, dtype=float))
        found.run()
    frequencies = np.asarray(found.frequencies)
    tensors = np.asarray(found.gruneisen_parameters)
    gamma = np.trace(tensors, axis1=2, axis2=3) / 3
    order = np.argsort(frequencies, axis=1)
    frequencies = np.take_along_axis(frequencies, order, axis=1)
    gamma = np.take_along_axis(gamma, order, axis=1)
    return np.asarray(np.where(np.abs(frequencies) > SOFT, gamma, 0.0))
