"""What only some potentials can; the others pass."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from mlphonon.potentials.potential import (
    DescriptorPotential,
    DifferentiablePotential,
    KernelPotential,
    MemoryPotential,
    PrecisionPotential,
)
from mlphonon.testing.subject import TURN, Subject, assert_equivalent, hold


def second_derivatives_are_the_slope_of_the_forces(subject: Subject) -> None:
    """Along a direction of one atom."""
    if not isinstance(subject.potential, DifferentiablePotential):
        return
    direction = np.array([0.6, 0.0, 0.8])
    (row,) = subject.potential.hessian_rows(subject.structure, [(1, direction)])
    moved = []
    for sign in (-1, 1):
        copy = subject.structure.copy()
        copy.positions[1] += sign * subject.step * direction
        moved.append(copy)
    before, after = (e.forces for e in subject.potential.evaluate(moved))
    slope = -(after - before) / (2 * subject.step)
    assert_allclose(row, slope, atol=subject.slope * np.abs(row).max())


def the_other_precision_is_the_same_potential(subject: Subject) -> None:
    """Right to 1e-4, and itself where it is asked for its own."""
    if not isinstance(subject.potential, PrecisionPotential):
        return
    own = subject.potential.info.dtype
    hold(subject.potential.in_precision(own) is subject.potential, "it is not itself")
    other = subject.potential.in_precision("float32" if own == "float64" else "float64")
    hold(other.info.dtype != own, "the precision does not change")
    (found,) = other.evaluate([subject.structure])
    assert_equivalent(found, subject.evaluate(subject.structure), 2e-4)


def memory_grows_with_the_crystal(subject: Subject) -> None:
    """Twice the atoms take more memory, second derivatives no less than forces."""
    if not isinstance(subject.potential, MemoryPotential):
        return
    small, large = subject.structure, subject.structure.repeat((2, 1, 1))
    memory = subject.potential.memory
    hold(0 < memory(small) < memory(large), "memory does not grow with the crystal")
    hold(memory(small) <= memory(small, rows=True), "second derivatives take less than forces")


def plain_kernels_give_the_same_numbers(subject: Subject) -> None:
    """Fast kernels change nothing but the time."""
    if isinstance(subject.potential, KernelPotential):
        (found,) = subject.potential.with_plain_kernels().evaluate([subject.structure])
        assert_equivalent(found, subject.evaluate(subject.structure), subject.exact)


def descriptors_do_not_turn(subject: Subject) -> None:
    """As many numbers for each atom, the same whatever the axes."""
    if not isinstance(subject.potential, DescriptorPotential):
        return
    turned = subject.structure.copy()
    turned.set_cell(subject.structure.cell.array @ TURN.T)
    turned.positions = subject.structure.positions @ TURN.T
    expected = subject.potential.descriptors(subject.structure)
    hold(expected.ndim == 2 and len(expected) == 5, f"descriptors have shape {expected.shape}")
    tolerance = subject.exact * np.abs(expected).max()
    assert_allclose(subject.potential.descriptors(turned), expected, atol=tolerance)
