"""Harmonic phonons + force constants of a temperature -> phonons at that temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.force_constants.cells import reordered
from mlphonon.force_constants.displacements import make_supercell

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy

    from mlphonon.phonons.phonons import Phonons
    from mlphonon.phonons.renormalisation import Renormalisation


def with_force_constants(
    phonons: Phonons,
    atoms: Atoms,
    force_constants: np.ndarray,
    how: Renormalisation,
    ordered_as: Phonopy | None = None,
) -> Phonons:
    """Return phonons with other force constants, about mean places of the atoms.

    Parameters
    ----------
    phonons : Phonons
        Whose record and supercell matrix are taken.
    atoms : Atoms
        Primitive cell with the mean places.
    force_constants : ndarray, shape (n_primitive or n_supercell, n_supercell, 3, 3)
        eV/A^2, already symmetric.
    how : Renormalisation
        Goes into the record.
    ordered_as : Phonopy, optional
        In whose order the supercell's atoms are; in that of `make_supercell` for `atoms` otherwise.
    """
    from phonopy.harmonic.force_constants import full_fc_to_compact_fc

    from mlphonon.phonons.phonons import Phonons

    record = phonons.record
    phonopy = make_supercell(atoms, phonons.phonopy.supercell_matrix, record.settings.symprec)
    compact = force_constants
    if force_constants.shape[0] == len(phonopy.supercell) > len(phonopy.primitive):
        compact = full_fc_to_compact_fc(phonopy.primitive, force_constants)
    if ordered_as is not None:
        compact = reordered(compact, ordered_as, phonopy)
    phonopy.force_constants = compact
    phonopy.nac_params = phonons.phonopy.nac_params
    found = {
        "method": how.method,
        "method_reason": f"{how.temperature_K:g} K",
        "n_displacements": how.n_snapshots,
        "displacement_A": None,
        "n_coefficients": None,
        "truncation_THz": None,
        "evidence": None,
        "renormalisation": how,
    }
    return Phonons(phonopy, record.model_copy(update=found))
