"""Phonons at a temperature, of every crystal of a campaign."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from mlphonon.anharmonic.at_temperature.compute import compute_phonons_at_temperature
from mlphonon.crystal.crystal import make_crystal
from mlphonon.errors import PotentialError, ResultError, SettingsError
from mlphonon.screening.calculation import Calculation, PotentialSource
from mlphonon.screening.campaign import Campaign
from mlphonon.screening.crystals.prediction import predicted_cost
from mlphonon.screening.crystals.sources import Candidate
from mlphonon.screening.plan import CampaignPlan
from mlphonon.screening.properties import read_properties, read_property
from mlphonon.screening.ranking.rank import rank, write_table
from mlphonon.settings import PhononSettings
from tests.helpers.inline import InlineExecutor
from tests.screening.conftest import QUICK

ASKED = "sscha(300, snapshots=20, tolerance=0.1)"
MakePlan = Callable[..., CampaignPlan]


class Slow(EMT):
    """Hangs where gold is as far displaced as at a temperature."""

    def calculate(self, atoms: Any = None, *rest: Any, **more: Any) -> None:
        super().calculate(atoms, *rest, **more)
        if "Au" in atoms.symbols and np.abs(self.results["forces"]).max() > 0.5:
            time.sleep(1000)


class Shy(EMT):
    """Does not like gold that moves far, as no harmonic displacement does."""

    def calculate(self, atoms: Any = None, *rest: Any, **more: Any) -> None:
        super().calculate(atoms, *rest, **more)
        if "Au" in atoms.symbols and np.abs(self.results["forces"]).max() > 0.5:
            raise PotentialError("gold is too hot")


def computed(
    campaign: Campaign, plan: CampaignPlan, *symbols: str, executor: Executor | None = None
) -> Campaign:
    crystals = [Candidate(symbol, bulk(symbol)) for symbol in symbols]
    outcomes = campaign.compute(plan, executor, crystals=crystals)
    assert [one.failure for one in outcomes] == [None] * len(symbols)
    return campaign


def shy_plan() -> CampaignPlan:
    return CampaignPlan(PotentialSource(Shy()), QUICK, properties=read_properties([ASKED]))


@pytest.fixture(scope="module")
def hot(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Copper, silver and gold at 300 K, of which gold failed."""
    store = tmp_path_factory.mktemp("hot") / "campaign.db"
    plan = CampaignPlan(
        replace(CampaignPlan().source, asked=Shy()), QUICK, properties=read_properties([ASKED])
    )
    return computed(Campaign(store), plan, "Cu", "Ag", "Au")


def test_numbers_are_those_of_one_crystal_alone(hot: Campaign):
    row = {name: values[2] for name, values in hot.results().columns.items()}
    assert row["name"] == "Cu"
    alone = compute_phonons_at_temperature(
        bulk("Cu"), EMT(), temperature=300, phonons=QUICK, snapshots=20, tolerance=0.1
    )
    how, atoms = alone.renormalisation, alone.phonons.atoms
    assert row["sscha_frequency_error_300"] == pytest.approx(how.frequency_error_THz, abs=1e-9)
    assert row["sscha_n_snapshots_300"] == how.n_snapshots
    assert row["sscha_converged_300"] is True
    assert row["sscha_stable_300"] is True
    assert row["sscha_volume_300"] == pytest.approx(atoms.get_volume())
    thermal = alone.phonons.thermal([300.0])
    assert row["sscha_c_v_300"] == pytest.approx(thermal.heat_capacity[0])
    assert row["sscha_max_frequency_300"] == pytest.approx(
        alone.summary()["max_frequency_THz"], abs=0.01
    )


def test_the_free_energy_stands_beside_the_harmonic_one(hot: Campaign):
    """What is anharmonic about copper at room temperature is below 0.3 kJ/mol."""
    table = hot.results()
    known = table.columns["name"] == "Cu"
    harmonic, found = (
        table.columns[n][known] for n in ("free_energy_300", "sscha_free_energy_300")
    )
    assert found == pytest.approx(harmonic, abs=0.3)
    assert np.abs(found - harmonic) > 1e-3


def test_what_fails_leaves_the_harmonic_phonons(hot: Campaign):
    row = {name: values[1] for name, values in hot.results().columns.items()}
    assert row["name"] == "Au"
    assert "gold is too hot" in row["sscha_failure_300"]
    assert row["sscha_stable_300"] is None
    assert np.isnan(row["sscha_max_frequency_300"])
    assert row["max_frequency"] > 1
    assert hot.status().without == {"sscha(300, snapshots=20, tolerance=0.1)": 1}
    assert hot.phonons("Au").record.renormalisation is None
    with pytest.raises(ResultError, match="no phonons of 'Au' at"):
        hot.phonons("Au", at="sscha(300)")


