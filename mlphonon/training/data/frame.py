"""What potentials are trained on: labelled structures, second derivatives, and their origin."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.crystal.crystal import reduced_formula

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy

UNKNOWN = "unknown"

MOST_PROTONS = 118
"""Elements beyond have no name."""

LEAST_VOLUME = 0.1
"""A^3 for an atom; solid hydrogen under the pressure of a planet has ten times that."""

FARTHEST = 1e6
"""A; beyond, neighbours cannot be told apart in double precision."""


@dataclass(frozen=True)
class Origin:
    """Where labels come from.

    Attributes
    ----------
    source : str
        File they were read from.
    functional : str
        Density functional, such as ``"PBE"``; ``"unknown"`` if no file or option names it.
    code : str
        Program, such as ``"vasp"``, or the potential that was asked.
    """

    source: str
    functional: str = UNKNOWN
    code: str = UNKNOWN


@dataclass(frozen=True)
class Frame:
    """A structure and what was computed of it.

    Attributes
    ----------
    atoms : Atoms
        Periodic, without a calculator.
    forces : ndarray, shape (n_atoms, 3)
        eV/A.
    energy : float, optional
        Of the cell, eV.
    stress : ndarray, shape (3, 3), optional
        eV/A^3, positive under tension (ASE's sign).
    crystal : str
        Name of the crystal it is a distortion of.
    kind : str
        How it was distorted: ``"finite"`` (one atom, as phonopy does), ``"random"``,
        ``"strained"``, ``"modes"``, or another word.
    origin : Origin
        Where the labels come from.
    directions, responses : ndarray, shape (n_directions, n_atoms, 3)
        Displacements of all atoms (unit root mean square), and second derivatives of the energy
        times these, eV/A^2; none of both, mostly.
    """

    atoms: Atoms
    forces: np.ndarray
    energy: float | None
    stress: np.ndarray | None
    crystal: str
    kind: str
    origin: Origin
    directions: np.ndarray = field(default_factory=lambda: np.empty((0, 0, 3)))
    responses: np.ndarray = field(default_factory=lambda: np.empty((0, 0, 3)))

    def __post_init__(self) -> None:
        check_structure(self.atoms)
        if self.forces.shape != (len(self.atoms), 3):
            raise ValueError(f"forces of shape {self.forces.shape} for {len(self.atoms)} atoms")
        along, shape = self.directions.shape, self.responses.shape
        if along != shape or (len(along) != 3 or (along[0] and along[1:] != self.forces.shape)):
            raise ValueError(f"directions and responses of shapes {along} and {shape}")
        stress = np.zeros(0) if self.stress is None else self.stress
        if self.stress is not None and stress.shape != (3, 3):
            raise ValueError(f"a stress of shape {stress.shape}")
        numbers = [self.forces, stress, self.directions, self.responses]
        if not all(np.isfinite(each).all() for each in (*numbers, np.array(self.energy or 0.0))):
            raise ValueError("a label is not a number")

    @property
    def formula(self) -> str:
        """Reduced formula, by which data are split."""
        return reduced_formula(self.atoms)

    def fingerprint(self) -> str:
        """SHA-256 of species, cell and positions (to 1e-6 A): equal for equal structures."""
        digest = hashlib.sha256()
        for array in (self.atoms.numbers, self.atoms.cell.array, self.atoms.positions):
            digest.update((np.round(np.asarray(array, dtype=float), 6) + 0.0).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Curvature:
    """Second derivatives of a crystal at rest.

    Attributes
    ----------
    unitcell : Atoms
        At rest.
    supercell_matrix : ndarray of int, shape (3, 3)
        phonopy's.
    primitive_matrix : ndarray, shape (3, 3)
        phonopy's.
    force_constants : ndarray, shape (n_primitive, n_supercell, 3, 3)
        Compact as phonopy's, symmetrised, eV/A^2.
    crystal : str
        Name of the crystal.
    origin : Origin
        Where they come from.
    """

    unitcell: Atoms
    supercell_matrix: np.ndarray
    primitive_matrix: np.ndarray
    force_constants: np.ndarray
    crystal: str
    origin: Origin

    def __post_init__(self) -> None:
        check_structure(self.unitcell)
        sizes = [_size(matrix) for matrix in (self.primitive_matrix, self.supercell_matrix)]
        n_primitive, n_atoms = (round(len(self.unitcell) * size) for size in sizes)
        shape = self.force_constants.shape
        if shape != (n_primitive, n_atoms, 3, 3) or not np.isfinite(self.force_constants).all():
            raise ValueError(
                f"force constants of shape {shape} for {n_primitive} and {n_atoms} atoms"
            )

    def phonopy(self) -> Phonopy:
        """Return a phonopy object that holds it."""
        from phonopy import Phonopy

        from mlphonon.force_constants.cells import to_phonopy

        phonopy = Phonopy(
            to_phonopy(self.unitcell),
            self.supercell_matrix,
            primitive_matrix=self.primitive_matrix,
            log_level=0,
        )
        phonopy.force_constants = self.force_constants
        return phonopy

    @property
    def formula(self) -> str:
        """Reduced formula, by which data are split."""
        return reduced_formula(self.unitcell)


@dataclass(frozen=True)
class TrainingData:
    """Frames and curvatures, and which formulas are held out.

    Attributes
    ----------
    frames : tuple of Frame
        Labelled structures.
    curvatures : tuple of Curvature
        Second derivatives.
    held_out : frozenset of str
        Reduced formulas that nothing is learned from.
    """

    frames: tuple[Frame, ...] = ()
    curvatures: tuple[Curvature, ...] = ()
    held_out: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def formulas(self) -> tuple[str, ...]:
        """All reduced formulas, in order."""
        return tuple(
            sorted({f.formula for f in self.frames} | {c.formula for c in self.curvatures})
        )

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Where everything comes from."""
        return tuple(f.origin for f in self.frames) + tuple(c.origin for c in self.curvatures)

    def hold_out(self, fraction: float, seed: int) -> TrainingData:
        """Return the same data with a share of its formulas held out.

        By formula and never by frame: frames of one crystal, and polymorphs of one formula, are
        near relatives. At least one is held out and one is kept.
        """
        ranked = sorted(self.formulas, key=lambda name: _share(name, seed))
        number = min(max(1, round(fraction * len(ranked))), len(ranked) - 1)
        return TrainingData(self.frames, self.curvatures, frozenset(ranked[:number]))

    def part(self, held_out: bool) -> TrainingData:
        """Return what is held out, or what is learned from."""

        def chosen(one: Frame | Curvature) -> bool:
            return (one.formula in self.held_out) == held_out

        frames, curvatures = filter(chosen, self.frames), filter(chosen, self.curvatures)
        return TrainingData(tuple(frames), tuple(curvatures), self.held_out)


def join(parts: Iterable[TrainingData]) -> TrainingData:
    """Put data together; what one part holds out is held out of all."""
    parts = tuple(parts)
    return TrainingData(
        tuple(frame for part in parts for frame in part.frames),
        tuple(curvature for part in parts for curvature in part.curvatures),
        frozenset(name for part in parts for name in part.held_out),
    )


def check_structure(atoms: Atoms) -> None:
    """Refuse a structure that is no crystal: of no volume, or with atoms that are nowhere.

    Raises
    ------
    ValueError
        With what is wrong.
    """
    if not len(atoms):
        raise ValueError("a structure has no atoms")
    if not 1 <= atoms.numbers.min() <= atoms.numbers.max() <= MOST_PROTONS:
        raise ValueError("a structure holds an element that there is not")
    lengths = np.abs(np.concatenate([atoms.positions, atoms.cell.array]))
    wrong = None
    # Not a number compares as false.
    if not (lengths < FARTHEST).all():
        wrong = f"a position or lattice vector of {{}} is not a number, or beyond {FARTHEST:g} A"
    elif abs(np.linalg.det(atoms.cell.array)) < LEAST_VOLUME * len(atoms):
        wrong = "the cell of {} has no volume"
    if wrong:
        raise ValueError(wrong.format(atoms.get_chemical_formula()))


def _size(matrix: np.ndarray) -> float:
    """Return the volume of a cell in units of another; of a matrix that is none, raise."""
    if np.shape(matrix) != (3, 3) or not np.isfinite(matrix).all():
        raise ValueError(f"a cell is given by a matrix of shape {np.shape(matrix)}")
    return float(abs(np.linalg.det(matrix)))


def _share(formula: str, seed: int) -> int:
    return int(hashlib.sha256(f"{seed}:{formula}".encode()).hexdigest()[:12], 16)
