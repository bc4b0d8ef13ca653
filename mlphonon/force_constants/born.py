"""Born effective charges and dielectric tensor, turned into the orientation that is used."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.errors import CrystalError

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.crystal.crystal import Crystal

ASYMMETRY_LIMIT = 0.2
"""e, and one for the dielectric tensor; what DFPT leaves is a tenth of it, wrong axes give more."""


@dataclass(frozen=True)
class BornCharges:
    """What the non-analytical term correction needs, for the standardised primitive cell.

    Attributes
    ----------
    charges : ndarray, shape (n_atoms, 3, 3)
        Born effective charges, e.
    dielectric : ndarray, shape (3, 3)
        High-frequency dielectric tensor.
    """

    charges: np.ndarray
    dielectric: np.ndarray

    @classmethod
    def of(cls, phonopy: Phonopy) -> BornCharges | None:
        """Return those that a phonopy object holds, for its primitive cell; None if it has none."""
        params = phonopy.nac_params
        if params is None:
            return None
        return cls(np.array(params["born"]), np.array(params["dielectric"]))

    def nac_params(self, method: str) -> dict[str, Any]:
        """Return phonopy's ``nac_params``; the factor is e^2 / (4 pi epsilon_0) in eV A."""
        from phonopy.interface.calculator import get_calculator_physical_units

        return {
            "born": self.charges,
            "dielectric": self.dielectric,
            "factor": get_calculator_physical_units(None).nac_factor,
            "method": method,
        }


def read_born(
    source: Path | tuple[Any, Any] | BornCharges, crystal: Crystal, symprec: float
) -> BornCharges:
    """Take Born charges from a BORN file or from arrays.

    Parameters
    ----------
    source : Path, (charges, dielectric) or BornCharges
        A phonopy BORN file: charges of the symmetrically independent atoms of the primitive
        cell that phonopy finds in the crystal as given. Or arrays of shape (n, 3, 3) and
        (3, 3), charges of all atoms of the crystal as given. Cartesian axes are those of
        the crystal as given. `BornCharges` are of the standardised cell and taken as they are.
    crystal : Crystal
        Knows the rotation from the given crystal to the standardised one.
    symprec : float
        Tolerance of the symmetry search, A.

    Raises
    ------
    CrystalError
        If the file or the arrays do not fit the crystal.
    """
    from phonopy.file_IO import parse_BORN
    from phonopy.structure.cells import get_primitive, guess_primitive_matrix

    from mlphonon.force_constants.cells import to_ase, to_phonopy

    if isinstance(source, BornCharges):
        return source
    given = crystal.given.copy()
    if np.linalg.det(given.cell.array) < 0:
        given.set_cell(-given.cell.array, scale_atoms=False)
    if isinstance(source, tuple):
        charges, dielectric = (np.asarray(part, dtype=float) for part in source)
        if charges.shape != (len(given), 3, 3) or dielectric.shape != (3, 3):
            raise CrystalError(
                f"Born charges of shape {charges.shape} and a dielectric tensor of shape"
                f" {dielectric.shape} do not fit {crystal.name}",
                f"expected ({len(given)}, 3, 3) and (3, 3)",
            )
        holders = given
    else:
        try:
            unit_cell = to_phonopy(given)
            matrix = guess_primitive_matrix(unit_cell, symprec=symprec)
            primitive = get_primitive(unit_cell, matrix, symprec=symprec)
            params = parse_BORN(primitive, symprec=symprec, filename=str(source))
        except (OSError, ValueError, RuntimeError, IndexError) as error:
            raise CrystalError(
                f"cannot use the BORN file {source} for {crystal.name}",
                str(error).splitlines()[0] if str(error) else type(error).__name__,
                "give charges of the independent atoms of the primitive cell",
            ) from error
        charges, dielectric = np.asarray(params["born"]), np.asarray(params["dielectric"])
        holders = to_ase(primitive)
    turn = crystal.to_standard
    order = _matching_atoms(crystal, holders)
    turned = np.array([turn @ charges[i] @ turn.T for i in order])
    return _symmetrised(turned, turn @ dielectric @ turn.T, crystal, symprec)


def _symmetrised(
    charges: np.ndarray, dielectric: np.ndarray, crystal: Crystal, symprec: float
) -> BornCharges:
    """Average over the symmetry of the crystal; refuse what cannot belong to it."""
    from phonopy.structure.symmetry import symmetrize_borns_and_epsilon

    from mlphonon.force_constants.cells import to_phonopy

    with warnings.catch_warnings():
        # Phonopy warns of what is refused below.
        warnings.simplefilter("ignore")
        fair_charges, fair_dielectric = symmetrize_borns_and_epsilon(
            charges, dielectric, to_phonopy(crystal.atoms), symprec=symprec
        )
    charge_off = float(np.abs(fair_charges - charges).max())
    dielectric_off = float(np.abs(fair_dielectric - dielectric).max())
    if charge_off > ASYMMETRY_LIMIT or dielectric_off > ASYMMETRY_LIMIT:
        raise CrystalError(
            f"the Born charges do not have the symmetry of {crystal.name}",
            f"{crystal.spacegroup} is broken by {charge_off:.2f} e in the charges and by"
            f" {dielectric_off:.2f} in the dielectric tensor",
            "give them in the Cartesian axes and the order of atoms of the structure",
        )
    return BornCharges(np.asarray(fair_charges), np.asarray(fair_dielectric))


def _matching_atoms(crystal: Crystal, holders: Any) -> list[int]:
    """For each atom of the standardised primitive cell, the index of its like in `holders`."""
    moved = holders.positions @ crystal.to_standard.T + crystal.origin_shift
    inverse = np.linalg.inv(crystal.atoms.cell.array)
    order = []
    for number, position in zip(crystal.atoms.numbers, crystal.atoms.positions, strict=True):
        difference = (moved - position) @ inverse
        difference -= np.rint(difference)
        distance = np.linalg.norm(difference @ crystal.atoms.cell.array, axis=1)
        distance[holders.numbers != number] = np.inf
        best = int(np.argmin(distance))
        if distance[best] > 0.05:
            raise CrystalError(
                f"cannot assign the Born charges to the atoms of {crystal.name}",
                "no atom lies where the standardised cell has one",
                "give them for the same structure as the phonons",
            )
        order.append(best)
    return order
