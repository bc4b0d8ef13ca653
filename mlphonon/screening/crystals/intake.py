"""Crystals into the database: told apart from those that are there, checked by several processes.

What comes in is computed at once: the first crystals are entered before the last are read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from mlphonon.crystal.crystal import structure_hash
from mlphonon.screening.calculation import Calculation, task_id
from mlphonon.screening.crystals.duplicates import same_crystal
from mlphonon.screening.crystals.entry import Entry, check_candidates, refused
from mlphonon.screening.crystals.sources import Candidate
from mlphonon.screening.database.tables import crystals, tasks
from mlphonon.screening.database.tasks import State, add_tasks, finish
from mlphonon.screening.workers.executors import local_workers
from mlphonon.screening.workers.outcome import Failure, Outcome
from mlphonon.system.threads import cores_each

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mlphonon.screening.database.store import Store

FIRST = 4
"""Crystals that are checked in this process, to begin with them at once."""

BATCH = 50
"""Crystals that are checked together, and entered in one transaction."""

MOST_PROCESSES = 8
"""Check crystals on the machine that runs the campaign."""

MOST_AHEAD = 2 * MOST_PROCESSES
"""Batches that are read before the first of them is entered: all are never in memory."""


@dataclass(frozen=True)
class Intake:
    """What came of adding crystals.

    Attributes
    ----------
    new, known, duplicates, refused : int
        Crystals: with a new task, with one that was there, the same as others, and none at all.
    done : int
        Of the known, those that are computed.
    """

    new: int = 0
    known: int = 0
    duplicates: int = 0
    refused: int = 0
    done: int = 0

    def __add__(self, other: Intake) -> Intake:
        """Return the sums."""
        return Intake(
            self.new + other.new,
            self.known + other.known,
            self.duplicates + other.duplicates,
            self.refused + other.refused,
            self.done + other.done,
        )

    def describe(self) -> str:
        """Return a line for people."""
        parts = [f"{self.new} new", f"{self.known} known ({self.done} done)"]
        parts += [f"{self.duplicates} given twice"] if self.duplicates else []
        parts += [f"{self.refused} refused"] if self.refused else []
        return ", ".join(parts)


Progress = Callable[[int], None]
"""Is told how many more candidates are dealt with."""


def checkers() -> AbstractContextManager[Executor]:
    """Return processes of this machine that check crystals; they start when they are needed."""
    return local_workers(min(cores_each(1), MOST_PROCESSES), threads=1)


def take_in(
    store: Store,
    candidates: Iterable[Candidate],
    calculation: Calculation,
    pool: Executor,
    progress: Progress = lambda _more: None,
) -> Intake:
    """Enter crystals and a task for each.

    Parameters
    ----------
    store : Store
        Of the campaign.
    candidates : iterable of Candidate
        Structures; those that cannot be used get a task that has failed.
    calculation : Calculation
        What is done with them.
    pool : Executor
        Checks them (see `checkers`); the first few are checked here.
    progress : callable
        Is told how many more are dealt with.
    """
    total, digest = Intake(), calculation.digest()
    for batch, entries in _checked(store, iter(candidates), calculation, pool):
        total += batch.known + _enter(store, entries, digest)
        progress(batch.size)
    return total


@dataclass(frozen=True)
class _Batch:
    """Candidates on their way in: how many, what is known of some, and the others."""

    size: int
    known: Intake
    unknown: list[Candidate]


def _checked(
    store: Store, candidates: Iterator[Candidate], calculation: Calculation, pool: Executor
) -> Iterator[tuple[_Batch, list[Entry]]]:
    first = _sort_out(store, list(islice(candidates, FIRST)), calculation)
    yield first, check_candidates(first.unknown, calculation)
    ahead: deque[tuple[_Batch, Future[list[Entry]]]] = deque()
    while structures := list(islice(candidates, BATCH)):
        batch = _sort_out(store, structures, calculation)
        ahead.append((batch, pool.submit(check_candidates, batch.unknown, calculation)))
        if len(ahead) == MOST_AHEAD:
            batch, future = ahead.popleft()
            yield batch, _entries(batch, future, pool, calculation)
    for batch, future in ahead:
        yield batch, _entries(batch, future, pool, calculation)


def _sort_out(store: Store, structures: list[Candidate], calculation: Calculation) -> _Batch:
    """Count those that have a task: they were checked before."""
    keys = [None if one.atoms is None else structure_hash(one.atoms) for one in structures]
    known = store.run(partial(_settled, keys=keys, calculation=calculation.digest()))
    unknown = [one for one, key in zip(structures, keys, strict=True) if key not in known]
    return _Batch(len(structures), _count([known[key] for key in keys if key in known]), unknown)


def _entries(
    batch: _Batch, future: Future[list[Entry]], pool: Executor, calculation: Calculation
) -> list[Entry]:
    try:
        return future.result()
    except BrokenProcessPool:
        # One of them ended the process; alone each shows whether it was the one.
        return [_entry_alone(one, pool, calculation) for one in batch.unknown]


def _entry_alone(candidate: Candidate, pool: Executor, calculation: Calculation) -> Entry:
    try:
        return pool.submit(check_candidates, [candidate], calculation).result()[0]
    except BrokenProcessPool:
        return refused(candidate, "the process that checked it ended")


def _settled(
    connection: Connection, keys: Iterable[str | None], calculation: str
) -> dict[str | None, tuple[bool, str]]:
    """Return, of crystals that have a task, whether they are duplicates, and the task's state."""
    home = func.coalesce(crystals.c.duplicate_of, crystals.c.key)
    found = (
        select(crystals.c.key, crystals.c.duplicate_of, tasks.c.state)
        .join(tasks, tasks.c.crystal == home)
        .where(crystals.c.key.in_([key for key in keys if key]))
        .where(tasks.c.calculation == calculation)
    )
    return {row.key: (row.duplicate_of is not None, row.state) for row in connection.execute(found)}


