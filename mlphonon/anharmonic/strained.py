"""The same crystal at another volume or shape: positions relaxed, phonons in the same supercell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from mlphonon.crystal.crystal import make_crystal
from mlphonon.force_constants.born import BornCharges
from mlphonon.workflow import compute_in_supercell

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.potentials.potential import Potential
    from mlphonon.reporter import Reporter


def strained_phonons(
    phonons: Phonons,
    potential: Potential,
    stretch: np.ndarray,
    relaxes: Literal["shape", "none"] = "none",
    reporter: Reporter | None = None,
    positions: bool = True,
) -> Phonons:
    """Compute the phonons of a strained crystal.

    Parameters
    ----------
    phonons : Phonons
        Of the crystal at rest, whose settings, supercell and Born charges are taken.
    potential : Potential
        The one they were made with.
    stretch : ndarray, shape (3, 3)
        Deformation of all Cartesian vectors, x' = F x; symmetric.
    relaxes : {"shape", "none"}
        Whether the shape of the cell relaxes at its new volume, or the cell is held.
    reporter : Reporter, optional
        Is told what is being done.
    positions : bool
        Relax the positions in the strained cell. Leaving that out is right only where symmetry
        fixes them.

    Raises
    ------
    RelaxationError
        If the positions did not converge, or symmetry was lost.
    """
    atoms = phonons.atoms
    strained = atoms.copy()
    strained.set_cell(atoms.cell.array @ np.asarray(stretch).T, scale_atoms=True)
    crystal = replace(
        make_crystal(atoms, phonons.record.settings.symprec, phonons.record.name), atoms=strained
    )
    settings = phonons.record.settings.model_copy(
        update={"relax": positions, "relax_cell": relaxes, "trust": "default"}
    )
    phonopy = phonons.phonopy
    matrix, born = np.array(phonopy.supercell_matrix), BornCharges.of(phonopy)
    return compute_in_supercell(crystal, potential, settings, matrix, born, reporter)


def volume_stretch(strain: float) -> np.ndarray:
    """Return the isotropic deformation that changes a volume by a relative amount."""
    return float((1 + strain) ** (1 / 3)) * np.eye(3)
