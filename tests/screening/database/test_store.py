"""The database: migrations, tasks, leases."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from mlphonon.errors import ResultError
from mlphonon.screening.calculation import Calculation
from mlphonon.screening.database import store as store_module
from mlphonon.screening.database.store import Store
from mlphonon.screening.database.tables import crystals, metadata, tasks
from mlphonon.screening.database.tasks import (
    Lease,
    State,
    add_calculation,
    add_tasks,
    claim,
    count_open,
    finish,
    release,
    renew,
    retry,
)
from mlphonon.screening.workers.outcome import Failure, Outcome
from mlphonon.settings import PhononSettings

CALCULATION = Calculation(
    potential="x",
    potential_digest="0",
    dtype="float64",
    settings=PhononSettings(),
    temperatures=(300.0,),
)
DIGEST = CALCULATION.digest()
PRICES = {"a": 3.0, "b": 2.0, "c": 1.0}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A campaign with three crystals that wait."""
    made = Store(tmp_path / "campaign.db").prepare(create=True)

    def fill(connection: sa.Connection) -> None:
        add_calculation(connection, CALCULATION)
        for key in PRICES:
            row = {"key": key, "name": f"crystal {key}", "formula": "Cu", "spacegroup": "Fm-3m"}
            more = {"n_atoms": 1, "structure": {}, "properties": {}}
            connection.execute(sa.insert(crystals).values(row | more))
        add_tasks(connection, PRICES.items(), DIGEST)

    made.run(fill)
    return made


def taken(store: Store, owner: str, count: int = 9, lease: float = 60.0) -> list[str]:
    found = store.run(lambda c: claim(c, DIGEST, owner, count, Lease(lease)))
    return [one.name.removeprefix("crystal ") for one in found]


def test_migrations_end_at_the_tables_of_the_code(tmp_path: Path):
    made = Store(tmp_path / "campaign.db").prepare(create=True)
    with made.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_preparing_again_changes_nothing(store: Store):
    Store(store.address).prepare(create=False)
    assert taken(store, "me") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "there is no campaign"), ("text", "cannot be used"), ("other", "not of a campaign")],
)
def test_a_file_that_is_no_campaign_is_one_line(tmp_path: Path, content: str | None, said: str):
    path = tmp_path / "x.db"
    if content == "text":
        path.write_text("hello, this is no database\n" * 50)
    if content == "other":
        with sqlite3.connect(path) as other:
            other.execute("CREATE TABLE recipes (x)")
    with pytest.raises(ResultError, match=said) as caught:
        Store(path).prepare(create=False)
    assert "\n" not in str(caught.value)


def test_a_store_of_a_newer_version_is_refused(store: Store):
    store.run(lambda c: c.execute(sa.text("UPDATE alembic_version SET version_num = 'later'")))
    with pytest.raises(ResultError, match="newer mlphonon"):
        Store(store.address).prepare(create=False)


def test_the_costliest_comes_first_and_nobody_gets_it_twice(store: Store):
    assert taken(store, "me", 1) == ["a"]
    assert taken(store, "you", 1) == ["b"]
    assert taken(store, "me") == ["c"]
    assert taken(store, "you") == []


def test_the_cheapest_comes_first_if_asked(store: Store):
    found = store.run(lambda c: claim(c, DIGEST, "me", 2, Lease(60, cheapest_first=True)))
    assert [one.name for one in found] == ["crystal c", "crystal b"]


def test_a_lease_that_ran_out_is_taken_over_and_a_renewed_one_is_not(store: Store):
    taken(store, "me", 1, lease=-1)
    taken(store, "you", 1, lease=-1)  # "b": what was begun comes after what was not
    store.run(lambda c: renew(c, "you", 60))
    assert taken(store, "third") == ["c", "a"]


def test_adding_again_enters_nothing(store: Store):
    assert store.run(lambda c: add_tasks(c, PRICES.items(), DIGEST)) == (0, 0)


def test_another_setting_is_another_task(store: Store):
    other = CALCULATION.model_copy(update={"settings": PhononSettings(mesh=99)})
    assert other.digest() != DIGEST
    store.run(lambda c: add_calculation(c, other))
    assert store.run(lambda c: add_tasks(c, PRICES.items(), other.digest())) == (3, 0)


def first(store: Store) -> str:
    return store.run(lambda c: claim(c, DIGEST, "me", 1, Lease()))[0].id


def failure(name: str, cause: str = "timeout") -> Outcome:
    ended = Failure(cause=cause, message="no")
    return Outcome(task=name, name="a", seconds=1.0, failure=ended)


def test_who_finishes_first_counts(store: Store):
    name = first(store)
    assert store.run(lambda c: finish(c, failure(name)))
    assert not store.run(lambda c: finish(c, failure(name, "crash")))
    cause = sa.select(tasks.c.cause).where(tasks.c.id == name)
    assert store.run(lambda c: c.execute(cause).scalar_one()) == "timeout"
    assert store.run(lambda c: count_open(c, DIGEST)) == 2


def test_retry_takes_one_cause_or_all(store: Store):
    for cause in ("timeout", "memory"):
        ended = failure(first(store), cause)
        store.run(lambda c, one=ended: finish(c, one))
    assert store.run(lambda c: retry(c, DIGEST, "timeout")) == 1
    assert store.run(lambda c: retry(c, DIGEST, None)) == 1
    assert taken(store, "me") == ["a", "b", "c"]


def test_what_is_given_back_untried_does_not_count_as_an_attempt(store: Store):
    name = first(store)
    store.run(lambda c: release(c, [name], "me"))
    row = store.run(lambda c: c.execute(sa.select(tasks).where(tasks.c.id == name)).one())
    assert (row.state, row.attempts, row.owner) == (State.WAITING, 0, None)


def test_a_lost_connection_is_asked_again(store: Store, monkeypatch: pytest.MonkeyPatch):
    calls = []

    def work(connection: sa.Connection) -> str:
        calls.append(1)
        if len(calls) < 3:
            raise sa.exc.OperationalError("", {}, sqlite3.OperationalError("database is locked"))
        return "done"

    monkeypatch.setattr(store_module.time, "sleep", lambda _seconds: None)
    assert store.run(work) == "done"


def test_a_database_that_stays_away_is_one_line(store: Store, monkeypatch: pytest.MonkeyPatch):
    def work(connection: sa.Connection) -> None:
        raise sa.exc.OperationalError("", {}, OSError("connection refused"))

    monkeypatch.setattr(store_module, "PATIENCE", 0.05)
    with pytest.raises(ResultError, match="cannot be used; connection refused"):
        store.run(work)


def test_a_full_disk_is_one_line(store: Store):
    def work(connection: sa.Connection) -> None:
        raise sa.exc.OperationalError("", {}, sqlite3.OperationalError("database or disk is full"))

    with pytest.raises(ResultError, match="free some space"):
        store.run(work)


def test_a_file_that_may_not_be_written_is_one_line_at_once(store: Store):
    store.close()
    path = Path(store.address)
    locked = Store(f"file:{path}?mode=ro&uri=true")
    begun = time.monotonic()
    with pytest.raises(ResultError, match=r"cannot be used; .*readonly"):
        locked.run(lambda c: c.execute(sa.update(tasks).values(owner="me")))
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("address", ["nonsense://x/y", "postgresql://nobody@localhost:1/none"])
def test_an_address_that_is_no_database(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store_module, "PATIENCE", 0.05)
    with pytest.raises(ResultError):
        Store(address).prepare(create=False)