def _count(settled: list[tuple[bool, str]]) -> Intake:
    done = sum(state == State.DONE for _, state in settled)
    return Intake(known=len(settled), duplicates=sum(twice for twice, _ in settled), done=done)


def _enter(store: Store, entries: list[Entry], calculation: str) -> Intake:
    if not entries:
        return Intake()

    def work(connection: Connection) -> Intake:
        wanted: dict[str, float] = {}
        duplicates = 0
        for entry in entries:
            home = _home(connection, entry.row)
            if home != entry.row["key"]:
                duplicates += 1
            wanted.setdefault(home, entry.cost)
        new, done = add_tasks(connection, wanted.items(), calculation)
        refused = [entry for entry in entries if entry.problem]
        for entry in refused:
            failure = Failure(cause="crystal", message=entry.problem)
            name = task_id(entry.row["key"], calculation)
            ended = Outcome(task=name, name=entry.row["name"], seconds=0.0, failure=failure)
            finish(connection, ended)
        return Intake(new, len(wanted) - new, duplicates, len(refused), done)

    return store.run(work)


def _home(connection: Connection, row: dict[str, Any]) -> str:
    """Enter a crystal unless it is there; returns the key of the one that is computed for it."""
    known = connection.execute(select(crystals).where(crystals.c.key == row["key"])).first()
    if known is not None:
        return str(known.duplicate_of or known.key)
    alike = select(crystals.c.key, crystals.c.structure).where(
        crystals.c.formula == row["formula"],
        crystals.c.spacegroup == row["spacegroup"],
        crystals.c.n_atoms == row["n_atoms"],
        crystals.c.duplicate_of.is_(None),
    )
    if row["structure"]:
        for other in connection.execute(alike):
            if same_crystal(other.structure["primitive"], row["structure"]["primitive"]):
                row = row | {"duplicate_of": other.key}
                break
    connection.execute(insert(crystals).values(row))
    return str(row["duplicate_of"] or row["key"])
