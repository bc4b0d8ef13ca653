"""Born effective charges and dielectric tensor, turned into the orientation that is used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.errors import CrystalError

if TYPE_CHECKING:
    from mlphonon.crystal import Crystal


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

    def nac_params(self, method: str) -> dict[str, Any]:
        """Return phonopy's ``nac_params``."""
        return {"born": self.charges, "dielectric": self.dielectric, "method": method}


def read_born(source: Path | tuple[Any, Any], crystal: Crystal, symprec: float) -> BornCharges:
    """Take Born charges from a BORN file or from arrays.

    Parameters
    ----------
    source : Path or (charges, dielectric)
        A phonopy BORN file: charges of the symmetrically independent atoms of the primitive
        cell that phonopy finds in the crystal as given. Or arrays of shape (n, 3, 3) and
        (3, 3), charges of all atoms of the crystal as given. Cartesian axes are those of
        the crystal as given.
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
    from phonopy.structure.cells import get_primitive

    from mlphonon.force_constants.displacements import to_ase, to_phonopy

    given = crystal.given.copy()
    if np.linalg.det(given.cell.array) < 0:
        positions = given.positions.copy()
        given.set_cell(-given.cell.array)
        given.positions = positions
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
            primitive = get_primitive(to_phonopy(given), "auto", symprec=symprec)
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
    return BornCharges(
        charges=np.array([turn @ charges[i] @ turn.T for i in order]),
        dielectric=turn @ dielectric @ turn.T,
    )


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
