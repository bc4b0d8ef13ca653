"""What is checked, on what, and when two evaluations agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from mlphonon.potentials.potential import Potential

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.potentials.potential import Evaluation

TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
"""A rotation about no axis of any crystal."""


@dataclass(frozen=True)
class Subject:
    """A potential that is checked, and how exact it is.

    Attributes
    ----------
    potential : Potential
        What is checked.
    elements : tuple of two str
        Symbols of elements that it knows.
    unknown : str, optional
        Symbol of one that it does not know; None if it knows all.
    single_precision : bool
        Whether its numbers are right to 1e-4 only.
    inversion : float, optional
        Tolerance under inversion, relative to the largest force, of a potential that is
        equivariant under rotations alone.
    reproducible : bool
        Whether asking again gives the last digit again, whatever was asked in between; kernels
        that are compiled for the sizes they met do not.
    """

    potential: Potential
    elements: tuple[str, str]
    unknown: str | None
    single_precision: bool = False
    inversion: float | None = None
    reproducible: bool = True

    @property
    def step(self) -> float:
        """Step of finite differences, A and as a strain."""
        return 2e-2 if self.single_precision else 1e-4

    @property
    def slope(self) -> float:
        """Tolerance of derivatives by differences, relative to the largest."""
        return 2e-2 if self.single_precision else 1e-5

    @property
    def exact(self) -> float:
        """Tolerance of what is mathematically equal, relative to the largest."""
        return 2e-4 if self.single_precision else 1e-9

    @cached_property
    def structure(self) -> Atoms:
        """Five atoms in a sheared cell, none at rest, closer and farther."""
        from ase import Atoms

        a, b = self.elements
        fractional = [
            [0.02, 0.01, 0.03],
            [0.55, 0.12, 0.46],
            [0.21, 0.57, 0.55],
            [0.6, 0.55, 0.05],
            [0.9, 0.52, 0.62],
        ]
        cell = np.array([[4.1, 0, 0], [0.7, 4.6, 0], [-0.9, 0.5, 5.2]]) * 1.05
        return Atoms([a, b, a, b, b], scaled_positions=fractional, cell=cell, pbc=True)

    @cached_property
    def others(self) -> list[Atoms]:
        """Structures of other sizes and contents."""
        from ase import Atoms

        fcc = np.array([[0, 2, 2], [2, 0, 2], [2, 2, 0.0]])
        single = Atoms(self.elements[0], cell=fcc, pbc=True)
        wide = self.structure.copy()
        wide.set_cell(self.structure.cell * 1.1, scale_atoms=True)
        return [single, self.structure.repeat((2, 1, 1)), wide, self.structure]

    def evaluate(self, atoms: Atoms) -> Evaluation:
        """Evaluate one structure."""
        return self.potential.evaluate([atoms])[0]


def assert_equivalent(
    found: Evaluation, expected: Evaluation, tolerance: float, turn: np.ndarray | None = None
) -> None:
    """Raise `AssertionError` unless two evaluations agree, one of them turned.

    Parameters
    ----------
    found, expected : Evaluation
        What is compared.
    tolerance : float
        Relative to the largest force and stress; of the energy, to that of an atom or 1 eV,
        times the atoms.
    turn : ndarray, shape (3, 3), optional
        Rotation from the crystal of `expected` to that of `found`.
    """
    turn = np.eye(3) if turn is None else turn
    limit = tolerance * max(len(expected.forces), abs(expected.energy))
    assert_allclose(found.energy, expected.energy, rtol=0, atol=limit)
    top, pull = np.abs(expected.forces).max(), np.abs(expected.stress).max()
    assert_allclose(found.forces, expected.forces @ turn.T, atol=tolerance * top)
    assert_allclose(found.stress, turn @ expected.stress @ turn.T, atol=tolerance * pull)


def assert_repeated(subject: Subject, found: Evaluation, expected: Evaluation) -> None:
    """Raise unless the numbers are the same, to the last digit where they are reproducible."""
    if not subject.reproducible:
        assert_equivalent(found, expected, subject.exact)
        return
    hold(found.energy == expected.energy, "the energy is another")
    assert_array_equal(found.forces, expected.forces)
    assert_array_equal(found.stress, expected.stress)


def hold(condition: bool, otherwise: str) -> None:
    """Raise `AssertionError` that says what is the matter, unless the condition holds."""
    if not condition:
        raise AssertionError(otherwise)
