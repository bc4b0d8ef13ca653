"""Campaigns of cheap metals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from mlphonon.screening.calculation import PotentialSource
from mlphonon.screening.campaign import Campaign
from mlphonon.screening.plan import CampaignPlan
from mlphonon.screening.site import Site
from mlphonon.settings import PhononSettings

QUICK = PhononSettings(min_length=5.0, mesh=15, projected_mesh=10, band_points=5)


@pytest.fixture(scope="session")
def metals() -> list[Atoms]:
    """Five crystals of one atom."""
    return [bulk(symbol) for symbol in ("Cu", "Ag", "Au", "Ni", "Pd")]


@pytest.fixture(scope="session")
def plan() -> Callable[..., CampaignPlan]:
    """Make a plan with a potential that costs nothing."""

    def make(
        potential: Any = None, temperatures: tuple[float, ...] = (300.0,), **site: Any
    ) -> CampaignPlan:
        source = PotentialSource(potential or EMT())
        return CampaignPlan(source, QUICK, temperatures, Site(**site))

    return make


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign(tmp_path / "campaign.db")
