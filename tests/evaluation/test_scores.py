"""Means over crystals, the worst of them, and who is left out: by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mlphonon.evaluation.manifest import Manifest
from mlphonon.evaluation.metrics.stability import Confusion
from mlphonon.evaluation.protocol import Protocol
from mlphonon.evaluation.record import Comparison, CrystalScore
from mlphonon.evaluation.scores import Scores


def score(
    key: str, elements: tuple[str, ...], mae: float | None, bias: float = 0.0, **stable: bool
) -> CrystalScore:
    """A crystal with some errors, or with none because it failed."""
    if mae is None:
        relaxed, dft = Comparison(failure="it flew apart"), Comparison(errors={"mae_THz": 9.0})
    else:
        errors = {"mae_THz": mae, "bias_THz": bias, "spectrum_THz": mae / 2}
        relaxed = Comparison(errors=errors, stable={"threshold": stable.get("ours", True)})
        dft = Comparison(errors={"mae_THz": mae / 4}, stable=relaxed.stable)
    return CrystalScore(
        key=key,
        formula=key,
        elements=elements,
        relaxed=relaxed,
        dft=dft,
        stable_dft={"threshold": stable.get("theirs", True)},
        seconds=30.0,
    )


def make_scores(name: str, *crystals: CrystalScore) -> Scores:
    manifest = Manifest(
        reference="phonondb-103",
        reference_files={"file": "f" * 64},
        potential={"name": name, "dtype": "float64"},
        protocol=Protocol(),
        code="c" * 64,
        versions={"phonopy": "4.8.6"},
    )
    return Scores(manifest, crystals)


@pytest.fixture
def scores() -> Scores:
    return make_scores(
        "ours",
        score("LiF", ("Li", "F"), 0.2, -0.2),
        score("NaF", ("Na", "F"), 0.4, 0.1, ours=False),
        score("NaCl", ("Na", "Cl"), 0.9, -0.5, ours=False, theirs=False),
        score("KCl", ("K", "Cl"), None),
    )


def test_means_are_over_those_that_have_numbers(scores: Scores) -> None:
    mean = scores.mean("mae_THz", absolute=True)
    assert mean.value == pytest.approx(0.5)
    assert 0.2 <= mean.low < 0.5 < mean.high <= 0.9
    assert scores.mean("bias_THz", absolute=False).value == pytest.approx(-0.2)
    assert scores.mean("bias_THz", absolute=True).value == pytest.approx(0.8 / 3)
    # The crystal that failed when relaxed has numbers at DFT's structure.
    assert scores.mean("mae_THz", "dft", absolute=True).value == pytest.approx(
        (0.05 + 0.1 + 0.225 + 9) / 4
    )
    assert np.isnan(scores.mean("kappa_srme", absolute=True).value)


def test_failures_are_named(scores: Scores) -> None:
    assert scores.failures() == [("KCl", "relaxed", "it flew apart")]
    assert [s.key for s, _ in scores.computed()] == ["LiF", "NaF", "NaCl"]
    assert len(scores.computed("dft")) == 4


def test_the_worst_come_first(scores: Scores) -> None:
    assert scores.ranked_by == "mae_THz"
    assert [(s.key, error) for s, error in scores.worst(2)] == [("NaCl", 0.9), ("NaF", 0.4)]


def test_elements_get_the_mean_of_their_crystals(scores: Scores) -> None:
    found = scores.by_element("mae_THz")
    assert found["F"] == (pytest.approx(0.3), 2)
    assert found["Na"] == (pytest.approx(0.65), 2)
    assert found["Cl"] == (pytest.approx(0.9), 1)
    assert set(found) == {"Li", "F", "Na", "Cl"}


def test_verdicts_are_counted_without_failures(scores: Scores) -> None:
    assert scores.confusion("threshold") == Confusion(1, 0, 1, 1)
    assert scores.confusion("kelvin") == Confusion(0, 0, 0, 0)


def test_a_part_of_the_crystals(scores: Scores) -> None:
    part = scores.only(frozenset({"LiF", "KCl"}))
    assert part.keys == {"LiF", "KCl"}
    assert part.mean("mae_THz", absolute=True).value == pytest.approx(0.2)
