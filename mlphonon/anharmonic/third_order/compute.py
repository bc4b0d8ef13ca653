"""Harmonic phonons + potential -> second- and third-order force constants."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.anharmonic.third_order.planning import Planner
from mlphonon.anharmonic.third_order.regression import unseen_error
from mlphonon.anharmonic.third_order.result import Provenance, ThirdOrder
from mlphonon.anharmonic.third_order.settings import ThirdOrderSettings
from mlphonon.anharmonic.third_order.supercell import choose_matrix, make_phono3py
from mlphonon.force_constants.cells import to_ase
from mlphonon.potentials.potential import check_elements
from mlphonon.reporter import Silent
from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from mlphonon.crystal.crystal import Crystal
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.potentials.potential import Potential
    from mlphonon.reporter import Reporter


def compute_third_order(
    phonons: Phonons,
    potential: Potential,
    settings: ThirdOrderSettings | None = None,
    reporter: Reporter | None = None,
    crystal: Crystal | None = None,
) -> ThirdOrder:
    """Compute third-order force constants about the minimum that phonons were computed at.

    Parameters
    ----------
    phonons : Phonons
        Harmonic; their second order is taken as it is.
    potential : Potential
        The one they were made with.
    settings : ThirdOrderSettings, optional
        Route, supercell, cutoff.
    reporter : Reporter, optional
        Is told what is being done.
    crystal : Crystal, optional
        What a supercell in the settings refers to; the primitive cell otherwise.

    Raises
    ------
    SettingsError, PotentialError
        If a route cannot be used, the supercell would be too large, or a fit is not right.
    """
    chosen, reporter = settings or ThirdOrderSettings(), reporter or Silent()
    check_elements(potential.info, [phonons.atoms])
    begun = time.perf_counter()
    phono3py = make_phono3py(phonons, choose_matrix(phonons, chosen, crystal))
    with reporter.step("planning the third order", None):
        plan = Planner(phono3py, potential, chosen).choose()
    n_atoms = len(phono3py.supercell)
    reporter.say(
        f"third order: {plan.n_evaluations} evaluations of {n_atoms} atoms by {plan.route}"
    )
    rest = potential.evaluate([to_ase(phono3py.supercell)])[0].forces
    with reporter.step("third order", plan.n_evaluations) as count:
        n_evaluations, n_coefficients = plan.run(rest, count)
    drift = _drift(np.asarray(phono3py.fc3))
    with reporter.step("symmetrising the third order", None), one_blas_thread():
        phono3py.symmetrize_fc3()
    return ThirdOrder(
        phono3py,
        Provenance(
            route=plan.route,
            reason=plan.reason,
            supercell_matrix=tuple(
                (int(a), int(b), int(c)) for a, b, c in np.asarray(phono3py.supercell_matrix)
            ),
            n_atoms_supercell=n_atoms,
            displacement_A=plan.displacement,
            cutoff_A=chosen.cutoff,
            n_evaluations=n_evaluations,
            n_coefficients=n_coefficients,
            drift_eV_per_A3=drift,
            held_out=unseen_error(phono3py, potential),
            seconds=round(time.perf_counter() - begun, 3),
        ),
    )


def _drift(fc3: np.ndarray) -> float:
    """Largest |sum_k Phi_ijk|, eV/A^3, of the third order before symmetrisation."""
    return float(np.abs(fc3.sum(axis=2)).max())
