"""Finite displacements: phonopy chooses them and solves for the force constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from mlphonon.errors import PotentialError
from mlphonon.force_constants.cells import to_ase, to_phonopy
from mlphonon.force_constants.force_constants import ForceConstants, repair

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.potentials.potential import Potential, ProgressCallback

SMALL = 1e-5
"""Length of a small displacement, A. The error of a one-sided difference is proportional to it
(about 2e-5 of the force constants here, measured with every result); the noise of float64
forces, 1e-14 eV/A, is 1e-9 of what it brings about."""


LARGEST_NONLINEARITY = 1e-3
"""Above this, small displacements are not believed: forces in float64 are noisy, or jump."""


class NoisyForcesError(PotentialError):
    """Forces do not answer to small displacements in proportion."""


def make_supercell(atoms: Atoms, supercell_matrix: np.ndarray, symprec: float) -> Phonopy:
    """Return a phonopy object of a primitive cell, without displacements.

    Parameters
    ----------
    atoms : Atoms
        Primitive cell.
    supercell_matrix : ndarray of int, shape (3, 3)
        In phonopy's convention (columns).
    symprec : float
        Tolerance of the symmetry search, A.
    """
    from phonopy import Phonopy

    return Phonopy(
        to_phonopy(atoms),
        supercell_matrix,
        primitive_matrix=np.eye(3),
        symprec=symprec,
        log_level=0,
    )


@dataclass(frozen=True)
class Moves:
    """The displacements that symmetry leaves to be made.

    Attributes
    ----------
    both_ways : tuple of (int, ndarray of shape (3,))
        Atom of the supercell and unit vector, each with its opposite if that is another one.
    one_way : tuple
        The same without the opposites.
    """

    both_ways: tuple[tuple[int, np.ndarray], ...]
    one_way: tuple[tuple[int, np.ndarray], ...]

    @property
    def opposites_differ(self) -> bool:
        """Whether some opposite is not the same by symmetry.

        Where none does, what is quadratic in a displacement falls out of the force constants.
        """
        return len(self.both_ways) > len(self.one_way)


def find_moves(phonopy: Phonopy) -> Moves:
    """Let phonopy find the inequivalent atoms and the directions their sites leave open."""
    phonopy.generate_displacements(distance=1.0, is_plusminus="auto")
    both = [(int(one["number"]), one["displacement"]) for one in phonopy.dataset["first_atoms"]]
    once: list[tuple[int, np.ndarray]] = []
    for atom, vector in both:
        if not any(atom == other and np.allclose(vector, -found) for other, found in once):
            once.append((atom, vector))
    return Moves(tuple(both), tuple(once))


def set_displacements(
    phonopy: Phonopy, moves: Sequence[tuple[int, np.ndarray]], length: float
) -> None:
    """Give phonopy the displacements to be made, each of a length, A."""
    phonopy.dataset = {
        "natom": len(phonopy.supercell),
        "first_atoms": [
            {"number": atom, "displacement": length * vector} for atom, vector in moves
        ],
    }


def displaced_structures(phonopy: Phonopy) -> list[Atoms]:
    """Return the displaced supercells."""
    displaced = phonopy.supercells_with_displacements or []
    return [to_ase(cell) for cell in displaced if cell is not None]


def forces_at_rest(
    phonopy: Phonopy, potential: Potential, progress: ProgressCallback | None = None
) -> np.ndarray:
    """Return the forces in the undisplaced supercell, eV/A, shape (n_supercell, 3).

    They repeat those in the primitive cell where the potential says that it is local, which
    saves a supercell (of the two that silicon takes). Of others, such as DFT with its
    k-points, the supercell itself is asked.
    """
    if potential.info.cutoff is None:
        return potential.evaluate([to_ase(phonopy.supercell)], progress)[0].forces
    primitive = phonopy.primitive
    forces = potential.evaluate([to_ase(primitive)], progress)[0].forces
    return forces[[primitive.p2p_map[i] for i in primitive.s2p_map]]


def from_displacements(
    phonopy: Phonopy,
    potential: Potential,
    check: bool = False,
    progress: ProgressCallback | None = None,
) -> ForceConstants:
    """Evaluate the displaced supercells and solve for the force constants.

    The forces of the undisplaced supercell are subtracted, as ``phonopy --fz`` does: at a
    minimum they vanish, and elsewhere they would be taken for a response to displacement.

    Parameters
    ----------
    phonopy : Phonopy
        With its displacements, all of one length.
    potential : Potential
        Evaluates them.
    check : bool
        Make the first once more at twice its length, and see that forces are in proportion.
    progress : callable, optional
        Told of each supercell.

    Raises
    ------
    NoisyForcesError
        If they are not.
    """
    first = phonopy.dataset["first_atoms"][0]["displacement"]
    length = round(float(np.linalg.norm(first)), 12)
    structures = displaced_structures(phonopy)
    rest = forces_at_rest(phonopy, potential, progress)
    extra = [twice(to_ase(phonopy.supercell), structures[0])] if check else []
    evaluations = potential.evaluate([*structures, *extra], progress)
    answers = [evaluation.forces - rest for evaluation in evaluations]
    bent = nonlinearity(answers[0], answers[-1]) if check else None
    # Not "> limit": that would let NaN pass.
    if bent is not None and not bent <= LARGEST_NONLINEARITY:
        raise NoisyForcesError(
            f"forces answer to displacements of {length:g} A out of proportion by"
            f" {100 * bent:.2g} %",
            "they are noisy or not smooth",
            "use the protocol field",
        )
    phonopy.forces = np.array(answers[: len(structures)])
    phonopy.produce_force_constants(show_drift=False)
    residuals = repair(phonopy, rest, nonlinearity=bent)
    return ForceConstants(
        phonopy=phonopy,
        method="displacements",
        displacement=length,
        n_displacements=len(structures),
        residuals=residuals,
        dtype=potential.info.dtype,
    )


def twice(rest: Atoms, displaced: Atoms) -> Atoms:
    """Return a structure displaced twice as far."""
    further = displaced.copy()
    off = np.linalg.solve(rest.cell.array.T, (displaced.positions - rest.positions).T).T
    further.positions += (off - np.rint(off)) @ rest.cell.array
    return further


def nonlinearity(once: np.ndarray, doubled: np.ndarray) -> float:
    """|F(2u) - 2 F(u)| / |2 F(u)|, without unit; forces of shape (n, 3)."""
    return float(np.linalg.norm(doubled - 2 * once) / np.linalg.norm(2 * once))


def stack(atoms: Atoms, displacements: Sequence[np.ndarray]) -> list[Atoms]:
    """Return copies of a structure, each displaced by an array of shape (n_atoms, 3), A."""
    copies = [atoms.copy() for _ in displacements]
    for copy, displacement in zip(copies, displacements, strict=True):
        copy.positions += displacement
    return copies
