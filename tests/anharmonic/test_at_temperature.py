"""The one call, its result on disk and on paper, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mlphonon import (
    Phonons,
    PhononsAtTemperature,
    PhononsAtTemperatureSettings,
    compute_phonons_at_temperature,
    make_crystal,
)
from mlphonon.anharmonic.sscha.settings import SschaSettings
from mlphonon.errors import ResultError, SettingsError
from mlphonon.settings import PhononSettings
from tests.helpers.crystals import VIEWS, rocksalt
from tests.helpers.quartic_wells import Wells, molecular_crystal
from tests.helpers.springs import NetworkSprings

QUICK = PhononSettings.make(
    relax=False,
    supercell="2 2 1",
    method="displacements",
    mesh=20,
    projected_mesh=10,
    band_points=11,
)


@pytest.fixture(scope="module")
def result() -> PhononsAtTemperature:
    wells = Wells((2.0, 2.5), b=1.0, g=-1.0)
    return compute_phonons_at_temperature(
        molecular_crystal(), wells, temperature=300, phonons=QUICK, snapshots=40, hessian=True
    )


def test_the_result_tells_of_itself(result: PhononsAtTemperature) -> None:
    summary = result.summary()
    json.dumps(summary)
    assert summary["renormalisation"]["temperature_K"] == 300
    assert summary["max_frequency_THz"] > summary["harmonic_max_frequency_THz"]
    text = "\n".join(result.describe())
    assert "at 300 K (sscha, quantum atoms)" in text
    assert "displaced supercells of 8 atoms" in text
    assert "curvature of the free energy" in text
    assert "older version" not in text
    # The ordinary command describes them, too.
    assert "self-consistent, " in "\n".join(result.phonons.describe())


def test_the_result_is_written_and_read_back(result: PhononsAtTemperature, tmp_path: Path) -> None:
    folder = result.save(tmp_path / "KCl")
    assert (folder / "phonons_at_temperature.png").stat().st_size > 20_000
    again = PhononsAtTemperature.load(folder)
    assert again.history == result.history
    assert again.renormalisation == result.renormalisation
    q = [[0.1, 0.2, 0.3], [0.5, 0, 0]]
    assert again.curvature is not None and result.curvature is not None
    for read, written in (
        (again.phonons, result.phonons),
        (again.harmonic, result.harmonic),
        (again.curvature, result.curvature),
        (Phonons.load(folder), result.phonons),
    ):
        assert read.frequencies(q) == pytest.approx(written.frequencies(q), abs=1e-6)
    assert again.summary()["renormalisation"] == result.summary()["renormalisation"]
    assert len(again.describe()) == len(result.describe())
    result.save(folder)
    (folder / "phonons_at_temperature.json").unlink()
    with pytest.raises(ResultError, match="does not hold phonons at a temperature"):
        PhononsAtTemperature.load(folder)


def test_trust_speaks_of_sampling_and_not_of_what_was_never_measured(
    result: PhononsAtTemperature,
) -> None:
    trust = result.phonons.trust
    names = {check.name for check in trust.checks}
    assert {"sampling", "convergence", "truncation"} <= names
    assert not any(one.needed for one in trust.unmeasured if one.name != "LO-TO splitting")
    assert "linearity" not in names
    sampling = trust.check("sampling")
    assert sampling is not None
    assert sampling.measured == result.renormalisation.mean_frequency_error_THz
    assert trust.expected_error is None


@pytest.mark.parametrize("view", ["permuted", "sheared", "supercell"])
def test_a_crystal_given_in_other_words_has_the_same_phonons(view: str) -> None:
    harmonic = PhononSettings.make(supercell="auto", min_length=5.5, mesh=20, band_points=5)
    calculator = NetworkSprings(rocksalt(), reach=4.3)
    q = [[0, 0, 0], [0, 0.5, 0.5], [0.1, 0.2, 0.3]]
    once, other = (
        compute_phonons_at_temperature(
            atoms,
            calculator,
            temperature=300,
            phonons=harmonic,
            snapshots=16,
            max_populations=2,
            min_length=5,
        ).phonons.frequencies(q)
        for atoms in (rocksalt(), VIEWS[view](rocksalt()))
    )
    assert once == pytest.approx(other, abs=1e-5)


def test_what_cannot_be_used_is_refused_in_a_line() -> None:
    crystal = make_crystal(molecular_crystal())
    with pytest.raises(SettingsError, match=r"'temperature'.* cannot be -1"):
        compute_phonons_at_temperature(crystal, Wells(), temperature=-1, phonons=QUICK)
    with pytest.raises(SettingsError, match="classical atoms do not move at 0 K"):
        compute_phonons_at_temperature(
            crystal, Wells(), temperature=0, phonons=QUICK, statistics="classical"
        )
    with pytest.raises(SettingsError, match="no method 'md'"):
        compute_phonons_at_temperature(crystal, Wells(), method="md")
    with pytest.raises(
        SettingsError,
        match="unknown setting 'steps' of method 'sscha'",
    ):
        PhononsAtTemperatureSettings.make(steps=3)
    with pytest.raises(
        SettingsError, match="setting 'snapshots' of method 'sscha' cannot be 21; must be even"
    ):
        PhononsAtTemperatureSettings.make(snapshots=21)
    with pytest.raises(SettingsError, match="must be SschaSettings, not PhononSettings"):
        SschaSettings.make(PhononSettings())  # type: ignore[arg-type]
    before = PhononsAtTemperatureSettings(sscha=SschaSettings(seed=3))
    changed = PhononsAtTemperatureSettings.make(before, pressure=1).of_method
    assert changed == SschaSettings(seed=3, pressure=1.0)


def test_what_does_not_converge_says_so() -> None:
    found = compute_phonons_at_temperature(
        molecular_crystal(),
        Wells(b=1.0),
        temperature=300,
        phonons=QUICK,
        snapshots=20,
        max_populations=1,
    )
    assert not found.renormalisation.converged
    text = "\n".join(found.describe())
    assert "NOT CONVERGED" in text and "! convergence" in text
    assert np.isfinite(found.renormalisation.mean_frequency_error_THz)
