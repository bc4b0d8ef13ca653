"""All checks of a potential, one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlphonon.testing import capabilities, numbers, symmetry
from mlphonon.testing.subject import Subject

if TYPE_CHECKING:
    from mlphonon.potentials.potential import Potential

CHECKS: tuple[Callable[[Subject], None], ...] = (
    numbers.meets_the_protocol,
    numbers.shapes_and_types,
    numbers.forces_are_the_slope_of_the_energy,
    numbers.stress_is_the_slope_of_the_energy_with_strain,
    numbers.a_batch_is_its_parts_in_order,
    numbers.many_structures_keep_their_order,
    numbers.inputs_are_left_alone,
    numbers.constraints_do_not_change_forces,
    numbers.deterministic,
    numbers.results_are_not_shared,
    numbers.unknown_elements_are_refused,
    numbers.the_calculator_gives_the_same_numbers,
    symmetry.translation,
    symmetry.rotation,
    symmetry.inversion,
    symmetry.permutation,
    symmetry.supercell,
    symmetry.cell_vectors_do_not_matter,
    capabilities.second_derivatives_are_the_slope_of_the_forces,
    capabilities.the_other_precision_is_the_same_potential,
    capabilities.memory_grows_with_the_crystal,
    capabilities.plain_kernels_give_the_same_numbers,
    capabilities.descriptors_do_not_turn,
)
"""Each raises `AssertionError` if the subject fails it."""


def check_potential(
    potential: Potential, elements: tuple[str, str], unknown: str | None = None, **more: Any
) -> None:
    """Run all checks on a potential.

    Parameters
    ----------
    potential : Potential
        What is checked.
    elements : tuple of two str
        Symbols of elements that it knows.
    unknown : str, optional
        Symbol of one that it does not know.
    **more
        As `Subject` takes them: ``single_precision``, ``inversion``, ``reproducible``.

    Raises
    ------
    AssertionError
        If a check fails; which one stands in the notes of the error.

    Examples
    --------
    >>> from ase.calculators.emt import EMT
    >>> from mlphonon import load_potential
    >>> check_potential(load_potential(EMT()), elements=("Cu", "Au"), unknown="Na")
    """
    subject = Subject(potential, elements, unknown, **more)
    for check in CHECKS:
        try:
            check(subject)
        except Exception as error:
            error.add_note(f"in the check '{check.__name__}' of potential '{potential.info.name}'")
            raise
