"""Energies, forces and stresses: slopes of one another, in order, and of nothing else."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from mlphonon.errors import PotentialError
from mlphonon.potentials.potential import DifferentiablePotential, Potential
from mlphonon.testing.subject import Subject, assert_equivalent, assert_repeated, hold


def meets_the_protocol(subject: Subject) -> None:
    """Require what `Potential` asks for, and that it says what it is."""
    from ase.data import atomic_numbers

    kind = type(subject.potential).__name__
    hold(isinstance(subject.potential, Potential), f"a {kind} is no Potential")
    info = subject.potential.info
    hold(bool(info.name), "it has no name")
    if info.elements is not None:
        numbers = {atomic_numbers[symbol] for symbol in subject.elements}
        hold(numbers <= info.elements, f"info.elements lacks one of {subject.elements}")
    hold(
        info.differentiable == isinstance(subject.potential, DifferentiablePotential),
        "info.differentiable does not say whether it gives second derivatives",
    )
    hold(set(info.as_dict()) >= {"name", "backend", "dtype", "device", "sha256"}, "no record")


def shapes_and_types(subject: Subject) -> None:
    """Energy is a float, forces and a symmetric stress are float64; nothing in, nothing out."""
    found = subject.evaluate(subject.structure)
    hold(isinstance(found.energy, float), "the energy is no float")
    hold(found.forces.shape == (5, 3), f"forces have shape {found.forces.shape}")
    hold(found.stress.shape == (3, 3), f"the stress has shape {found.stress.shape}")
    hold(found.forces.dtype == found.stress.dtype == np.float64, "numbers are not float64")
    assert_allclose(found.stress, found.stress.T, atol=1e-6 * np.abs(found.stress).max())
    hold(bool(np.abs(found.forces).max() > 0.05), "forces vanish where no atom is at rest")
    hold(subject.potential.evaluate([]) == [], "no structures do not give no results")


def forces_are_the_slope_of_the_energy(subject: Subject) -> None:
    """By central differences along all coordinates."""
    forces = subject.evaluate(subject.structure).forces
    moved = []
    for atom, axis, sign in np.ndindex(5, 3, 2):
        copy = subject.structure.copy()
        copy.positions[atom, axis] += (1 - 2 * sign) * subject.step
        moved.append(copy)
    energies = np.array([e.energy for e in subject.potential.evaluate(moved)]).reshape(5, 3, 2)
    slopes = -(energies[..., 0] - energies[..., 1]) / (2 * subject.step)
    assert_allclose(forces, slopes, atol=subject.slope * np.abs(forces).max())


def stress_is_the_slope_of_the_energy_with_strain(subject: Subject) -> None:
    """dE/d(strain)/V, positive where the crystal pulls; shear by a symmetric strain."""
    stress = subject.evaluate(subject.structure).stress
    strained = []
    # A large strain is no longer linear: half the step of positions in single precision.
    step = subject.step / 4
    for i, j, sign in np.ndindex(3, 3, 2):
        strain = np.zeros((3, 3))
        strain[i, j] += (1 - 2 * sign) * step / 2
        strain[j, i] += (1 - 2 * sign) * step / 2
        copy = subject.structure.copy()
        copy.set_cell(copy.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        strained.append(copy)
    energies = np.array([e.energy for e in subject.potential.evaluate(strained)]).reshape(3, 3, 2)
    slopes = (energies[..., 0] - energies[..., 1]) / (2 * step) / subject.structure.get_volume()
    assert_allclose(stress, slopes, atol=subject.slope * np.abs(stress).max())


def a_batch_is_its_parts_in_order(subject: Subject) -> None:
    """Evaluate a structure alone and among others."""
    batch = [subject.structure, *subject.others, subject.structure]
    together = subject.potential.evaluate(batch)
    hold([len(e.forces) for e in together] == [len(a) for a in batch], "results out of order")
    for found, atoms in zip(together, batch, strict=True):
        assert_equivalent(found, subject.evaluate(atoms), subject.exact)


def many_structures_keep_their_order(subject: Subject) -> None:
    """More than fits into one batch; each is a little more strained than the last."""
    large = subject.structure.repeat((2, 2, 1))
    many = []
    for i in range(12):
        copy = large.copy()
        copy.set_cell(large.cell * (1 + 0.004 * i), scale_atoms=True)
        many.append(copy)
    seen: list[int] = []
    found = subject.potential.evaluate(many, seen.append)
    hold(sum(seen) == 12, f"progress reports {sum(seen)} of 12 structures")
    for i in (0, 5, 11):
        assert_equivalent(found[i], subject.evaluate(many[i]), subject.exact)
    energies = np.round([e.energy for e in found], 6)
    hold(len(np.unique(energies)) == 12, "different structures give the same energy")


def inputs_are_left_alone(subject: Subject) -> None:
    """Positions, arrays, notes and calculator of a structure are as they were."""
    structure = subject.structure.copy()
    structure.info["note"] = "mine"
    structure.set_array("tag", np.arange(5))
    structure.positions -= 7.0
    before = structure.copy()
    subject.potential.evaluate([structure])
    hold(structure == before, "positions, cell or species were changed")
    hold(structure.calc is None, "a calculator was set")
    hold(structure.info == {"note": "mine"}, "info was changed")
    hold(set(structure.arrays) == set(before.arrays), "arrays were changed")


def constraints_do_not_change_forces(subject: Subject) -> None:
    """Fix atoms, as for a relaxation: they still feel their forces."""
    from ase.constraints import FixAtoms

    fixed = subject.structure.copy()
    fixed.set_constraint(FixAtoms([0, 1]))
    assert_repeated(subject, subject.evaluate(fixed), subject.evaluate(subject.structure))


def deterministic(subject: Subject) -> None:
    """Asked again, it gives the same numbers, whatever was asked in between."""
    first = subject.evaluate(subject.structure)
    subject.potential.evaluate(subject.others)
    assert_repeated(subject, subject.evaluate(subject.structure), first)


def results_are_not_shared(subject: Subject) -> None:
    """Require that the next call does not overwrite what was returned."""
    first = subject.evaluate(subject.structure)
    kept = first.forces.copy()
    moved = subject.structure.copy()
    moved.positions[0] += 0.1
    subject.evaluate(moved)
    assert_array_equal(first.forces, kept)


def unknown_elements_are_refused(subject: Subject) -> None:
    """With a `PotentialError` of one line that names the element."""
    if subject.unknown is None:
        return
    alien = subject.structure.copy()
    alien.symbols[2] = subject.unknown
    try:
        subject.potential.evaluate([subject.structure, alien])
    except PotentialError as error:
        hold(subject.unknown in str(error), f"the error does not name it: {error}")
        hold("\n" not in str(error), "the error has several lines")
    else:
        raise AssertionError(f"{subject.unknown} is not refused")


def the_calculator_gives_the_same_numbers(subject: Subject) -> None:
    """And does not change the potential."""
    expected = subject.evaluate(subject.structure)
    copy = subject.structure.copy()
    copy.calc = subject.potential.calculator()
    assert_allclose(copy.get_potential_energy(), expected.energy, rtol=subject.exact)
    top, pull = np.abs(expected.forces).max(), np.abs(expected.stress).max()
    assert_allclose(copy.get_forces(), expected.forces, atol=subject.exact * top)
    found = copy.get_stress(voigt=False)
    assert_allclose(found, expected.stress, atol=subject.exact * pull)
    assert_repeated(subject, subject.evaluate(subject.structure), expected)
