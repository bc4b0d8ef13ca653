"""What checks add up to, and what is said of it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from mlphonon import Phonons, compute_phonons
from mlphonon.errors import SettingsError
from mlphonon.potentials.potential import Potential
from mlphonon.trust.calibration import Calibration, find_calibration
from mlphonon.trust.verdict import Check, ExpectedError, Trust, Unmeasured
from tests.helpers.crystals import silicon

EXPECTED = ExpectedError(
    frequency_THz=0.5, heat_capacity=1, entropy=2, free_energy=0.3, source="nowhere"
)


def check(measured: float, name: str = "truncation", effect: float | None = None) -> Check:
    return Check(
        name=name,
        what="it was off by",
        measured=measured,
        unit="THz",
        limit=1.0,
        severe=10.0,
        effect_THz=effect,
        advice="do better",
    )


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (0.0, "trusted"),
        (1.0, "trusted"),
        (1.1, "use with care"),
        (10.1, "do not use"),
        (math.inf, "do not use"),
        (math.nan, "do not use"),
    ],
)
def test_a_check_alone(measured: float, verdict: str) -> None:
    assert check(measured).verdict == verdict
    assert Trust(checks=(check(0), check(measured))).verdict == verdict


def test_a_check_that_is_never_severe() -> None:
    mild = check(1e9).model_copy(update={"severe": None})
    assert mild.verdict == "use with care"


def test_worst_first_and_reasons() -> None:
    trust = Trust(checks=(check(2, "mesh"), check(20, "volume"), check(0, "symmetry")))
    assert [one.name for one in trust.fired] == ["volume", "mesh"]
    assert trust.headline == "do not use: volume, mesh"
    assert trust.without("volume").headline == "use with care: mesh"
    assert trust.without("volume", "mesh").headline == "trusted"
    assert "volume: it was off by 20 THz (limit 1); do better" in trust.fired[0].describe()


def test_what_is_needed_and_was_not_measured_asks_for_care() -> None:
    idle = Unmeasured(name="training", why="nobody knows")
    needed = Unmeasured(name="residual stress", why="no stress", needed=True)
    assert Trust(checks=(check(0),), unmeasured=(idle,)).verdict == "trusted"
    trust = Trust(checks=(check(0),), unmeasured=(idle, needed))
    assert trust.headline == "use with care: residual stress not measured"


def test_effects_of_the_calculation_add_in_squares() -> None:
    """The volume has no part in it: that is the potential's fault."""
    checks = (
        check(0, "mesh", 0.3),
        check(0, "truncation", 0.4),
        check(0, "volume", 7.0),
        check(0, "symmetry"),
    )
    assert Trust(checks=checks).numerical_error == pytest.approx(0.5)


def test_an_error_is_stated_of_trusted_results_alone() -> None:
    polar = check(2, "LO-TO splitting")
    trusted = Trust(checks=(check(0), polar), expected_error=EXPECTED)
    assert trusted.verdict == "use with care"
    assert trusted.stated_error == EXPECTED
    assert "below 0.5 THz in 95 of 100 crystals" in trusted.describe()
    doubted = Trust(checks=(check(2), polar), expected_error=EXPECTED)
    assert doubted.stated_error is None
    assert "not known for such a result" in doubted.describe()
    assert "never measured" in Trust(checks=(check(0),)).describe()


def test_only_the_weights_that_were_measured_are_calibrated(embedded: Potential) -> None:
    potential = embedded.info.as_dict()
    found = find_calibration(potential)
    assert isinstance(found, Calibration)
    assert found.crystals >= 19, "fewer say nothing about 95 in 100"
    assert 0 < found.frequency < 0.5
    assert find_calibration(potential | {"sha256": "of others"}) is None
    assert find_calibration(potential | {"name": "EMT"}) is None


def test_trust_survives_saving(quartz_phonons: Phonons, tmp_path: Path) -> None:
    quartz_phonons.save(tmp_path / "quartz")
    loaded = Phonons.load(tmp_path / "quartz")
    assert loaded.trust.headline == quartz_phonons.trust.headline
    assert loaded.record.evidence == quartz_phonons.record.evidence
    assert Trust.model_validate_json(loaded.trust.model_dump_json()) == loaded.trust
    written = json.loads((tmp_path / "quartz" / "phonons.json").read_text())
    assert written["trust"]["verdict"] == loaded.trust.verdict


def test_a_result_without_evidence_is_not_trusted(quartz_phonons: Phonons) -> None:
    """As those that older versions wrote."""
    record = quartz_phonons.record.model_copy(update={"evidence": None})
    trust = Phonons(quartz_phonons.phonopy, record).trust
    assert trust.verdict == "use with care"
    assert "linearity not measured" in trust.doubts


def test_more_is_looked_at_on_demand(embedded: Potential) -> None:
    """What the next larger supercell changes; the estimate is of its size."""
    settings = {"min_length": 9.0, "mesh": 30.0, "metal": True}
    usual = compute_phonons(silicon(), embedded, **settings)
    full = compute_phonons(silicon(), embedded, trust="full", **settings)
    np.testing.assert_array_equal(
        full.frequencies([0.1, 0.2, 0.3]), usual.frequencies([0.1, 0.2, 0.3])
    )
    measured = full.trust.check("truncation")
    assert "another supercell" in measured.what
    # Two orders of summation round differently: not zero, as of a potential beside itself.
    assert 1e-16 < full.trust.check("kernels").measured < 1e-9
    assert usual.trust.check("kernels") is None
    assert 0.2 < usual.trust.check("truncation").measured / measured.measured < 5


def test_a_pickle_is_allowed_by_another_word() -> None:
    with pytest.raises(SettingsError, match="allow_pickle"):
        compute_phonons(silicon(), trust=True)
