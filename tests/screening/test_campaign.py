"""A campaign from crystals to a table, and what it does with those that fail."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.calculators.emt import EMT

from mlphonon import Phonons, compute_phonons
from mlphonon.errors import MlphononError, ResultError
from mlphonon.screening.campaign import Campaign
from mlphonon.screening.crystals.sources import Candidate
from mlphonon.screening.plan import CampaignPlan
from tests.helpers.inline import InlineExecutor
from tests.screening.conftest import QUICK

HERE = InlineExecutor()
"""For what needs no process of its own: starting one takes longer than a crystal."""

MakePlan = Callable[..., CampaignPlan]


class Trapped(EMT):
    """Does something bad to one metal."""

    trap = "Au"

    def calculate(self, atoms: Any = None, *rest: Any, **more: Any) -> None:
        if self.trap in atoms.symbols:
            self.spring()
        super().calculate(atoms, *rest, **more)

    def spring(self) -> None:
        raise NotImplementedError


class Crashing(Trapped):
    def spring(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)


class Hanging(Trapped):
    def spring(self) -> None:
        time.sleep(1000)


class Hungry(Trapped):
    def spring(self) -> None:
        self.eaten = np.ones(400_000_000)
        time.sleep(1000)


class Faulty(Trapped):
    def spring(self) -> None:
        raise ZeroDivisionError("a fault of the program")


def given(crystals: Iterable[Atoms]) -> list[Candidate]:
    return [Candidate(str(atoms.symbols), atoms) for atoms in crystals]


def do(
    campaign: Campaign, plan: CampaignPlan, crystals: list[Atoms], executor: Executor | None = None
) -> dict[str, str | None]:
    """Run to the end; return the cause of failure of each crystal by name."""
    ended = list(campaign.compute(plan, executor, crystals=given(crystals)))
    return {one.name: one.failure and one.failure.cause for one in ended}


def test_from_crystals_to_a_table(campaign: Campaign, plan: MakePlan, metals: list[Atoms]):
    asked = plan(temperatures=(100.0, 300.0), workers=2)
    assert do(campaign, asked, metals) == dict.fromkeys(("Cu", "Ag", "Au", "Ni", "Pd"))
    table = campaign.results()
    assert list(table.columns["name"]) == ["Ag", "Au", "Cu", "Ni", "Pd"]
    alone = compute_phonons(metals[0], EMT(), QUICK)
    row = list(table.columns["name"]).index("Cu")
    expected = alone.thermal([100.0, 300.0]).heat_capacity
    assert table.columns["c_v_100"][row] == pytest.approx(expected[0], rel=1e-9)
    assert table.columns["c_v_300"][row] == pytest.approx(expected[1], rel=1e-9)
    # 24 J/K/mol over 63.5 g/mol; and over 7.1 cm^3/mol.
    assert table.columns["c_v_300_per_mass"][row] == pytest.approx(expected[1] / 63.546, rel=1e-4)
    molar = 0.602214 * alone.atoms.cell.volume
    assert table.columns["c_v_300_per_volume"][row] == pytest.approx(expected[1] / molar, rel=1e-5)
    assert table.units["c_v_300_per_volume"] == "J/K/cm^3"
    assert campaign.phonons("Cu").frequencies([0.5, 0, 0]) == pytest.approx(
        alone.frequencies([0.5, 0, 0]), abs=1e-6
    )


def test_asking_again_costs_nothing(campaign: Campaign, plan: MakePlan, metals: list[Atoms]):
    do(campaign, plan(), metals[:2], HERE)
    intake = campaign.add(plan(), given(metals[:3]))
    assert (intake.new, intake.known, intake.done) == (1, 2, 2)
    assert [one.name for one in campaign.compute(plan(), HERE)] == ["Au"]


def test_another_setting_is_another_calculation(
    campaign: Campaign, plan: MakePlan, metals: list[Atoms]
):
    do(campaign, plan(), metals[:1], HERE)
    do(campaign, plan(temperatures=(200.0,)), metals[:1], HERE)
    with pytest.raises(ResultError, match="several calculations"):
        campaign.results()
    first, second = plan().calculation().digest(), plan(temperatures=(200.0,)).calculation()
    assert "c_v_300" in campaign.results(first[:8]).columns
    assert "c_v_200" in campaign.results(second.digest()).columns


def test_one_crystal_given_in_several_ways_is_computed_once(campaign: Campaign, plan: MakePlan):
    copper = bulk("Cu")
    turned = bulk("Cu", cubic=True)
    turned.rotate(33, (1, 2, 3), rotate_cell=True)
    moved = make_supercell(copper, [[2, 0, 0], [0, 1, 0], [1, 0, 1]])
    moved.positions += 0.7
    other = bulk("Cu", a=3.7)
    intake = campaign.add(plan(), given([copper, turned, moved, other]))
    assert (intake.new, intake.duplicates) == (2, 2)
    assert campaign.status().counts["waiting"] == 2
    # And they are still known when they come again.
    again = campaign.add(plan(), given([moved]))
    assert (again.new, again.known) == (0, 1)


def heusler(symbols: str) -> Atoms:
    """Return a quaternary Heusler crystal: four kinds of atoms along the diagonal of a cube."""
    places = np.arange(4)[:, None] * np.ones(3) / 4
    lattice = 3.0 * (np.ones((3, 3)) - np.eye(3))
    return Atoms(symbols, scaled_positions=places, cell=lattice, pbc=True)


def test_decorations_of_one_lattice_are_crystals_of_their_own(campaign: Campaign, plan: MakePlan):
    """The same formula, space group, cell and places; only what stands where differs."""
    decorations = [heusler(symbols) for symbols in ("CuNiAgAu", "CuAgNiAu", "CuNiAuAg")]
    moved = heusler("CuNiAgAu")
    moved.positions += 1.3
    turned = heusler("AuAgNiCu")  # the first, from the other end
    intake = campaign.add(plan(), given([*decorations, moved, turned]))
    assert (intake.new, intake.duplicates) == (3, 2)


def test_wurtzite_is_recognised_whatever_its_origin(campaign: Campaign, plan: MakePlan):
    crystal = bulk("AgCu", "wurtzite", a=4.5, c=7.3)
    moved = crystal[[2, 0, 3, 1]]
    moved.positions += (0.3, 0.2, 1.9)
    moved.wrap()
    intake = campaign.add(plan(), given([crystal, moved]))
    assert (intake.new, intake.duplicates) == (1, 1)


def test_what_is_no_crystal_fails_and_the_rest_goes_on(campaign: Campaign, plan: MakePlan):
    nothing = Candidate("nothing", None, {}, "entry 7 holds no crystal")
    close = Candidate("close", Atoms("Cu2", [(0, 0, 0), (0, 0, 0.1)], cell=[3, 3, 3], pbc=True))
    intake = campaign.add(plan(), [nothing, close, Candidate("Cu", bulk("Cu"))])
    assert (intake.new, intake.refused) == (3, 2)
    assert [one.name for one in campaign.compute(plan(), HERE)] == ["Cu"]
    found = {one["name"]: (one["cause"], one["message"]) for one in campaign.failures()}
    assert found["nothing"] == ("crystal", "entry 7 holds no crystal")
    assert "0.100 A apart" in found["close"][1]


def test_an_unknown_element_is_the_crystals_failure(campaign: Campaign, plan: MakePlan):
    assert do(campaign, plan(), [bulk("Fe"), bulk("Cu")], HERE) == {"Fe": "potential", "Cu": None}


def test_a_fault_of_the_program_keeps_its_traceback(campaign: Campaign, plan: MakePlan):
    assert do(campaign, plan(Faulty()), [bulk("Au"), bulk("Cu")], HERE)["Cu"] is None
    (failed,) = campaign.failures()
    assert "a fault of the program" in failed["message"]


def test_a_crystal_that_crashes_the_process_is_set_aside(
    campaign: Campaign, plan: MakePlan, metals: list[Atoms]
):
    found = do(campaign, plan(Crashing(), crashes=2, workers=2), metals[:3])
    assert found == {"Cu": None, "Ag": None, "Au": "crash"}
    (failed,) = campaign.failures()
    assert "ended under it 2 times" in failed["message"]
    assert "Segmentation fault" in failed["last_words"]
    assert "spring" in failed["last_words"]


@pytest.mark.parametrize(
    ("potential", "limit", "cause"),
    [(Hanging(), {"seconds": 15}, "timeout"), (Hungry(), {"gigabytes": 2.0}, "memory")],
)
def test_limits(campaign: Campaign, plan: MakePlan, potential: EMT, limit: dict, cause: str):
    asked = plan(potential, **limit)
    assert do(campaign, asked, [bulk("Au"), bulk("Cu")]) == {"Au": cause, "Cu": None}
    assert campaign.status().failures == {cause: 1}
    # Raise the limit and try again: nothing is left of the first failure.
    assert campaign.retry(cause) == 1
    assert campaign.status().counts == {"waiting": 1, "running": 0, "done": 1, "failed": 0}


def test_crystals_together_give_the_same(
    campaign: Campaign, plan: MakePlan, metals: list[Atoms], tmp_path: Path
):
    do(campaign, plan(), metals[:3], HERE)
    other = Campaign(tmp_path / "together.db")
    do(other, plan(together=3), metals[:3], HERE)
    one, two = campaign.results(), other.results()
    for name, values in one.columns.items():
        if values.dtype == float and name != "seconds":
            np.testing.assert_allclose(
                two.columns[name], values, rtol=1e-6, atol=1e-7, err_msg=name
            )


def test_an_executor_of_the_users(campaign: Campaign, plan: MakePlan, metals: list[Atoms]):
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        names = {
            one.name for one in campaign.run(metals[:2], EMT(), executor=pool, **QUICK.model_dump())
        }
    assert names == {"Cu-1", "Ag-2"}


def test_a_pool_of_the_users_that_breaks_is_one_line_and_loses_nothing(
    campaign: Campaign, plan: MakePlan, metals: list[Atoms]
):
    campaign.add(plan(Crashing()), given(metals))
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        pytest.raises(ResultError, match="takes no more work"),
    ):
        list(campaign.compute(plan(Crashing()), pool))
    counts = campaign.status().counts
    assert (counts["running"], counts["failed"]) == (0, 0)


def test_no_room_for_phonons_ends_the_run_and_loses_nothing(
    campaign: Campaign, plan: MakePlan, metals: list[Atoms], tmp_path: Path
):
    """The folder is a file system of 64 kB."""
    folder = tmp_path / "campaign"
    folder.mkdir()
    if os.system(f"mount -t tmpfs -o size=64k x {folder} 2>/dev/null"):
        pytest.skip("may not mount a small file system")
    try:
        with pytest.raises(MlphononError, match="No space left on device; free some space"):
            do(campaign, plan(), metals, HERE)
        assert campaign.status().counts["failed"] == 0
        os.system(f"mount -o remount,size=64m {folder}")
        list(campaign.compute(plan(), HERE))
        assert campaign.status().counts["done"] == 5
    finally:
        os.system(f"umount -l {folder}")


def test_phonons_can_be_left_out(campaign: Campaign, plan: MakePlan, metals: list[Atoms]):
    do(campaign, plan(keep_phonons=False), metals[:1], HERE)
    with pytest.raises(ResultError, match="no phonons of 'Cu'"):
        campaign.phonons("Cu")


def test_a_potential_that_cannot_be_loaded_is_nobodys_failure(campaign: Campaign, plan: MakePlan):
    with pytest.raises(MlphononError, match="no-such-potential"):
        campaign.add(plan("no-such-potential"), given([bulk("Cu")]))


def test_the_folder_is_remembered(plan: MakePlan, metals: list[Atoms], tmp_path: Path):
    do(Campaign(tmp_path / "a.db", tmp_path / "elsewhere"), plan(), metals[:1], HERE)
    assert isinstance(Campaign(tmp_path / "a.db").phonons("Cu"), Phonons)
    with pytest.raises(ResultError, match="the folder of the campaign is"):
        Campaign(tmp_path / "a.db", tmp_path / "third")
    (tmp_path / "elsewhere").rename(tmp_path / "third")
    assert isinstance(Campaign(tmp_path / "a.db", tmp_path / "third").phonons("Cu"), Phonons)
