"""All ways to the force constants lead to the same ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mlphonon import PhononSettings, load_potential
from mlphonon.crystal import make_crystal
from mlphonon.errors import PotentialError, SettingsError
from mlphonon.force_constants import ForceConstants
from mlphonon.force_constants.displacements import SMALL
from mlphonon.force_constants.planning import Plan, plan_force_constants
from mlphonon.force_constants.regression import count_coefficients, count_snapshots, from_regression
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from tests.crystals import corundum, pyrite, quartz, rocksalt, silicon, triclinic, wurtzite
from tests.springs import LatticeSprings, cubic_axes

REGRESSION = {"method": "regression"}


def skewed() -> Atoms:
    """Tetragonal, on vectors that hide it."""
    atoms = Atoms("TiAl", scaled_positions=[[0, 0, 0], [0.5] * 3], cell=[2.8, 2.8, 4.0], pbc=True)
    atoms.set_cell(np.array([[1, 0, 0], [2, 1, 0], [0, 1, 1]]) @ atoms.cell.array)
    return atoms


def monoclinic() -> Atoms:
    atoms = wurtzite()
    atoms.set_cell(atoms.cell.array @ [[1, 0, 0], [0, 1, 0], [0.05, 0, 1]], scale_atoms=True)
    return atoms


CRYSTALS: dict[str, tuple[Callable[[], Atoms], list[int]]] = {
    "cubic, Fm-3m": (rocksalt, [3, 3, 3]),
    "cubic, Fd-3m": (silicon, [3, 3, 3]),
    "cubic, Pa-3": (pyrite, [1, 1, 1]),
    "hexagonal": (wurtzite, [2, 2, 2]),
    "trigonal, R-3c": (corundum, [2, 2, 2]),
    "trigonal, P3_221": (quartz, [2, 2, 1]),
    "tetragonal, skewed": (skewed, [3, 3, 2]),
    "monoclinic": (monoclinic, [2, 2, 1]),
    "triclinic": (triclinic, [2, 2, 1]),
    "metal": (lambda: bulk("Mg"), [3, 3, 2]),
}


@pytest.fixture(scope="module")
def single() -> Potential:
    return load_potential("embedded", device="cpu", dtype="float32")


def plan(name: str, potential: Potential, **settings: object) -> Plan:
    make, matrix = CRYSTALS[name]
    chosen = PhononSettings(**settings)
    return plan_force_constants(make_crystal(make()).atoms, np.diag(matrix), potential.info, chosen)


def frequencies(constants: ForceConstants) -> np.ndarray:
    """At wave vectors of no symmetry, where every force constant counts."""
    points = np.random.default_rng(3).uniform(-0.5, 0.5, (5, 3))
    return np.asarray(constants.phonopy.run_qpoints(points).frequencies)


@pytest.mark.parametrize("name", CRYSTALS)
def test_methods_agree_on_crystals_of_all_systems(
    name: str, embedded: Potential, single: Potential
) -> None:
    """Central differences of 1e-3 A are the measure: their own error is 1e-5 of the whole."""
    exact = plan(name, embedded, displacement=1e-3).compute(embedded)
    measure = frequencies(exact)
    for settings in (
        {"method": "displacements", "protocol": "small"},
        {"method": "autodiff"},
        REGRESSION,
        {"method": "auto"},
    ):
        found = plan(name, embedded, **settings).compute(embedded)
        off = np.abs(frequencies(found) - measure).max()
        assert off < 0.002, (settings, off)
    rough = plan(name, single, method="auto").compute(single)
    assert rough.method == "autodiff"
    assert np.abs(frequencies(rough) - measure).max() < 0.02


def test_one_sided_differences_halve_the_work_and_say_how_wrong_they_are(
    embedded: Potential,
) -> None:
    both = plan("triclinic", embedded)
    one = plan("triclinic", embedded, protocol="small")
    assert 2 * one.n_evaluations == both.n_evaluations + 2, "one more, at twice the length"
    found = one.compute(embedded)
    assert found.displacement == SMALL
    said = found.residuals.nonlinearity
    assert said is not None
    assert 1e-7 < said < 1e-4
    exact = plan("triclinic", embedded, displacement=1e-3).compute(embedded)
    error = np.linalg.norm(found.array - exact.array) / np.linalg.norm(exact.array)
    assert error < 3 * said


def test_rows_are_exact_where_differences_are_not(embedded: Potential) -> None:
    """Springs of an embedded potential, a long way from harmonic: rows know no step."""
    row = plan("hexagonal", embedded, method="autodiff")
    assert row.what.endswith("rows of second derivatives")
    exact = row.compute(embedded)
    assert exact.displacement is None
    errors = {}
    for step in (0.04, 0.02):
        found = plan("hexagonal", embedded, displacement=step).compute(embedded)
        errors[step] = np.linalg.norm(found.array - exact.array)
    # Where both ways are taken the error of a difference goes with the square of the step.
    assert 1.9 < errors[0.04] / errors[0.02] < 4.5


def test_springs_are_recovered_by_regression() -> None:
    springs = AsePotential(LatticeSprings(cubic_axes(2.845), along=3.0, across=0.5))
    springs._info = replace(springs.info, dtype="float64")
    atoms = make_crystal(rocksalt()).atoms
    plans = [
        plan_force_constants(atoms, 2 * np.eye(3, dtype=int), springs.info, PhononSettings(**s))
        for s in ({"displacement": 1e-3}, {"method": "regression"})
    ]
    one, other = (each.compute(springs) for each in plans)
    np.testing.assert_allclose(other.array, one.array, atol=1e-6)
    assert other.n_coefficients == count_coefficients(plans[0].phonopy)
    assert other.residuals.held_out is not None
    assert other.residuals.held_out < 1e-6


def test_a_regression_with_too_few_equations_is_refused(embedded: Potential) -> None:
    """symfc itself returns a wrong answer without a word, though equations outnumber unknowns."""
    phonopy = plan("cubic, Pa-3", embedded).phonopy
    enough = count_snapshots(phonopy)
    assert (enough.n_coefficients, enough.number) == (30, 2)
    assert 3 * len(phonopy.supercell) > enough.n_coefficients, "one would do, by count"
    with pytest.raises(PotentialError, match=r"miss unseen forces by .* use the method disp"):
        from_regression(phonopy, embedded, replace(enough, number=1))


def test_the_cheapest_is_chosen_and_said_why(embedded: Potential, single: Potential) -> None:
    few = plan("cubic, Fm-3m", embedded, method="auto")
    assert (few.method, few.n_evaluations) == ("displacements", 3)
    assert few.reason == "one-sided differences are precise in float64"
    assert "float32" in plan("monoclinic", single, method="auto").reason


def test_a_regression_takes_fewer_supercells_but_not_in_p1(
    embedded: Potential, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the 30 modes of corundum only those of one symmetry are coupled; in P1, all 12."""
    counts = {
        name: [plan(name, embedded, **s).n_evaluations for s in ({"protocol": "small"}, REGRESSION)]
        for name in ("trigonal, R-3c", "triclinic")
    }
    assert counts["trigonal, R-3c"][1] <= counts["trigonal, R-3c"][0] + 1
    assert counts["triclinic"][1] >= 12
    monkeypatch.setattr("mlphonon.force_constants.regression.MOST_COEFFICIENTS", 100)
    with pytest.raises(SettingsError, match="would take gigabytes"):
        plan("triclinic", embedded, **REGRESSION)


def test_coarse_forces_keep_to_the_fields_displacements() -> None:
    coarse = AsePotential(LatticeSprings(cubic_axes(2.845), along=3.0, across=0.5))
    found = plan("cubic, Fm-3m", coarse, method="auto", displacement=0.02)
    assert found.what == "2 displacements of 0.02 A"
    assert "unknown" in found.reason
    for settings in ({"protocol": "small"}, REGRESSION):
        with pytest.raises(SettingsError, match="float64"):
            plan("cubic, Fm-3m", coarse, **settings)
    asked = plan("cubic, Fm-3m", coarse, method="autodiff")
    with pytest.raises(PotentialError, match=r"no second derivatives.*method displacements"):
        asked.compute(coarse)
