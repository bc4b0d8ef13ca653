"""Born effective charges and dielectric tensor, turned into the orientation that is used."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.data import chemical_symbols

from mlphonon.crystal.periodic_table import electronegativity
from mlphonon.errors import CrystalError, first_line

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    from mlphonon.crystal.crystal import Crystal

ASYMMETRY_LIMIT = 0.2
"""e, and one for the dielectric tensor; what DFPT leaves is a tenth of it, wrong axes give more."""

NOTED_EXCESS = 0.05
"""e per atom by which charges miss their sum of zero, from which on it is worth a note."""

LARGEST_CHARGE = 50.0
"""e; ferroelectric perovskites have up to 9."""

DIELECTRIC_LIMITS = (0.99, 1e4)
"""Of the eigenvalues of a dielectric tensor; electrons never screen less than nothing."""

PLAIN_CHARGE = 0.5
"""e; of elements that differ by `PLAIN_ELECTRONEGATIVITY` on Pauling's scale, charges of the wrong
sign beyond this mean that they were given to the wrong atoms."""

PLAIN_ELECTRONEGATIVITY = 0.5

MAX_BYTES = 1 << 20
"""Of a BORN file."""


@dataclass(frozen=True)
class BornCharges:
    """What the non-analytical term correction needs, for the standardised primitive cell.

    Attributes
    ----------
    charges : ndarray, shape (n_atoms, 3, 3)
        Born effective charges, e.
    dielectric : ndarray, shape (3, 3)
        High-frequency dielectric tensor.
    notes : tuple of str
        What was noticed or changed on the way, in words.
    """

    charges: np.ndarray
    dielectric: np.ndarray
    notes: tuple[str, ...] = ()

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
    from mlphonon.force_constants.cells import to_ase

    if isinstance(source, BornCharges):
        return source
    given = crystal.given.copy()
    if np.linalg.det(given.cell.array) < 0:
        given.set_cell(-given.cell.array, scale_atoms=False)
    if isinstance(source, tuple):
        charges, dielectric = _from_arrays(source, given, crystal)
        holders = given
    else:
        charges, dielectric, primitive = _from_file(source, given, crystal, symprec)
        holders = to_ase(primitive)
    _check_values(charges, dielectric, crystal)
    turn = crystal.to_standard
    order = _matching_atoms(crystal, holders)
    turned = np.array([turn @ charges[i] @ turn.T for i in order])
    return _symmetrised(turned, turn @ dielectric @ turn.T, crystal, symprec)


def _from_arrays(
    source: tuple[Any, Any], given: Atoms, crystal: Crystal
) -> tuple[np.ndarray, np.ndarray]:
    try:
        charges, dielectric = (np.asarray(part, dtype=float) for part in source)
    except (TypeError, ValueError) as error:
        raise CrystalError(
            f"cannot use the Born charges for {crystal.name}", str(error), "give two arrays"
        ) from error
    if charges.shape != (len(given), 3, 3) or dielectric.shape != (3, 3):
        raise CrystalError(
            f"Born charges of shape {charges.shape} and a dielectric tensor of shape"
            f" {dielectric.shape} do not fit {crystal.name}",
            f"expected ({len(given)}, 3, 3) and (3, 3)",
        )
    return charges, dielectric


def _from_file(
    path: Path, given: Atoms, crystal: Crystal, symprec: float
) -> tuple[np.ndarray, np.ndarray, PhonopyAtoms]:
    """Return charges, dielectric tensor, and the primitive cell whose atoms have the charges."""
    from phonopy.file_IO import parse_BORN_from_strings
    from phonopy.structure.cells import get_primitive, guess_primitive_matrix

    from mlphonon.force_constants.cells import to_phonopy

    try:
        if path.exists() and (not path.is_file() or path.stat().st_size > MAX_BYTES):
            raise ValueError(f"it is no file of up to {MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
        unit_cell = to_phonopy(given)
        matrix = guess_primitive_matrix(unit_cell, symprec=symprec)
        primitive = get_primitive(unit_cell, matrix, symprec=symprec)
        params = parse_BORN_from_strings(text, primitive, symprec=symprec)
    except (OSError, ValueError, RuntimeError, IndexError) as error:
        raise CrystalError(
            f"cannot use the BORN file {path} for {crystal.name}",
            first_line(error),
            "give charges of the independent atoms of the primitive cell",
        ) from error
    return np.asarray(params["born"]), np.asarray(params["dielectric"]), primitive


def _check_values(charges: np.ndarray, dielectric: np.ndarray, crystal: Crystal) -> None:
    """Raise `CrystalError` where no crystal has such charges or such a dielectric tensor."""
    reason = ""
    if not (np.isfinite(charges).all() and np.isfinite(dielectric).all()):
        reason = "some are not finite numbers"
    elif np.abs(charges).max() > LARGEST_CHARGE:
        reason = f"one is {np.abs(charges).max():.3g} e; none is above {LARGEST_CHARGE:g} e"
    elif np.abs(dielectric).max() > DIELECTRIC_LIMITS[1]:
        reason = f"the dielectric tensor has components above {DIELECTRIC_LIMITS[1]:g}"
    elif (least := np.linalg.eigvalsh((dielectric + dielectric.T) / 2)[0]) < DIELECTRIC_LIMITS[0]:
        reason = f"an eigenvalue of the dielectric tensor is {least:.3g}; none is below 1"
    if reason:
        raise CrystalError(
            f"the Born charges or the dielectric tensor of {crystal.name} cannot be",
            reason,
            "look at the file or the arrays: the dielectric tensor, then the charges in e",
        )


def _symmetrised(
    charges: np.ndarray, dielectric: np.ndarray, crystal: Crystal, symprec: float
) -> BornCharges:
    """Average over the symmetry of the crystal; refuse what cannot belong to it."""
    from phonopy.structure.symmetry import symmetrize_borns_and_epsilon

    from mlphonon.force_constants.cells import to_phonopy

    with warnings.catch_warnings():
        # Phonopy warns of what is refused below.
        warnings.simplefilter("ignore")
        # It also takes from each atom its share of what is left of the sum.
        fair_charges, fair_dielectric = symmetrize_borns_and_epsilon(
            charges, dielectric, to_phonopy(crystal.atoms), symprec=symprec
        )
    excess = charges.mean(axis=0)
    if np.abs(excess).max() > ASYMMETRY_LIMIT:
        raise CrystalError(
            f"the Born charges of {crystal.name} do not add up to zero",
            f"up to {np.abs(excess).max():.2f} e per atom are left",
            "give them in the order of atoms of the structure",
        )
    charge_off = float(np.abs(fair_charges + excess - charges).max())
    dielectric_off = float(np.abs(fair_dielectric - dielectric).max())
    if charge_off > ASYMMETRY_LIMIT or dielectric_off > ASYMMETRY_LIMIT:
        raise CrystalError(
            f"the Born charges do not have the symmetry of {crystal.name}",
            f"{crystal.spacegroup} is broken by {charge_off:.2f} e in the charges and by"
            f" {dielectric_off:.2f} in the dielectric tensor",
            "give them in the Cartesian axes and the order of atoms of the structure",
        )
    notes = [*_note_of_excess(excess), *_note_of_signs(fair_charges, crystal)]
    return BornCharges(np.asarray(fair_charges), np.asarray(fair_dielectric), tuple(notes))


def _note_of_excess(excess: np.ndarray) -> Iterator[str]:
    if (largest := float(np.abs(excess).max())) > NOTED_EXCESS:
        yield (
            f"the Born charges did not add up to zero; up to {largest:.2f} e was taken from each"
            " atom, so that they do"
        )


def _note_of_signs(charges: np.ndarray, crystal: Crystal) -> Iterator[str]:
    """Note elements whose charges have the sign that the other element's should have."""
    numbers = crystal.atoms.numbers
    scale = {z: x for z in {int(z) for z in numbers} if (x := electronegativity(z)) is not None}
    if len(scale) < 2:
        return
    cation, anion = min(scale, key=scale.__getitem__), max(scale, key=scale.__getitem__)
    if scale[anion] - scale[cation] < PLAIN_ELECTRONEGATIVITY:
        return
    mean = np.trace(charges, axis1=1, axis2=2) / 3
    for number, sign in ((cation, 1), (anion, -1)):
        charge = float(mean[numbers == number].mean())
        if sign * charge < -PLAIN_CHARGE:
            yield (
                f"the Born charges of {chemical_symbols[number]} are {charge:+.1f} e, of the other"
                " sign than its electronegativity lets expect; are they in the right order?"
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
