"""Tasks in the database: added, claimed under a lease, finished once.

Every function works in the transaction of the connection it is given, and does no harm when it is
done twice. A lease that was not renewed may be taken over by anybody; who finishes first counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, insert, or_, select, update

from mlphonon.screening.calculation import Calculation, task_id
from mlphonon.screening.database.tables import (
    artifacts,
    at_temperature,
    calculations,
    crystals,
    results,
    tasks,
    thermal,
)
from mlphonon.screening.task import Task

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from mlphonon.screening.workers.outcome import Outcome

AT_ONCE = 500
"""Most rows or names in one statement."""


class State(StrEnum):
    """Of a task."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


OPEN = (State.WAITING, State.RUNNING)

NOBODYS: dict[str, None] = dict.fromkeys(("owner", "lease_until"))
"""Columns of a task that no run holds."""

NO_FAILURE: dict[str, None] = dict.fromkeys(("cause", "message", "last_words"))
"""Columns of a task that has not failed."""


@dataclass(frozen=True)
class Lease:
    """How tasks are taken: for how many seconds, and which come first."""

    seconds: float = 120.0
    cheapest_first: bool = False


def add_calculation(connection: Connection, calculation: Calculation) -> None:
    """Enter a calculation, unless it is there."""
    digest = calculation.digest()
    known = select(calculations.c.digest).where(calculations.c.digest == digest)
    if connection.execute(known).first() is None:
        description = calculation.model_dump(mode="json")
        row = {"digest": digest, "description": description, "begun": time.time()}
        connection.execute(insert(calculations).values(row))


def add_tasks(
    connection: Connection, wanted: Iterable[tuple[str, float]], calculation: str
) -> tuple[int, int]:
    """Enter a task for each crystal, unless it is there.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    wanted : iterable of (str, float)
        Keys of crystals, and what they cost.
    calculation : str
        Digest.

    Returns
    -------
    tuple of int
        How many are new, and how many of all are done.
    """
    rows = {
        task_id(key, calculation): {
            "id": task_id(key, calculation),
            "crystal": key,
            "calculation": calculation,
            "state": State.WAITING,
            "cost": cost,
            "attempts": 0,
            "crashes": 0,
            "changed": time.time(),
        }
        for key, cost in wanted
    }
    known: dict[str, str] = {}
    for names in _pieces(list(rows)):
        found = select(tasks.c.id, tasks.c.state).where(tasks.c.id.in_(names))
        known |= {row.id: row.state for row in connection.execute(found)}
    new = [row for name, row in rows.items() if name not in known]
    for piece in _pieces(new):
        connection.execute(insert(tasks), piece)
    return len(new), sum(state == State.DONE for state in known.values())


def claim(
    connection: Connection, calculation: str, owner: str, count: int, lease: Lease
) -> list[Task]:
    """Take up to `count` tasks that wait, or whose lease has run out.

    Those that were begun least often come first, so that what always fails comes when all else is
    done; and of these the costliest, so that no long task is left for the end.
    """
    now = time.time()
    free = and_(tasks.c.calculation == calculation, _is_free(now))
    price = tasks.c.cost if lease.cheapest_first else tasks.c.cost.desc()
    wanted = (
        select(tasks.c.id, crystals.c.name, crystals.c.structure, tasks.c.crashes)
        .join(crystals, crystals.c.key == tasks.c.crystal)
        .where(free)
        .order_by(tasks.c.attempts, price, tasks.c.id)
        .limit(count)
    )
    taken = []
    for row in connection.execute(wanted).all():
        mine = (
            update(tasks)
            .where(tasks.c.id == row.id, _is_free(now))
            .values(
                state=State.RUNNING,
                owner=owner,
                lease_until=now + lease.seconds,
                attempts=tasks.c.attempts + 1,
                changed=now,
            )
        )
        if connection.execute(mine).rowcount == 1:
            taken.append(Task(row.id, row.name, row.structure, row.crashes))
    return taken


def _is_free(now: float) -> ColumnElement[bool]:
    ended = and_(tasks.c.state == State.RUNNING, tasks.c.lease_until < now)
    return or_(tasks.c.state == State.WAITING, ended)


def renew(connection: Connection, owner: str, lease: float) -> None:
    """Prolong the leases of all that `owner` holds."""
    mine = and_(tasks.c.owner == owner, tasks.c.state == State.RUNNING)
    connection.execute(update(tasks).where(mine).values(lease_until=time.time() + lease))


