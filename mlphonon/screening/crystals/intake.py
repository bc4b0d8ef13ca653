"""Crystals into the database: checked, told apart from those that are there, and priced."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import func, insert, select

from mlphonon.crystal.crystal import make_crystal, structure_hash
from mlphonon.crystal.structure_json import to_dict
from mlphonon.errors import CrystalError
from mlphonon.screening.calculation import Calculation, task_id
from mlphonon.screening.crystals.prediction import predicted_cost
from mlphonon.screening.crystals.sources import Given
from mlphonon.screening.database.tables import crystals, tasks
from mlphonon.screening.database.tasks import State, add_tasks, finish
from mlphonon.screening.workers.outcome import Failure, Outcome

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from mlphonon.screening.database.store import Store

NEAR = 0.005
"""A; two standardised cells that differ by less are of one crystal."""

BATCH = 100
"""Crystals that are entered in one transaction."""


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
        return Intake(*(a + b for a, b in zip(self._all(), other._all(), strict=True)))

    def _all(self) -> tuple[int, ...]:
        return self.new, self.known, self.duplicates, self.refused, self.done

    def describe(self) -> str:
        """Return a line for people."""
        parts = [f"{self.new} new", f"{self.known} known ({self.done} done)"]
        parts += [f"{self.duplicates} given twice"] if self.duplicates else []
        parts += [f"{self.refused} refused"] if self.refused else []
        return ", ".join(parts)


@dataclass(frozen=True)
class _Entry:
    """A row of the table of crystals, and what its task costs."""

    row: dict[str, Any]
    cost: float
    problem: str


def take_in(
    store: Store,
    given: Iterable[Given],
    calculation: Calculation,
    advance: Callable[[int], None] = lambda _more: None,
) -> Intake:
    """Enter crystals and a task for each.

    Parameters
    ----------
    store : Store
        Of the campaign.
    given : iterable of Given
        Structures; those that cannot be used get a task that has failed.
    calculation : Calculation
        What is done with them.
    advance : callable
        Is told how many more are done.
    """
    total, structures, digest = Intake(), iter(given), calculation.digest()
    while batch := list(islice(structures, BATCH)):
        keys = [None if one.atoms is None else structure_hash(one.atoms) for one in batch]
        known = store.run(partial(_settled, keys=keys, calculation=digest))
        rest = [one for one, key in zip(batch, keys, strict=True) if key not in known]
        # Checking and pricing take longer than all else; what is there has been through it.
        total += _count([known[key] for key in keys if key in known])
        total += _enter(store, [_check(one, calculation) for one in rest], digest)
        advance(len(batch))
    return total


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


def _check(given: Given, calculation: Calculation) -> _Entry:
    try:
        if given.atoms is None:
            raise CrystalError(given.problem)
        crystal = make_crystal(given.atoms, calculation.settings.symprec, given.name)
    except CrystalError as error:
        text = f"{given.name} {error}"
        key = hashlib.sha256(text.encode()).hexdigest()
        row = _row(key, given, formula="", spacegroup="", n_atoms=0, structure={})
        return _Entry(row, 0.0, str(error))
    row = _row(
        crystal.structure_hash(),
        given,
        formula=crystal.formula,
        spacegroup=crystal.spacegroup,
        n_atoms=len(crystal.atoms),
        structure=to_dict(crystal.given) | {"primitive": to_dict(crystal.atoms)},
    )
    return _Entry(row, predicted_cost(crystal, calculation.settings, calculation.properties), "")


def _row(key: str, given: Given, **values: Any) -> dict[str, Any]:
    return {
        "key": key,
        "name": given.name,
        "properties": given.properties,
        "duplicate_of": None,
        **values,
    }


def _enter(store: Store, entries: list[_Entry], calculation: str) -> Intake:
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
            if _same(other.structure["primitive"], row["structure"]["primitive"]):
                row = row | {"duplicate_of": other.key}
                break
    connection.execute(insert(crystals).values(row))
    return str(row["duplicate_of"] or row["key"])


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether two standardised cells are of one crystal.

    The standard setting does not depend on how a crystal was given, but which of several
    equivalent places becomes the origin may.
    """
    if sorted(one["numbers"]) != sorted(other["numbers"]):
        return False
    cell, other_cell = np.array(one["cell"]), np.array(other["cell"])
    if np.abs(cell - other_cell).max() > NEAR:
        return False
    numbers, other_numbers = np.array(one["numbers"]), np.array(other["numbers"])
    positions, others = np.array(one["positions"]), np.array(other["positions"])
    rarest = min(set(one["numbers"]), key=one["numbers"].count)
    anchor = positions[numbers == rarest][0]
    return any(
        _on_top(positions - anchor, numbers, others - origin, other_numbers, cell)
        for origin in others[other_numbers == rarest]
    )


def _on_top(
    one: np.ndarray, numbers: np.ndarray, other: np.ndarray, others: np.ndarray, cell: np.ndarray
) -> bool:
    apart = (one[:, None] - other[None]) @ np.linalg.inv(cell)
    apart -= np.rint(apart)
    near = np.linalg.norm(apart @ cell, axis=2) < NEAR
    near &= numbers[:, None] == others[None]
    return bool((near.sum(axis=0) == 1).all() and (near.sum(axis=1) == 1).all())
