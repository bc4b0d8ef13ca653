"""A run of a campaign in a process of its own, to be killed by tests.

python -m tests.helpers.drive_campaign campaign.db crystals.extxyz WORKERS
"""

from __future__ import annotations

import sys
from pathlib import Path

from ase.calculators.emt import EMT

from mlphonon.screening.calculation import PotentialSource
from mlphonon.screening.campaign import Campaign
from mlphonon.screening.crystals.sources import read_sources
from mlphonon.screening.plan import CampaignPlan
from mlphonon.screening.site import Site
from mlphonon.settings import PhononSettings

SETTINGS = PhononSettings(min_length=6.0, mesh=15, projected_mesh=10, band_points=5)


def main(store: str, crystals: Path, workers: str) -> None:
    site = Site(workers=int(workers), lease=4.0, crashes=20)
    plan = CampaignPlan(PotentialSource(EMT()), SETTINGS, (100.0, 300.0), site)
    folder = None if "://" not in store else f"{crystals}-folder"
    campaign = Campaign(store, folder)
    for outcome in campaign.compute(plan, crystals=read_sources([crystals])):
        print(outcome.name, flush=True)


if __name__ == "__main__":
    store, crystals, workers = sys.argv[1:]
    main(store, Path(crystals), workers)