def test_phonons_are_kept(hot: Campaign):
    kept = hot.phonons("Ag", at="sscha(300)")
    assert kept.record.renormalisation.temperature_K == 300
    row = list(hot.results().columns["name"]).index("Ag")
    assert kept.stability.lowest_frequency_THz == pytest.approx(
        hot.results().columns["sscha_min_frequency_300"][row], abs=1e-6
    )


def test_they_can_be_ranked_and_written(hot: Campaign, tmp_path: Path):
    ranked = rank(hot.results(), "sscha_max_frequency(300) - max_frequency", "sscha_stable(300)", 5)
    assert sorted(ranked.columns["name"]) == ["Ag", "Cu"]
    for name in ("t.json", "t.csv"):
        write_table(hot.results(), tmp_path / name)
    rows = json.loads((tmp_path / "t.json").read_text())
    assert [row["sscha_stable_300"] for row in rows] == [True, None, True]


def test_a_limit_leaves_the_harmonic_phonons(campaign: Campaign, plan: MakePlan):
    """The process is ended; what it knew is kept."""
    both = read_properties(["sscha(100, snapshots=20)", "sscha(300, snapshots=20)"])
    asked = replace(plan(Slow(), seconds=12.0), properties=both)
    table = computed(campaign, asked, "Au").results()
    assert table.columns["max_frequency"][0] > 1
    for temperature in (100, 300):
        assert table.columns[f"sscha_failure_{temperature}"][0] == "not done after 12 s"
    assert campaign.phonons("Au").record.name == "Au"


def test_a_campaign_goes_on(hot: Campaign):
    plan = CampaignPlan(
        replace(CampaignPlan().source, asked=Shy()), QUICK, properties=read_properties([ASKED])
    )
    assert hot.add(plan, [Candidate("Cu", bulk("Cu"))]).done == 1
    assert list(hot.compute(plan)) == []


def test_effective_force_constants_of_a_campaign(campaign: Campaign, plan: MakePlan):
    asked = read_properties(
        ["effective(300, snapshots=16, trajectories=4, tolerance=0.3, equilibration=0.2)"]
    )
    plan_at_300 = replace(plan(), properties=asked)
    table = computed(campaign, plan_at_300, "Cu", executor=InlineExecutor()).results()
    assert 5 < table.columns["effective_max_frequency_300"][0] < 9
    assert np.isnan(table.columns["effective_free_energy_300"][0])


def test_a_calculation_without_properties_keeps_its_name():
    """That of a campaign of before there were any, as its database has it."""
    old = Calculation(
        potential="x",
        potential_digest="0",
        dtype="float64",
        settings=QUICK,
        temperatures=(300.0,),
    )
    dumped = old.model_dump(mode="json")
    del dumped["properties"]
    # And as settings were stored before temperatures were text.
    dumped["settings"]["temperatures"] = [0.0, 1000.0, 10.0]
    again = Calculation.model_validate(dumped)
    assert again == old
    assert again.digest() == old.digest()
    plain = old.model_copy(update={"settings": PhononSettings(mesh=40.0)})
    assert plain.digest().startswith("891d8f56534b9f18"), "as version 0.1.0 computed it"
    hot = old.model_copy(update={"properties": read_properties(["sscha(300)"])})
    assert hot.digest() != old.digest()
    assert "sscha(300)" in hot.describe()


def test_what_costs_more_is_said_to():
    crystal = make_crystal(bulk("Cu"))
    plain = predicted_cost(crystal, QUICK)
    sscha = predicted_cost(crystal, QUICK, read_properties(["sscha(300)"]))
    moved = predicted_cost(crystal, QUICK, read_properties(["effective(300)"]))
    assert moved > sscha > 10 * plain


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("sscha(300)", ("sscha", 300, {})),
        (" effective( 77.5 , seed=3) ", ("effective", 77.5, {"seed": 3})),
        ("sscha(300, snapshots=100)", ("sscha", 300, {})),  # that is the default
        ("sscha(0, pressure=-1.5)", ("sscha", 0, {"pressure": -1.5})),
    ],
)
def test_what_can_be_asked(text: str, means: tuple[str, float, dict[str, Any]]):
    found = read_property(text)
    assert (found.method, found.temperature, found.changes) == means
    assert read_property(found.describe()) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sscha", "names no method"),
        ("sscha(300", "cannot be read"),
        ("sscha(300, 400)", "one temperature"),
        ("sscha('hot')", "number of K"),
        ("tdep(300)", "no method 'tdep'"),
        ("sscha(-5)", "-5 K"),
        ("effective(0)", "0 K"),
        ("sscha(300, snapshot=10)", "snapshot"),
        ("sscha(300, **{'a': 1})", "one temperature"),
        ("sscha(__import__('os'))", "cannot be read"),
    ],
)
def test_what_cannot_be_asked(text: str, said: str):
    with pytest.raises(SettingsError, match=said):
        read_property(text)


def test_a_temperature_given_twice_is_refused():
    with pytest.raises(SettingsError, match="sscha at 300 K is asked for twice"):
        read_properties(["sscha(300)", "sscha(300.0, seed=1)"])
