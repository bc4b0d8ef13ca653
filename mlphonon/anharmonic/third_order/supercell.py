"""The supercell of the third order, and the phono3py object that holds both orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.crystal.crystal import Crystal, make_crystal
from mlphonon.crystal.supercell import choose_supercell
from mlphonon.settings import PhononSettings

if TYPE_CHECKING:
    from phono3py import Phono3py

    from mlphonon.anharmonic.third_order.settings import ThirdOrderSettings
    from mlphonon.phonons.phonons import Phonons


def choose_matrix(
    phonons: Phonons, settings: ThirdOrderSettings, crystal: Crystal | None = None
) -> np.ndarray:
    """Return the supercell matrix, shape (3, 3), relative to the primitive cell of the phonons.

    Parameters
    ----------
    phonons : Phonons
        Harmonic.
    settings : ThirdOrderSettings
        ``supercell`` or ``min_length`` and ``max_atoms``.
    crystal : Crystal, optional
        What a matrix in the settings refers to; the primitive cell otherwise.

    Raises
    ------
    SettingsError
        If more than ``max_atoms`` would be needed, or it is not 3 or 9 integers.
    """
    if settings.supercell == "harmonic":
        return np.array(phonons.phonopy.supercell_matrix)
    chosen = PhononSettings.make(
        phonons.record.settings,
        supercell="auto" if settings.supercell is None else settings.supercell,
        min_length=settings.min_length,
        max_atoms=settings.max_atoms,
    )
    return choose_supercell(crystal or make_crystal(phonons.atoms), phonons.atoms, chosen)


def make_phono3py(phonons: Phonons, matrix: np.ndarray) -> Phono3py:
    """Return a phono3py object with the second order of the phonons, in their supercell."""
    from phono3py import Phono3py

    harmonic = phonons.phonopy
    phono3py = Phono3py(
        harmonic.primitive,
        supercell_matrix=matrix,
        primitive_matrix=np.eye(3),
        phonon_supercell_matrix=harmonic.supercell_matrix,
        symprec=phonons.record.settings.symprec,
        log_level=0,
    )
    phono3py.fc2 = np.array(harmonic.force_constants)
    phono3py.nac_params = harmonic.nac_params
    return phono3py
