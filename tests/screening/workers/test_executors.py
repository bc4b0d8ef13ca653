"""Executors: processes here, Parsl, Dask."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from ase import Atoms

from mlphonon.errors import SettingsError
from mlphonon.screening.campaign import Campaign
from mlphonon.screening.plan import CampaignPlan
from mlphonon.screening.site import ParslSettings, Site, make_site
from mlphonon.screening.workers.executors import LocalWorkers, parsl_config
from tests.screening.test_campaign import given
from tests.screening.test_survival import equal

SITES = Path(__file__).parents[3] / "examples" / "sites"


def test_a_death_costs_only_its_own_work():
    workers = LocalWorkers(2)
    slow = workers.submit(_pid_after, 3.0)
    with pytest.raises(BrokenProcessPool):
        workers.submit(os._exit, 1).result(timeout=60)
    after = [workers.submit(_pid_after, 0.2) for _ in range(4)]
    assert slow.result(timeout=60) not in {os.getpid()}
    assert all(future.result(timeout=60) for future in after)
    workers.shutdown()


def test_shutdown_ends_work_that_is_under_way():
    workers = LocalWorkers(1)
    endless = workers.submit(time.sleep, 1000)
    time.sleep(2)
    begun = time.monotonic()
    workers.shutdown(cancel_futures=True)
    assert time.monotonic() - begun < 10
    assert endless.exception(timeout=5) is not None


def test_cores_are_shared_out():
    workers = LocalWorkers(1, threads=3)
    assert workers.submit(os.getenv, "OMP_NUM_THREADS").result(timeout=60) == "3"
    workers.shutdown()


def test_parsl_gives_the_same_table(
    plan: Callable[..., CampaignPlan],
    metals: list[Atoms],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("MLPHONON_PARSL_LOGS", str(tmp_path / "parsl"))
    options = {"init_blocks": 1, "max_blocks": 1}
    cluster = ParslSettings(provider="local", options=options, address="127.0.0.1")
    here, there = Campaign(tmp_path / "here.db"), Campaign(tmp_path / "there.db")
    for campaign, asked in ((here, plan()), (there, plan(workers=2, parsl=cluster))):
        campaign.add(asked, given(metals))
        assert len(list(campaign.compute(asked))) == len(metals)
    assert equal(here.results(), there.results())


@pytest.mark.slow
def test_a_worker_of_parsl_that_is_killed(
    plan: Callable[..., CampaignPlan],
    metals: list[Atoms],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    from tests.screening.test_campaign import Crashing

    monkeypatch.setenv("MLPHONON_PARSL_LOGS", str(tmp_path / "parsl"))
    # Before mace's package of the same name.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    options = {"init_blocks": 1, "max_blocks": 1}
    cluster = ParslSettings(provider="local", options=options, address="127.0.0.1")
    asked = plan(Crashing(), workers=2, crashes=2, parsl=cluster)
    campaign = Campaign(tmp_path / "campaign.db")
    campaign.add(asked, given(metals))
    list(campaign.compute(asked))
    assert campaign.status().counts == {"waiting": 0, "running": 0, "done": 4, "failed": 1}
    assert campaign.status().failures == {"crash": 1}


@pytest.mark.slow
def test_dask(campaign: Campaign, plan: Callable[..., CampaignPlan], metals: list[Atoms]):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as dask,
        distributed.Client(dask) as client,
    ):
        campaign.add(plan(), given(metals))
        ended = list(campaign.compute(plan(), client.get_executor()))
    assert sorted(one.name for one in ended) == ["Ag", "Au", "Cu", "Ni", "Pd"]


def test_an_option_that_parsl_does_not_know_is_one_line():
    site = Site(parsl=ParslSettings(provider="slurm", options={"partitoin": "gpu"}))
    with pytest.raises(SettingsError, match="SlurmProvider has no option 'partitoin'"):
        parsl_config(site, site.parsl)


@pytest.mark.parametrize("name", sorted(path.name for path in SITES.glob("*.yaml")))
def test_site_files_of_the_examples_are_valid(name: str):
    site = Site.read(SITES / name)
    if site.parsl is not None:
        (executor,) = parsl_config(site, site.parsl).executors
        assert executor.max_workers_per_node == site.workers
        assert site.capacity > site.workers


@pytest.mark.parametrize(
    "values", [{"worker": 2}, {"workers": 0}, {"parsl": {"provider": "cray"}}, {"seconds": -1}]
)
def test_a_site_that_cannot_be_is_one_line(values: dict):
    with pytest.raises(SettingsError) as caught:
        make_site(values)
    assert "\n" not in str(caught.value)


def _pid_after(seconds: float) -> int:
    threading.Event().wait(seconds)
    return os.getpid()
