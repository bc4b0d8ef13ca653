"""Crystals come in while those that are there are computed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest
from ase import Atoms
from ase.build import bulk

from mlphonon.errors import CrystalError
from mlphonon.screening.campaign import Campaign
from mlphonon.screening.crystals.intake import FIRST, Intake
from mlphonon.screening.crystals.sources import Candidate
from mlphonon.screening.plan import CampaignPlan
from tests.helpers.inline import InlineExecutor

MakePlan = Callable[..., CampaignPlan]


class Deadly(Atoms):
    """Ends the process that looks at it."""

    def copy(self) -> Atoms:
        os._exit(1)


def strained(count: int) -> Iterator[Candidate]:
    for number in range(count):
        yield Candidate(f"Cu-{number}", bulk("Cu", a=3.4 + 0.02 * number))


def test_the_first_are_computed_before_the_last_are_read(campaign: Campaign, plan: MakePlan):
    first_is_done = threading.Event()

    def slowly() -> Iterator[Candidate]:
        yield from strained(FIRST)
        assert first_is_done.wait(120), "nothing was computed while crystals came in"
        yield Candidate("Ag", bulk("Ag"))

    counts: list[Intake] = []
    ended = []
    for outcome in campaign.compute(
        plan(keep_phonons=False), InlineExecutor(), crystals=slowly(), at_end=counts.append
    ):
        ended.append(outcome.name)
        first_is_done.set()
    assert sorted(ended) == ["Ag", *(f"Cu-{number}" for number in range(FIRST))]
    assert counts == [Intake(new=FIRST + 1)]


def test_an_error_of_a_source_ends_the_run_and_keeps_what_came_before(
    campaign: Campaign, plan: MakePlan
):
    def broken() -> Iterator[Candidate]:
        yield from strained(FIRST)
        raise CrystalError("cannot read the rest")

    with pytest.raises(CrystalError, match="cannot read the rest"):
        list(campaign.compute(plan(), InlineExecutor(), crystals=broken()))
    counts = campaign.status().counts
    assert sum(counts.values()) == FIRST
    assert counts["running"] == counts["failed"] == 0


def test_many_are_checked_by_other_processes_and_one_that_ends_them_is_set_aside(
    campaign: Campaign, plan: MakePlan
):
    many = [*strained(FIRST + 6), Candidate("deadly", Deadly(bulk("Au"))), *strained(FIRST)]
    progress: list[int] = []
    intake = campaign.add(plan(), many, progress.append)
    assert (intake.new, intake.known, intake.refused) == (FIRST + 7, FIRST, 1)
    assert sum(progress) == len(many)
    (failed,) = campaign.failures()
    assert failed["name"] == "deadly"
    assert failed["message"] == "the process that checked it ended"


def test_what_no_library_expected_is_that_crystals_failure(campaign: Campaign, plan: MakePlan):
    odd = Atoms("Cu", cell=[[1e-200, 0, 0], [0, 1e300, 0], [0, 0, 1e-100]], pbc=True)
    intake = campaign.add(plan(), [Candidate("odd", odd), Candidate("Cu", bulk("Cu"))])
    assert (intake.new, intake.refused) == (2, 1)
