"""All ways to the force constants lead to the same ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mlphonon import PhononSettings, load_potential
from mlphonon.crystal.crystal import make_crystal
from mlphonon.errors import PotentialError, SettingsError
from mlphonon.force_constants import ForceConstants, planning
from mlphonon.force_constants.displacements import SMALL
from mlphonon.force_constants.planning import (
    ForceConstantPlan,
    describe_duration,
    plan_force_constants,
)
from mlphonon.force_constants.regression import count_snapshots, from_regression
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.mace.mace_potential import MacePotential, WeightsInfo
from mlphonon.potentials.potential import Evaluation, Potential
from tests.helpers.crystals import corundum, pyrite, quartz, rocksalt, silicon, triclinic, wurtzite
from tests.helpers.potentials import declare
from tests.helpers.springs import LatticeSprings, cubic_axes

REGRESSION = {"method": "regression"}
SMALL_STEPS = {"method": "displacements", "protocol": "small"}


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


def plan(name: str, potential: Potential, **settings: object) -> ForceConstantPlan:
    make, matrix = CRYSTALS[name]
    chosen = PhononSettings(**settings)
    return plan_force_constants(make_crystal(make()).atoms, np.diag(matrix), potential, chosen)


def frequencies(constants: ForceConstants) -> np.ndarray:
    """At wave vectors of no symmetry, where every force constant counts."""
    points = np.random.default_rng(3).uniform(-0.5, 0.5, (5, 3))
    return np.asarray(constants.phonopy.run_qpoints(points).frequencies)


@pytest.mark.parametrize("name", CRYSTALS)
def test_methods_agree_on_crystals_of_all_systems(
    name: str, embedded: Potential, single: Potential
) -> None:
    """Central differences of 1e-3 A are the measure: their own error is 1e-5 of the whole."""
    exact = plan(name, embedded, method="displacements", displacement=1e-3).compute(embedded)
    measure = frequencies(exact)
    for settings in (
        SMALL_STEPS,
        {"method": "autodiff"},
        REGRESSION,
    ):
        found = plan(name, embedded, **settings).compute(embedded)
        off = np.abs(frequencies(found) - measure).max()
        assert off < 0.002, (settings, off)
    for potential in (embedded, single):
        rough = plan(name, potential).compute(potential)
        assert rough.method == "autodiff" or potential is embedded
        assert np.abs(frequencies(rough) - measure).max() < 0.02


def test_one_sided_differences_halve_the_work_and_say_how_wrong_they_are(
    embedded: Potential,
) -> None:
    both = plan("triclinic", embedded, method="displacements")
    one = plan("triclinic", embedded, **SMALL_STEPS)
    assert 2 * one.n_evaluations == both.n_evaluations + 2, "one more, at twice the length"
    found = one.compute(embedded)
    assert found.displacement == SMALL
    said = found.residuals.nonlinearity
    assert said is not None
    assert 1e-7 < said < 1e-4
    exact = plan("triclinic", embedded, method="displacements", displacement=1e-3)
    expected = exact.compute(embedded).array
    assert np.linalg.norm(found.array - expected) / np.linalg.norm(expected) < 3 * said
    # Where symmetry turns every displacement round, nothing quadratic is left to look for.
    assert plan("cubic, Fm-3m", embedded, **SMALL_STEPS).n_evaluations == 2


def test_rows_are_exact_where_differences_are_not(embedded: Potential) -> None:
    """Springs of an embedded potential, a long way from harmonic: rows know no step."""
    row = plan("hexagonal", embedded, method="autodiff")
    assert row.what.endswith("rows of second derivatives in float64")
    exact = row.compute(embedded)
    assert (exact.displacement, exact.dtype) == (None, "float64")
    errors = {}
    for step in (0.04, 0.02):
        field = plan("hexagonal", embedded, method="displacements", displacement=step)
        errors[step] = np.linalg.norm(field.compute(embedded).array - exact.array)
    # Where both ways are taken the error of a difference goes with the square of the step.
    assert 1.9 < errors[0.04] / errors[0.02] < 4.5


def test_rows_in_single_precision_are_checked_in_double(
    embedded: Potential, single: Potential, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = plan("hexagonal", embedded, method="autodiff").compute(embedded)
    for potential in (embedded, single):
        rows = plan("hexagonal", potential, method="autodiff", row_dtype="float32")
        found = rows.compute(potential)
        assert found.dtype == "float32"
        assert found.residuals.rounding is not None
        assert 1e-8 < found.residuals.rounding < 1e-4
        error = np.linalg.norm(found.array - exact.array) / np.linalg.norm(exact.array)
        assert 1e-9 < error < 1e-4
    # One that is too far off is made again.
    monkeypatch.setattr("mlphonon.force_constants.autodiff.LARGEST_ROUNDING", 1e-9)
    again = rows.compute(single)
    assert again.dtype == "float64"
    np.testing.assert_allclose(again.array, exact.array, atol=1e-5)


def test_noisy_forces_in_double_precision_are_noticed(embedded: Potential) -> None:
    class Noisy(MacePotential):
        def evaluate(self, structures: list, progress: object = None) -> list[Evaluation]:
            noise = np.random.default_rng(0)
            return [
                replace(one, forces=one.forces + 1e-6 * noise.standard_normal(one.forces.shape))
                for one in super().evaluate(structures, progress)
            ]

    noisy = Noisy(embedded.model, WeightsInfo("noisy"))
    declare(noisy, differentiable=False)
    with pytest.raises(PotentialError, match=r"out of proportion by .*protocol field"):
        plan("hexagonal", noisy, method="displacements", protocol="small").compute(noisy)
    found = plan("hexagonal", noisy).compute(noisy)
    assert found.displacement == 0.01
    assert "precise in float64, but forces answer" in found.reason


def test_springs_are_recovered_by_regression() -> None:
    springs = AsePotential(LatticeSprings(cubic_axes(2.845), along=3.0, across=0.5))
    declare(springs, dtype="float64")
    atoms = make_crystal(rocksalt()).atoms
    plans = [
        plan_force_constants(atoms, 2 * np.eye(3, dtype=int), springs, PhononSettings(**s))
        for s in ({"method": "displacements", "displacement": 1e-3}, REGRESSION)
    ]
    one, other = (each.compute(springs) for each in plans)
    np.testing.assert_allclose(other.array, one.array, atol=1e-6)
    assert other.n_coefficients == count_snapshots(plans[0].phonopy).n_coefficients
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
    few = plan("cubic, Fm-3m", embedded)
    assert (few.method, few.dtype, few.n_evaluations) == ("displacements", "float64", 2)
    assert few.reason == "one-sided differences are precise in float64"
    many = plan("triclinic", embedded)
    assert (many.method, many.dtype, many.n_evaluations) == ("autodiff", "float32", 12)
    assert many.reason == "rows in float32 cost 68 % of one-sided differences in float64"
    assert "rows are precise in float32" in plan("monoclinic", single).reason


def test_what_does_not_fit_into_memory_is_not_chosen(
    embedded: Potential, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = plan("triclinic", embedded, method="autodiff")
    rows, small = plan("triclinic", embedded), plan("triclinic", embedded, **SMALL_STEPS)
    assert rows.memory is not None and small.memory is not None and exact.memory is not None
    assert small.memory < exact.memory
    free = [exact.memory]
    monkeypatch.setattr(planning, "available_memory", lambda _device: free[0])
    monkeypatch.setattr(planning, "WORTH_ROUNDING", 100.0)
    assert plan("triclinic", embedded).method == "autodiff"
    free[0] = exact.memory - 1
    with pytest.raises(PotentialError, match=r"12 rows .* GB; .* GB are free on cpu; use a small"):
        plan("triclinic", embedded, method="autodiff")
    monkeypatch.setattr(planning, "WORTH_ROUNDING", 0.0)
    assert plan("triclinic", embedded).method == "displacements"
    # One of the two is left: that which takes less, whichever the arithmetic makes it.
    free[0] = min(rows.memory, small.memory)
    assert rows.memory != small.memory
    left = "autodiff" if rows.memory < small.memory else "displacements"
    assert plan("triclinic", embedded).method == left
    free[0] -= 1
    with pytest.raises(PotentialError, match=r"would take about .* are free on cpu"):
        plan("triclinic", embedded)


def test_the_work_that_lies_ahead_is_said(embedded: Potential) -> None:
    short, long = plan("cubic, Fm-3m", embedded), plan("trigonal, R-3c", embedded)
    said = short.describe(embedded)
    assert re.fullmatch(r"supercell of 54 atoms, 2 displacements of 1e-05 A, about \S+ GB", said)
    longer = replace(long, n_evaluations=1000).describe(embedded)
    assert re.search(r"GB, about \d+ (s|min)$", longer)
    durations = {0.2: "1 s", 60: "60 s", 600: "10 min", 9000: "2.5 h"}
    assert [describe_duration(seconds) for seconds in durations] == list(durations.values())


def test_a_regression_takes_fewer_supercells_but_not_in_p1(
    embedded: Potential, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the 30 modes of corundum only those of one symmetry are coupled; in P1, all 12."""
    counts = {
        name: [plan(name, embedded, **s).n_evaluations for s in (SMALL_STEPS, REGRESSION)]
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
    for settings in (SMALL_STEPS, REGRESSION):
        with pytest.raises(SettingsError, match="float64"):
            plan("cubic, Fm-3m", coarse, **settings)
    with pytest.raises(PotentialError, match=r"no second derivatives.*method displacements"):
        plan("cubic, Fm-3m", coarse, method="autodiff")
