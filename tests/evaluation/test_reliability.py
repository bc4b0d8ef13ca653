"""The bound that a statement makes holds as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from mlphonon.evaluation.record import Comparison, CrystalScore
from mlphonon.evaluation.reliability import (
    CalibrationPoint,
    bound,
    calibrate,
    calibration_points,
    curve,
    is_for_calibration,
    reliability,
)
from mlphonon.trust.verdict import Check, Trust


def judged(error: float, verdict: str = "trusted", key: str = "a") -> CalibrationPoint:
    names = ("frequency", "heat_capacity", "entropy", "free_energy")
    return CalibrationPoint(key, "X", verdict, verdict, dict.fromkeys(names, error))


def test_bound_covers_new_errors_as_often_as_it_says() -> None:
    """Split conformal: of n + 1 errors that are drawn alike, each is as likely the largest."""
    random = np.random.default_rng(3)
    for size in (19, 30, 200):
        draws = random.exponential(size=(4000, size + 1)) ** 2
        covered = [one[-1] <= bound(one[:-1]) for one in draws]
        exact = np.ceil(0.95 * (size + 1)) / (size + 1)
        assert np.mean(covered) == pytest.approx(exact, abs=0.012)


def test_bound_of_few_is_the_largest() -> None:
    assert bound([3.0, 1.0, 2.0]) == 3.0
    assert np.isnan(bound([]))


def test_only_trusted_results_calibrate() -> None:
    results = [judged(0.01 * i) for i in range(1, 21)] + [judged(9, "use with care")]
    found = calibrate(results, "somewhere", None)
    assert found.crystals == 20
    assert found.frequency == found.entropy == pytest.approx(0.20)


def test_a_few_results_state_nothing() -> None:
    assert calibrate([judged(0.01 * i) for i in range(1, 19)], "somewhere", None) is None


def test_how_a_statement_held() -> None:
    found = calibrate([judged(0.01 * i) for i in range(1, 21)], "somewhere", None)
    others = [
        judged(0.1, key="a"),
        judged(0.3, key="b"),
        judged(0.1, "do not use", key="c"),
        judged(0.4, "use with care", key="d"),
    ]
    held = reliability(others, found, "frequency")
    assert (held.results, held.trusted, held.inside, held.others_inside) == (4, 2, 1, 1)


def test_curve_of_alike_errors_is_the_diagonal() -> None:
    random = np.random.default_rng(1)
    stated, found = random.random(2000), random.random(2000)
    levels = [0.3, 0.6, 0.9]
    np.testing.assert_allclose(curve(stated, found, levels), levels, atol=0.04)


def test_split_is_by_formula_and_about_even() -> None:
    from ase.data import chemical_symbols

    sides = [
        is_for_calibration(f"{a}{b}") for a in chemical_symbols[1:50] for b in ("O", "Cl", "S")
    ]
    assert 0.4 < np.mean(sides) < 0.6


def test_formulas_never_change_sides() -> None:
    """What calibrated the embedded potential must not test it, now or in years."""
    calibrating, testing = ("NaF", "GaAs", "ZnS"), ("LiF", "MgO", "NaCl")
    assert [is_for_calibration(formula) for formula in calibrating] == [True] * 3
    assert [is_for_calibration(formula) for formula in testing] == [False] * 3


def test_missing_splitting_does_not_count_where_the_reference_lacks_it_too() -> None:
    def check(name: str) -> Check:
        return Check(name=name, what="", measured=2, unit="", limit=1, advice="")

    def score(key: str, *names: str) -> CrystalScore:
        one = Comparison(
            errors={"mae_THz": 0.2, "entropy": -1.5},
            trust=Trust(checks=tuple(map(check, names))),
            rms_THz=4.0,
        )
        return CrystalScore(key=key, formula="NaCl", elements=("Na", "Cl"), relaxed=one)

    polar, coarse = calibration_points([score("a", "LO-TO splitting"), score("b", "mesh")])
    assert polar.is_trusted and not coarse.is_trusted
    assert polar.errors == {"frequency": pytest.approx(0.05), "entropy": 1.5}


def test_failed_crystals_are_left_out() -> None:
    failed = CrystalScore(key="a", formula="X", elements=("H",), relaxed=Comparison(failure="no"))
    assert calibration_points([failed]) == []
