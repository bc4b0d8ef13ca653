"""What only the potential can tell of a result: measured beside the calculation, in a small cell.

The first displacement (or row) of the calculation is made again in the primitive cell, where it
costs a hundredth: as long, twice as long, somewhere else in space, and in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.crystal.crystal import make_crystal, symmetry_count
from mlphonon.force_constants.displacements import SMALL
from mlphonon.phonons.evidence import Evidence
from mlphonon.potentials.potential import (
    DifferentiablePotential,
    KernelPotential,
    PrecisionPotential,
)
from mlphonon.trust.training import training_distance

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy import Phonopy

    from mlphonon.crystal.crystal import Crystal
    from mlphonon.force_constants import ForceConstants
    from mlphonon.potentials.potential import Potential
    from mlphonon.settings import PhononSettings

SHIFT = np.array([0.2371, -0.3513, 0.1397])
"""A; moves the crystal as a whole to a place that is no multiple of anything."""

FIELD = 0.01
"""A; displacement at which kernels are compared."""

STRAIN = 2e-3
"""Relative length by which the cell is stretched for the bulk modulus."""

SOFTEST = 1e-3
"""Share of the spring that holds an atom to its place, below which none is believed."""


def measure_evidence(
    crystal: Crystal,
    atoms: Atoms,
    constants: ForceConstants,
    potential: Potential,
    settings: PhononSettings,
) -> Evidence:
    """Ask the potential what the verdict needs.

    Parameters
    ----------
    crystal : Crystal
        As it was before the relaxation.
    atoms : Atoms
        The relaxed primitive cell.
    constants : ForceConstants
        Of that cell.
    potential : Potential
        What made them.
    settings : PhononSettings
        ``symprec``, and how much is looked at: ``trust``.
    """
    symprec = settings.symprec
    gained = symmetry_count(atoms, symprec) - symmetry_count(crystal.atoms, symprec)
    rest, stretched = potential.evaluate([atoms, _stretched(atoms)])
    probes = _make_probes(constants, every=settings.trust == "full")
    found = [probe.measure(constants, potential) for probe in probes]
    raw = constants.residuals
    bent = [one for one, _ in found] + [raw.nonlinearity, raw.held_out]
    rounded = [raw.rounding] if raw.rounding is not None else [other for _, other in found]
    far = training_distance(potential, atoms)
    kernels = None
    if settings.trust == "full" and isinstance(potential, KernelPotential):
        plain = potential.with_plain_kernels()
        kernels = max(probe.between(potential, plain) for probe in probes)
    return Evidence(
        symmetry_gained=make_crystal(atoms, symprec).spacegroup if gained > 0 else None,
        operations_gained=gained,
        step_to_rest_A=_step_to_rest(constants.phonopy, rest.forces),
        bulk_modulus_GPa=_bulk_modulus(rest.stress, stretched.stress),
        nonlinearity=max(x for x in bent if x is not None),
        rounding=max(rounded),
        kernels=kernels,
        training_distance=far.distance if far else None,
        training_distance_of=far.of if far else None,
        untrained_elements=far.untrained_elements if far else (),
    )


def _stretched(atoms: Atoms) -> Atoms:
    larger = atoms.copy()
    larger.set_cell((1 + STRAIN) * atoms.cell.array, scale_atoms=True)
    return larger


def _bulk_modulus(rest: np.ndarray, stretched: np.ndarray) -> float | None:
    """GPa, from the mean stress (eV/A^3) before and after `STRAIN`."""
    from ase.units import GPa

    change = float(np.trace(stretched - rest)) / 3
    return change / (3 * STRAIN) / GPa if np.isfinite(change) else None


def _step_to_rest(phonopy: Phonopy, forces: np.ndarray) -> float:
    """Length of the longest displacement in Newton's step to where forces vanish, A.

    Parameters
    ----------
    phonopy : Phonopy
        With compact force constants.
    forces : ndarray, shape (n_primitive, 3)
        eV/A.
    """
    primitive = phonopy.primitive
    n_atoms = len(primitive)
    like = np.array([primitive.p2p_map[i] for i in primitive.s2p_map])
    # Of all copies of an atom together: they move alike.
    copies = (like[:, None] == np.arange(n_atoms)).astype(float)
    springs = np.einsum("ijab,jk->iakb", np.asarray(phonopy.force_constants), copies)
    matrix = springs.reshape(3 * n_atoms, 3 * n_atoms)
    stiffness, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    shift = np.tile(np.eye(3), (n_atoms, 1)) / np.sqrt(n_atoms)
    # Of the modes that are no translations; a mode without a spring is taken for a soft one.
    relative = vectors - shift @ (shift.T @ vectors)
    own = np.asarray(phonopy.force_constants)[range(n_atoms), primitive.p2s_map]
    stiffness = np.maximum(np.abs(stiffness), SOFTEST * np.abs(own).max())
    step = relative @ ((relative.T @ np.asarray(forces).ravel()) / stiffness)
    return float(np.linalg.norm(step.reshape(-1, 3), axis=1).max())


@dataclass(frozen=True)
class _Probe:
    """A displacement of a calculation, in a cell of two atoms or more.

    Attributes
    ----------
    atoms : Atoms
        The primitive cell, twice if it has but one atom (which would only be shifted).
    atom : int
        The one that is displaced.
    direction : ndarray, shape (3,)
        Unit vector.
    share : float
        Square root of the number of atoms in the supercell for each of these: noise of so many
        more atoms is in the supercell's differences.
    """

    atoms: Atoms
    atom: int
    direction: np.ndarray
    share: float

    def measure(self, constants: ForceConstants, potential: Potential) -> tuple[float, float]:
        """Return relative errors by the length of the difference, and by precision."""
        if constants.method == "autodiff" and isinstance(potential, DifferentiablePotential):
            return self._of_row(constants.dtype, potential)
        return self._of_difference(constants.displacement or SMALL, potential)

    def between(self, potential: Potential, other: Potential) -> float:
        """Return the relative difference of two potentials, at the field's displacement."""
        one, two = (self._difference(each, FIELD, [-1, 1]) for each in (potential, other))
        return _apart(one, two)

    def _of_row(self, dtype: str, potential: DifferentiablePotential) -> tuple[float, float]:
        exact = potential.in_precision("float64")
        row = self._row(potential.in_precision(dtype))
        precise = row if dtype == "float64" else self._row(exact)
        expected = -self._difference(exact, SMALL, [-1, 1]) / (2 * SMALL)
        return _apart(precise, expected), self.share * _apart(row, precise)

    def _row(self, potential: DifferentiablePotential) -> np.ndarray:
        return potential.hessian_rows(self.atoms, [(self.atom, self.direction)])[0]

    def _of_difference(self, length: float, potential: Potential) -> tuple[float, float]:
        # One way, as small displacements are made: what is quadratic counts. Both ways, or where
        # symmetry makes them alike: cubic, a third of what the doubled one is off by.
        one_way = length <= 10 * SMALL
        start, order = (0, 1) if one_way else (-1, 3)
        once, twice = [start, 1], [2 * start, 2]
        if isinstance(potential, PrecisionPotential):
            answer = self._difference(potential, length, once)
            exact = potential.in_precision("float64")
            elsewhere = self._difference(exact, length, once, SHIFT)
            bent = _apart(self._difference(exact, length, twice, SHIFT), 2 * elsewhere)
            return bent / order, self.share * _apart(answer, elsewhere)
        answer = self._difference(potential, length, once)
        noise = _apart(answer, self._difference(potential, length, once, SHIFT))
        bent = _apart(self._difference(potential, length, twice), 2 * answer)
        # What noise alone would do is no nonlinearity.
        return math.sqrt(max(bent**2 - noise**2, 0.0)) / order, self.share * noise

    def _difference(
        self, potential: Potential, length: float, steps: list[int], shift: Any = 0.0
    ) -> np.ndarray:
        """Return the change of forces between two multiples of the displacement, eV/A."""
        structures = []
        for step in steps:
            moved = self.atoms.copy()
            moved.positions += shift
            moved.positions[self.atom] += step * length * self.direction
            structures.append(moved)
        first, last = potential.evaluate(structures)
        return last.forces - first.forces


def _make_probes(constants: ForceConstants, every: bool) -> list[_Probe]:
    """Make the first displacement of a calculation, or every one, in its primitive cell."""
    from mlphonon.force_constants.cells import to_ase

    phonopy = constants.phonopy
    primitive = phonopy.primitive
    atoms = to_ase(primitive)
    if len(atoms) == 1:
        atoms = atoms.repeat((2, 1, 1))
    share = float(np.sqrt(len(phonopy.supercell) / len(atoms)))
    # A regression displaces all atoms at once.
    along_x = {"number": primitive.p2s_map[0], "displacement": np.array([1.0, 0.0, 0.0])}
    moves = phonopy.dataset.get("first_atoms", [along_x])
    return [
        _Probe(
            atoms=atoms,
            atom=int(primitive.p2p_map[primitive.s2p_map[move["number"]]]),
            direction=np.asarray(move["displacement"]) / np.linalg.norm(move["displacement"]),
            share=share,
        )
        for move in moves[: None if every else 1]
    ]


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """|one - other| over the greater of the two; 0 where both vanish."""
    size = max(float(np.linalg.norm(one)), float(np.linalg.norm(other)))
    return float(np.linalg.norm(one - other)) / size if size > 0 else 0.0
