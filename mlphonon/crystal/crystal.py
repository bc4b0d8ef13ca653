"""Reading a crystal, checking it, and bringing it to its standardised primitive cell."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from mlphonon.crystal.canonical import canonical_setting
from mlphonon.crystal.neighbours import pairs_within
from mlphonon.crystal.periodic_table import F_BLOCK, period_and_group
from mlphonon.crystal.structure_files import read_structures
from mlphonon.errors import CrystalError

if TYPE_CHECKING:
    import spglib

SHORTEST_DISTANCE = 0.5
"""A; no two atoms of a crystal come this close (H-H in hydrogen is 0.74 A)."""

LARGEST_VOLUME = 1e4
"""A^3 per atom; a molecule of three atoms in a box of 20 A has 2,700."""

LONGEST_VECTOR = 1e3
"""A, of the cell."""

LEAST_HEIGHT = 0.05
"""A, of the cell; of a sheared one it is less than the distance of any atoms."""

LOOSE_SYMPREC = 1e-3
"""A; a structure with a higher group at this tolerance was probably written with few digits."""


@dataclass(frozen=True)
class Crystal:
    """A checked crystal in its standardised primitive cell.

    Attributes
    ----------
    name : str
        What results are called.
    atoms : Atoms
        Standardised primitive cell on spglib's vectors, without magnetic moments; the same
        for every way in which a crystal can be given (see `mlphonon.crystal.canonical`).
    spacegroup : str
        International symbol and number, e.g. ``"Fm-3m (225)"``.
    given : Atoms
        The crystal as it was given.
    given_matrix : ndarray of int, shape (3, 3)
        Rows of the given cell (rotated) in terms of the rows of the primitive cell.
    to_standard : ndarray, shape (3, 3)
        Turns Cartesian vectors of the given crystal into those of `atoms` (x' = R x).
    origin_shift : ndarray, shape (3,)
        Added after the rotation, A.
    notes : tuple of str
        What was noticed or changed on the way, in words.
    """

    name: str
    atoms: Atoms
    spacegroup: str
    given: Atoms
    given_matrix: np.ndarray
    to_standard: np.ndarray
    origin_shift: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def formula(self) -> str:
        """Reduced chemical formula, elements by their column: ``"SiO2"``."""
        return reduced_formula(self.atoms)

    def structure_hash(self) -> str:
        """SHA-256 of species, cell and positions as given (to 1e-8 A)."""
        return structure_hash(self.given)


def structure_hash(atoms: Atoms) -> str:
    """SHA-256 of species, cell and positions (to 1e-8 A)."""
    digest = hashlib.sha256()
    for array in (atoms.numbers, atoms.cell.array, atoms.positions):
        digest.update(np.round(np.asarray(array, dtype=float), 8).tobytes())
    return digest.hexdigest()


def read_crystals(path: str | Path, symprec: float = 1e-5) -> list[Crystal]:
    """Read every structure in a file that ASE can read, checked and standardised.

    Parameters
    ----------
    path : str or Path
        Of the file.
    symprec : float
        Tolerance of the symmetry search, A.

    Raises
    ------
    CrystalError
        If the file cannot be read or a structure cannot be used.
    """
    path = Path(path)
    images = read_structures(path)
    stem = path.stem if path.suffix else path.name
    names = [stem] if len(images) == 1 else [f"{stem}-{i + 1}" for i in range(len(images))]
    return [make_crystal(a, symprec, name) for a, name in zip(images, names, strict=True)]


def read_crystal(path: str | Path, symprec: float = 1e-5) -> Crystal:
    """Read the only structure in a file; raises `CrystalError` as `read_crystals`, or if more."""
    found = read_crystals(path, symprec)
    if len(found) != 1:
        raise CrystalError(
            f"{path} holds {len(found)} structures",
            fix="give a file with one, or take one of mlphonon.crystal.crystal.read_crystals",
        )
    return found[0]


def make_crystal(structure: Any, symprec: float = 1e-5, name: str | None = None) -> Crystal:
    """Check a structure and bring it to its standardised primitive cell.

    Parameters
    ----------
    structure : Atoms, pymatgen Structure, Crystal, or path
        A `Crystal` is returned unchanged; a file must hold one structure (see `read_crystal`).
    symprec : float
        Tolerance of the symmetry search, A.
    name : str, optional
        What results are called; the formula by default, of a file its name.

    Raises
    ------
    CrystalError
        If the structure is not a crystal that can be used; the message says why.
    """
    if isinstance(structure, Crystal):
        return structure
    if isinstance(structure, str | Path):
        found = read_crystal(structure, symprec)
        return found if name is None else replace(found, name=name)
    atoms = _to_atoms(structure)
    _check(atoms)
    notes = []
    if np.any(np.abs(atoms.get_initial_magnetic_moments()) > 1e-8):
        notes.append("magnetic moments were set aside: the potential does not see them")
    if atoms.has("masses") and not np.allclose(atoms.get_masses(), atomic_masses[atoms.numbers]):
        notes.append("isotope masses were set aside: those of the natural elements are used")
    cell, fractional = atoms.cell.array, atoms.get_scaled_positions(wrap=False)
    if np.linalg.det(cell) < 0:
        # The same points on the vectors turned round; nothing moves in space.
        cell, fractional = -cell, -fractional
        notes.append("the cell was left-handed; its vectors were turned round")
    symmetry = _dataset((cell, fractional, atoms.numbers), symprec)
    loose = _dataset((cell, fractional, atoms.numbers), max(LOOSE_SYMPREC, symprec))
    # Numbers do not grow with symmetry: of P4/mmm (123), P4/mbm (127) is a subgroup.
    if len(loose.rotations) > len(symmetry.rotations):
        notes.append(
            f"space group {symmetry.international} ({symmetry.number}); with symprec"
            f" {LOOSE_SYMPREC:g} it would be {loose.international} ({loose.number})"
        )
    primitive = _standard_primitive((cell, fractional, atoms.numbers), symprec)
    primitive, turn = canonical_setting(primitive, point_group(primitive, symprec), symprec)
    standard = turn @ symmetry.std_lattice.T @ symmetry.transformation_matrix
    return Crystal(
        name=name or reduced_formula(primitive),
        atoms=primitive,
        spacegroup=f"{symmetry.international} ({symmetry.number})",
        given=atoms,
        given_matrix=np.rint(
            np.sign(np.linalg.det(atoms.cell.array)) * standard.T @ np.linalg.inv(primitive.cell)
        ).astype(int),
        to_standard=standard @ np.linalg.inv(cell.T),
        origin_shift=turn @ symmetry.std_lattice.T @ symmetry.origin_shift,
        notes=tuple(notes),
    )


def symmetry_count(atoms: Atoms, symprec: float) -> int:
    """Return the number of symmetry operations of the cell, its centrings included.

    Of one cell, a structure with a supergroup has more. Magnetic moments are not considered.
    """
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    return len(_dataset(cell, symprec).rotations)


def site_symmetry_orders(atoms: Atoms, symprec: float) -> np.ndarray:
    """Return how many operations keep an atom in its place, of one of each orbit, shape (n,)."""
    found = _dataset((atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers), symprec)
    sizes = np.unique(found.crystallographic_orbits, return_counts=True)[1]
    return len(found.rotations) // sizes


def point_group(atoms: Atoms, symprec: float) -> np.ndarray:
    """Return the rotations of the space group in fractional coordinates, shape (n, 3, 3)."""
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    return np.unique(_dataset(cell, symprec).rotations, axis=0)


def space_group(atoms: Atoms, symprec: float) -> tuple[np.ndarray, np.ndarray]:
    """Return rotations (n, 3, 3) and translations (n, 3) of the cell, in fractional coordinates."""
    found = _dataset((atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers), symprec)
    return found.rotations, found.translations


def space_group_number(spacegroup: str) -> int:
    """Return the number of a space group that is written ``"Fm-3m (225)"``."""
    return int(spacegroup.rpartition("(")[2].rstrip(")"))


def reduced_formula(atoms: Atoms) -> str:
    """Return the reduced chemical formula, elements by their column: ``"SiO2"``."""
    counts = atoms.symbols.formula.reduce()[0].count()
    numbers = {symbol: str(n) if n > 1 else "" for symbol, n in counts.items()}
    return "".join(symbol + numbers[symbol] for symbol in sorted(counts, key=_place))


def _place(symbol: str) -> tuple[float, int]:
    """Where an element stands in a formula: by its column, in it the heavier first.

    Hydrogen stands before oxygen, as in LiH and H2O, and the f block with scandium.
    """
    period, group = period_and_group(atomic_numbers[symbol])
    if symbol == "H":
        return 15.5, -period
    return (3 if group == F_BLOCK else group), -period


def _to_atoms(structure: Any) -> Atoms:
    """Return a copy as ASE Atoms; a pymatgen Structure is turned into one."""
    if isinstance(structure, Atoms):
        atoms = structure.copy()
        _check_occupancy(atoms)
        return atoms
    if hasattr(structure, "lattice") and hasattr(structure, "is_ordered"):
        if not structure.is_ordered:
            site = next(site for site in structure if not site.is_ordered)
            raise CrystalError(
                "the crystal is disordered",
                f"site {site.species_string} at {np.round(site.frac_coords, 4).tolist()}",
                "make an ordered supercell first",
            )
        return Atoms(
            numbers=[site.specie.Z for site in structure],
            cell=structure.lattice.matrix,
            scaled_positions=structure.frac_coords,
            pbc=True,
        )
    raise CrystalError(
        f"cannot make a crystal of {type(structure).__name__}",
        fix="give ase.Atoms, a pymatgen Structure or the path of a file",
    )


def _check_occupancy(atoms: Atoms) -> None:
    """Refuse sites that ASE's CIF reader found partly or doubly occupied."""
    occupancy = atoms.info.get("occupancy")
    kinds = atoms.arrays.get("spacegroup_kinds")
    for kind, species in (occupancy if isinstance(occupancy, dict) else {}).items():
        try:
            shares = {symbol: float(share) for symbol, share in species.items()}
        except (AttributeError, TypeError, ValueError) as error:
            raise CrystalError(f"the occupancy of site {kind} is no number") from error
        if len(shares) == 1 and abs(next(iter(shares.values())) - 1) < 1e-3:
            continue
        what = " + ".join(f"{symbol} {share:g}" for symbol, share in shares.items())
        where = ""
        if kinds is not None and (at := np.flatnonzero(kinds.astype(str) == str(kind))).size:
            place = np.round(atoms.get_scaled_positions()[at[0]], 4).tolist()
            where = f" at {place}"
        raise CrystalError(
            f"site {kind}{where} is partly occupied ({what})",
            "phonons need every site to hold one whole atom",
            "make an ordered supercell first",
        )


def _check(atoms: Atoms) -> None:
    """Raise `CrystalError` where `atoms` is not a usable crystal."""
    if len(atoms) == 0:
        raise CrystalError("the structure holds no atoms")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise CrystalError("the structure holds a position or cell that is not a finite number")
    volume = float(np.linalg.det(atoms.cell.array))
    if not atoms.pbc.all() or abs(volume) < 1e-6:
        raise CrystalError(
            "the structure is not periodic in three directions",
            f"periodic: {atoms.pbc.tolist()}, volume of the cell: {abs(volume):.3g} A^3",
            "give a crystal with three cell vectors (atoms.pbc = True)",
        )
    longest = float(atoms.cell.lengths().max())
    with np.errstate(divide="ignore"):
        heights = 1.0 / np.linalg.norm(np.linalg.inv(atoms.cell.array), axis=0)
    least = float(heights.min())
    if (
        longest > LONGEST_VECTOR
        or abs(volume) > LARGEST_VOLUME * len(atoms)
        or least < LEAST_HEIGHT
    ):
        raise CrystalError(
            "the cell is too large, too empty or too flat for a crystal",
            f"its longest vector has {longest:.3g} A, its least height {least:.3g} A, and an atom"
            f" {abs(volume) / len(atoms):.3g} A^3",
            "look for a wrong unit of length; reduce the cell if it is sheared",
        )
    if (atoms.numbers < 1).any():
        raise CrystalError("the structure holds an atom without an element (X)")
    i, j, vectors = pairs_within(atoms, SHORTEST_DISTANCE)
    if len(vectors):
        d = np.linalg.norm(vectors, axis=1)
        k = int(np.argmin(d))
        raise CrystalError(
            f"atoms {i[k]} ({atoms.symbols[i[k]]}) and {j[k]} ({atoms.symbols[j[k]]})"
            f" are {d[k]:.3f} A apart",
            f"nothing in a crystal is closer than {SHORTEST_DISTANCE} A",
            "look for sites given twice, or a wrong cell",
        )


def _dataset(cell: tuple[Any, Any, Any], symprec: float) -> spglib.SpglibDataset:
    import spglib

    try:
        dataset = spglib.get_symmetry_dataset(cell, symprec=symprec)
    except spglib.SpglibError as error:
        raise CrystalError(
            "spglib finds no space group", str(error), "try another symprec, or check the cell"
        ) from error
    if dataset is None:
        raise CrystalError("spglib finds no space group", fix="try another symprec")
    return dataset


def _standard_primitive(cell: tuple[Any, Any, Any], symprec: float) -> Atoms:
    import spglib

    found = spglib.standardize_cell(cell, to_primitive=True, no_idealize=False, symprec=symprec)
    if found is None:
        raise CrystalError("spglib cannot standardise the cell", fix="try another symprec")
    lattice, fractional, numbers = found
    return Atoms(numbers=numbers, cell=lattice, scaled_positions=fractional, pbc=True)
