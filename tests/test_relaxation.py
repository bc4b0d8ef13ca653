"""To the minimum of the potential, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.spacegroup import crystal as space_group_crystal
from scipy.optimize import minimize_scalar

from mlphonon.crystal.crystal import make_crystal, symmetry_count
from mlphonon.errors import PotentialError, RelaxationError
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Evaluation, Potential
from mlphonon.relaxation import Relaxation, relax
from mlphonon.settings import PhononSettings
from tests.helpers.crystals import corundum, quartz, triclinic
from tests.helpers.springs import NetworkSprings


def argon() -> LennardJones:
    return LennardJones(sigma=3.4, epsilon=0.0104, rc=10.0, smooth=True)


def run(atoms: Atoms, calculator: Calculator, **settings: object) -> Relaxation:
    chosen = PhononSettings.make(PhononSettings(), **settings)
    return relax(make_crystal(atoms, chosen.symprec), AsePotential(calculator), chosen)


def best_lattice_constant(element: str, calculator: Calculator, low: float, high: float) -> float:
    """Where the energy of an fcc crystal is least, found from energies alone."""

    def energy(a: float) -> float:
        atoms = bulk(element, "fcc", a=a)
        atoms.calc = calculator
        return atoms.get_potential_energy()

    return float(minimize_scalar(energy, bounds=(low, high), options={"xatol": 1e-7}).x)


@pytest.mark.parametrize(
    ("element", "calculator", "start"),
    [("Ar", argon(), 5.6), ("Ar", argon(), 4.9), ("Cu", EMT(), 3.9), ("Cu", EMT(), 3.4)],
)
def test_lattice_constant_of_least_energy(
    element: str, calculator: Calculator, start: float
) -> None:
    expected = best_lattice_constant(element, calculator, 0.85 * start, 1.2 * start)
    found = run(bulk(element, "fcc", a=start, cubic=True), calculator)
    assert found.converged
    constant = (4 * found.atoms.get_volume()) ** (1 / 3)
    assert constant == pytest.approx(expected, abs=3e-4)
    assert found.volume_change == pytest.approx((expected / start) ** 3 - 1, abs=1e-3)
    at_rest = bulk(element, "fcc", a=expected)
    at_rest.calc = calculator
    assert found.energy == pytest.approx(at_rest.get_potential_energy(), abs=1e-6)


def ideal_wurtzite(a: float = 3.25, c: float | None = None, u: float = 0.375) -> Atoms:
    c = c or a * np.sqrt(8 / 3)
    return bulk("ZnO", "wurtzite", a=a, c=c, u=u)


def test_cell_and_positions_at_once() -> None:
    """Springs at rest in ideal wurtzite: the strained and sheared one goes back to it."""
    springs = NetworkSprings(ideal_wurtzite(), reach=3.6)
    found = run(ideal_wurtzite(a=3.3, c=5.2, u=0.383), springs)
    lengths = found.atoms.cell.lengths()
    np.testing.assert_allclose(lengths, [3.25, 3.25, 3.25 * np.sqrt(8 / 3)], atol=1e-4)
    np.testing.assert_allclose(found.atoms.cell.angles(), [90, 90, 120], atol=1e-6)
    distance = found.atoms.get_all_distances(mic=True)
    zinc, oxygen = found.atoms.numbers == 30, found.atoms.numbers == 8
    bonds = distance[np.ix_(zinc, oxygen)]
    assert bonds.min() == pytest.approx(0.375 * 3.25 * np.sqrt(8 / 3), abs=1e-4)
    assert found.energy == pytest.approx(0, abs=1e-7)


def test_all_six_components_of_the_strain() -> None:
    """A triclinic crystal, where nothing is fixed by symmetry, ends without shear stress."""
    springs = NetworkSprings(triclinic(), reach=3.6)
    found = run(triclinic(), springs, fmax=1e-5)
    before, after = triclinic(), found.atoms.copy()
    before.calc = after.calc = springs
    per_atom = after.get_volume() / len(after)
    shear = np.abs(before.get_stress()[3:])
    assert shear.min() * per_atom > 1e-2
    assert np.abs(after.get_stress()).max() * per_atom < 1e-5
    # The optimiser's way there is quick only if energy, forces and stress belong together.
    assert found.steps < 120


def test_symmetry_is_kept() -> None:
    """Numerical noise of the forces must not lower the space group."""
    rng = np.random.default_rng(0)

    class Noisy(NetworkSprings):
        def calculate(self, atoms=None, properties=None, system_changes=()) -> None:
            super().calculate(atoms, properties, system_changes)
            self.results["forces"] += rng.normal(scale=1e-5, size=self.results["forces"].shape)

    atoms = corundum()
    crystal = make_crystal(atoms)
    squeezed = atoms.copy()
    squeezed.set_cell(atoms.cell.array * [1.01, 1.01, 0.985], scale_atoms=True)
    found = run(squeezed, Noisy(atoms, reach=3.0))
    assert symmetry_count(found.atoms, 1e-5) == symmetry_count(crystal.atoms, 1e-5)
    assert make_crystal(found.atoms).spacegroup == "R-3c (167)"


def test_gained_symmetry_is_no_error() -> None:
    """Out of P4/mbm (127) into its supergroup P4/mmm, whose number, 123, is smaller."""

    def build(x: float) -> Atoms:
        sites = [(0, 0, 0), (x, x + 0.5, 0.5), (0, 0, 0.5)]
        cell = [6.0, 6.0, 4.1, 90, 90, 90]
        return space_group_crystal(["Na", "Cl", "F"], sites, spacegroup=127, cellpar=cell)

    # A reach between shells; at x = 1/4 every spring is at rest.
    found = run(build(0.252), NetworkSprings(build(0.25), reach=4.4), fmax=1e-7)
    assert found.converged
    assert found.energy == pytest.approx(0, abs=1e-9)
    assert make_crystal(found.atoms, 1e-4).spacegroup == "P4/mmm (123)"


def test_converged_means_forces_and_stress() -> None:
    found = run(bulk("Cu", a=3.8), EMT(), fmax=1e-5)
    atoms = found.atoms.copy()
    atoms.calc = EMT()
    per_atom = atoms.get_volume() / len(atoms)
    assert np.abs(atoms.get_stress()).max() * per_atom < 1e-5
    assert found.stress_max == pytest.approx(np.abs(atoms.get_stress()).max() / units.GPa)
    assert found.fmax == pytest.approx(np.linalg.norm(atoms.get_forces(), axis=1).max(), abs=1e-12)
    assert found.steps > 0


def test_unconverged_is_an_error_with_the_numbers() -> None:
    with pytest.raises(RelaxationError) as caught:
        run(bulk("Cu", a=3.9), EMT(), relax_steps=1)
    message = str(caught.value)
    for part in ("Cu did not converge in 1 steps", "eV/A", "GPa", "0.0001", "relax_steps"):
        assert part in message


def test_unconverged_can_be_allowed() -> None:
    found = run(bulk("Cu", a=3.9), EMT(), relax_steps=1, allow_unconverged=True)
    assert not found.converged
    assert found.steps == 1
    assert found.stress_max > 0.1


def test_steps_are_limited_over_all_stages() -> None:
    """The reference cell is renewed every 100 steps; the limit counts all of them."""
    seen: list[int] = []
    settings = PhononSettings.make(relax_steps=130, fmax=1e-14, allow_unconverged=True)
    found = relax(
        make_crystal(bulk("Cu", a=3.7)),
        AsePotential(EMT()),
        settings,
        lambda step, _left: seen.append(step),
    )
    assert found.steps <= 130
    assert seen == sorted(seen)
    assert max(seen) <= 130


def test_structure_at_rest_takes_no_step() -> None:
    wurtzite = ideal_wurtzite()
    found = run(wurtzite, NetworkSprings(wurtzite, reach=3.6))
    assert found.steps == 0
    assert found.converged
    assert found.volume_change == 0


def test_no_relaxation_leaves_the_cell_untouched() -> None:
    crystal = make_crystal(bulk("Cu", a=3.9))
    found = relax(crystal, AsePotential(EMT()), PhononSettings(relax=False))
    np.testing.assert_array_equal(found.atoms.cell.array, crystal.atoms.cell.array)
    np.testing.assert_array_equal(found.atoms.positions, crystal.atoms.positions)
    assert (found.steps, found.volume_change) == (0, 0)
    assert found.stress_max > 1


class Stressless(EMT):
    implemented_properties = ["energy", "forces"]  # noqa: RUF012


def test_potential_without_stress_cannot_relax() -> None:
    with pytest.raises(PotentialError, match="Stressless' gives no stress"):
        run(bulk("Cu", a=3.6), Stressless())
    found = run(bulk("Cu", a=3.6), Stressless(), relax=False)
    assert np.isnan(found.stress_max)


def test_stress_that_is_not_a_number_is_refused() -> None:
    class Broken(AsePotential):
        def evaluate(self, structures, progress=None):
            found = super().evaluate(structures, progress)
            return [Evaluation(e.energy, e.forces, np.full((3, 3), np.nan)) for e in found]

    with pytest.raises(PotentialError, match="no stress"):
        relax(make_crystal(bulk("Cu", a=3.6)), Broken(EMT()), PhononSettings())


def test_crystal_is_left_alone() -> None:
    crystal = make_crystal(bulk("Cu", a=3.8))
    before = crystal.atoms.copy()
    relax(crystal, AsePotential(EMT()), PhononSettings())
    assert crystal.atoms == before
    assert crystal.atoms.calc is None
    assert not crystal.atoms.constraints


@pytest.mark.parametrize("relax_cell", ["shape", "none"])
def test_what_of_the_cell_is_held(embedded: Potential, relax_cell: str) -> None:
    """Positions relax; the volume stays to rounding, and the shape where it is to be held."""
    crystal = make_crystal(quartz())
    squeezed = crystal.atoms.copy()
    squeezed.set_cell(0.97 * squeezed.cell.array, scale_atoms=True)
    crystal = replace(crystal, atoms=squeezed)
    result = relax(crystal, embedded, PhononSettings.make(relax_cell=relax_cell, fmax=1e-3))
    assert result.converged and result.fmax < 1e-3
    assert result.volume_change == pytest.approx(0, abs=1e-9)
    shape = result.atoms.cell.cellpar()[2] / result.atoms.cell.cellpar()[0]
    before = squeezed.cell.cellpar()[2] / squeezed.cell.cellpar()[0]
    moved = abs(shape / before - 1)
    assert moved > 1e-4 if relax_cell == "shape" else moved < 1e-9
    assert (
        np.abs(result.atoms.get_scaled_positions() - squeezed.get_scaled_positions()).max() > 1e-4
    )