def release(
    connection: Connection, names: Sequence[str], owner: str, *, tried: bool = False
) -> None:
    """Let others have tasks that did not end; what was not tried does not count as an attempt."""
    attempts = tasks.c.attempts if tried else tasks.c.attempts - 1
    waiting = {"state": State.WAITING, "attempts": attempts, **NOBODYS}
    for piece in _pieces(list(names)):
        mine = and_(tasks.c.id.in_(piece), tasks.c.owner == owner, tasks.c.state == State.RUNNING)
        connection.execute(update(tasks).where(mine).values(waiting))


def owners(connection: Connection, calculation: str) -> set[str]:
    """Return who holds tasks."""
    held = and_(tasks.c.calculation == calculation, tasks.c.state == State.RUNNING)
    found = connection.execute(select(tasks.c.owner).where(held).distinct())
    return {row.owner for row in found}


def disown(connection: Connection, owner: str) -> None:
    """Let others have everything that an owner holds who is known to be gone."""
    mine = and_(tasks.c.owner == owner, tasks.c.state == State.RUNNING)
    connection.execute(update(tasks).where(mine).values(state=State.WAITING, **NOBODYS))


def knows(connection: Connection, name: str) -> bool:
    """Tell whether there is a task of this identity."""
    return connection.execute(select(tasks.c.id).where(tasks.c.id == name)).first() is not None


def finish(connection: Connection, outcome: Outcome) -> bool:
    """Enter how a task ended, unless it is entered already; returns whether it was not."""
    failed = outcome.failure is not None
    values: dict[str, Any] = {
        "state": State.FAILED if failed else State.DONE,
        "seconds": outcome.seconds,
        "changed": time.time(),
        **NOBODYS,
        **NO_FAILURE,
    }
    if outcome.failure is not None:
        values |= outcome.failure.model_dump()
    open_still = and_(tasks.c.id == outcome.task, tasks.c.state.in_(OPEN))
    if connection.execute(update(tasks).where(open_still).values(values)).rowcount == 0:
        return False
    if not failed:
        connection.execute(insert(results).values({"task": outcome.task, **outcome.quantities}))
        for table, found in ((thermal, outcome.thermal), (at_temperature, outcome.at_temperature)):
            rows = [{"task": outcome.task, **row} for row in found]
            if rows:
                connection.execute(insert(table), rows)
        if outcome.artifact is not None:
            row = {"task": outcome.task, **outcome.artifact.model_dump()}
            connection.execute(insert(artifacts).values(row))
    return True


def count_crash(connection: Connection, name: str, owner: str) -> int:
    """Note that the process ended under a task; returns how often that has happened."""
    mine = and_(tasks.c.id == name, tasks.c.owner == owner)
    connection.execute(update(tasks).where(mine).values(crashes=tasks.c.crashes + 1))
    return int(connection.execute(select(tasks.c.crashes).where(tasks.c.id == name)).scalar_one())


def retry(connection: Connection, calculation: str, cause: str | None) -> int:
    """Let tasks that failed (for one cause, or any) wait again; returns how many there are."""
    chosen = and_(tasks.c.calculation == calculation, tasks.c.state == State.FAILED)
    if cause is not None:
        chosen = and_(chosen, tasks.c.cause == cause)
    anew = {"state": State.WAITING, "attempts": 0, "crashes": 0, "changed": time.time()}
    chosen_anew = update(tasks).where(chosen).values(anew | NO_FAILURE)
    return int(connection.execute(chosen_anew).rowcount)


def open_cost(connection: Connection, calculation: str) -> float:
    """Return what all tasks that are not ended cost, in atoms."""
    left = select(func.sum(tasks.c.cost)).where(_is_open(calculation))
    return float(connection.execute(left).scalar() or 0.0)


def costliest(connection: Connection, calculation: str) -> dict[str, Any] | None:
    """Return the structure of the open task that costs most."""
    left = (
        select(crystals.c.structure)
        .join(tasks, tasks.c.crystal == crystals.c.key)
        .where(_is_open(calculation))
        .order_by(tasks.c.cost.desc())
        .limit(1)
    )
    return connection.execute(left).scalar()


def count_open(connection: Connection, calculation: str) -> int:
    """Return how many tasks are not ended, whoever has them."""
    left = select(func.count()).where(_is_open(calculation))
    return int(connection.execute(left).scalar_one())


def _is_open(calculation: str) -> ColumnElement[bool]:
    return and_(tasks.c.calculation == calculation, tasks.c.state.in_(OPEN))


def _pieces(rows: list[Any]) -> Iterable[list[Any]]:
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]
