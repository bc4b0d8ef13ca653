"""What a campaign's database answers: tables of results, and how far it has come."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.units import mol
from sqlalchemy import func, select

from mlphonon.errors import ResultError
from mlphonon.screening.calculation import Calculation
from mlphonon.screening.database.tables import (
    artifacts,
    at_temperature,
    calculations,
    crystals,
    results,
    tasks,
    thermal,
)
from mlphonon.screening.database.tasks import State, open_cost
from mlphonon.screening.quantities.at_temperature import AT_TEMPERATURE
from mlphonon.screening.quantities.measure import QUANTITIES, THERMAL
from mlphonon.screening.quantities.quantity import Quantity
from mlphonon.screening.ranking.table import Table

if TYPE_CHECKING:
    from sqlalchemy import Connection

RECENT = 600.0
"""Seconds over which the present rate is measured."""

CM3 = 1e24
"""Cubic Angstrom."""


@dataclass(frozen=True)
class Status:
    """How far a calculation has come.

    Attributes
    ----------
    calculation : Calculation
        What is computed.
    counts : dict of str to int
        Tasks by state.
    failures : dict of str to int
        Failed tasks by cause.
    rate : float
        Tasks an hour that ended lately; 0 if none did.
    seconds_left : float, optional
        From the share of the work that is done, and how quickly that was done lately.
    duplicates : int
        Crystals that are computed under another name.
    without : dict of str to int
        Crystals that are done but for a property that failed, by property.
    """

    calculation: Calculation
    counts: dict[str, int]
    failures: dict[str, int]
    rate: float
    seconds_left: float | None
    duplicates: int
    without: dict[str, int]


def find_calculation(connection: Connection, digest: str | None) -> Calculation:
    """Return the calculation whose digest begins so, or the only one there is.

    Raises
    ------
    ResultError
        If there is none, or it is not clear which is meant.
    """
    found = select(calculations.c.description).order_by(calculations.c.begun)
    known = [Calculation.model_validate(row[0]) for row in connection.execute(found)]
    chosen = [one for one in known if one.digest().startswith(digest or "")]
    if len(chosen) == 1:
        return chosen[0]
    if not known:
        raise ResultError("the campaign holds no calculation yet", fix="'mlphonon screen run'")
    listed = "; ".join(one.describe() for one in known)
    summary = (
        "the campaign holds several calculations" if chosen else f"no calculation is '{digest}'"
    )
    raise ResultError(summary, listed, "name one with --calculation and the start of its digest")


def read_status(connection: Connection, calculation: Calculation) -> Status:
    """Count tasks by state and cause, and see how quickly they end."""
    mine = tasks.c.calculation == calculation.digest()

    def count(column: Any, *conditions: Any) -> dict[str, int]:
        grouped = select(column, func.count()).where(mine, *conditions).group_by(column)
        return {str(name): int(number) for name, number in connection.execute(grouped)}

    counts = dict.fromkeys((str(state) for state in State), 0) | count(tasks.c.state)
    failures = count(tasks.c.cause, tasks.c.state == State.FAILED)
    since = time.time() - RECENT
    ended = tasks.c.state.in_([State.DONE, State.FAILED])
    lately = select(func.count(), func.min(tasks.c.changed), func.sum(tasks.c.cost)).where(
        mine, ended, tasks.c.changed > since
    )
    number, first, cost = connection.execute(lately).one()
    spent = time.time() - first if number else 0.0
    left = open_cost(connection, calculation.digest())
    twice = select(func.count()).where(crystals.c.duplicate_of.is_not(None))
    return Status(
        calculation=calculation,
        counts=counts,
        failures=dict(sorted(failures.items(), key=lambda pair: -pair[1])),
        rate=3600 * number / spent if spent > 1 else 0.0,
        seconds_left=left / (cost / spent) if spent > 1 and cost else None,
        duplicates=int(connection.execute(twice).scalar_one()),
        without=_count_without(connection, calculation),
    )


def _count_without(connection: Connection, calculation: Calculation) -> dict[str, int]:
    method, temperature = at_temperature.c.method, at_temperature.c.temperature
    failed = (
        select(method, temperature, func.count())
        .join(tasks, tasks.c.id == at_temperature.c.task)
        .where(tasks.c.calculation == calculation.digest(), at_temperature.c.failure.is_not(None))
        .group_by(method, temperature)
    )
    found = {(row[0], row[1]): int(row[2]) for row in connection.execute(failed)}
    named = {
        one.describe(): found.get((one.method, one.temperature)) for one in calculation.properties
    }
    return {name: number for name, number in named.items() if number}


def read_results(connection: Connection, calculation: Calculation) -> Table:
    """Return what is computed, a row for each crystal, in the order of names.

    Beside the quantities as they are stored: those per mole of atoms also per mass (``_per_mass``,
    per g) and per volume (``_per_volume``, per cm^3); those at a temperature
    (``sscha_max_frequency_300``); and what came with the structures.
    """
    mine = tasks.c.calculation == calculation.digest()
    rows = connection.execute(
        select(crystals.c.name, crystals.c.properties, *results.c, tasks.c.seconds)
        .join(tasks, tasks.c.id == results.c.task)
        .join(crystals, crystals.c.key == tasks.c.crystal)
        .where(mine, tasks.c.state == State.DONE)
        .order_by(crystals.c.name, tasks.c.id)
    ).all()
    table = Table({"name": _text([row.name for row in rows])})
    for quantity in QUANTITIES:
        values = [getattr(row, quantity.name) for row in rows]
        table = table.with_column(quantity.name, _array(values, quantity), quantity.unit)
    table = table.with_column("seconds", _numbers([row.seconds for row in rows]), "s")
    table = _with_thermal(connection, table, [row.task for row in rows], calculation)
    table = _with_properties(connection, table, [row.task for row in rows], calculation)
    for name in sorted({name for row in rows for name in row.properties}):
        if name not in table.columns:
            values = [row.properties.get(name) for row in rows]
            table = table.with_column(name, _numbers(values))
    return table


def read_failures(connection: Connection, calculation: Calculation) -> list[dict[str, Any]]:
    """Return name, cause, message and last words of each crystal that failed."""
    failed = (
        select(crystals.c.name, tasks.c.cause, tasks.c.message, tasks.c.last_words)
        .join(crystals, crystals.c.key == tasks.c.crystal)
        .where(tasks.c.calculation == calculation.digest(), tasks.c.state == State.FAILED)
        .order_by(tasks.c.cause, crystals.c.name)
    )
    return [dict(row._mapping) for row in connection.execute(failed)]


def read_folders(connection: Connection, calculation: Calculation, home: Path) -> dict[str, Path]:
    """Return the folder of each crystal's phonons, by name; those elsewhere are not the campaign's.

    A database may come from somebody else, and lead anywhere.
    """
    found = (
        select(crystals.c.name, artifacts.c.path)
        .join(tasks, tasks.c.id == artifacts.c.task)
        .join(crystals, crystals.c.key == tasks.c.crystal)
        .where(tasks.c.calculation == calculation.digest())
    )
    inside = home.resolve()
    rows = connection.execute(found)
    return {
        row.name: home / row.path
        for row in rows
        if (home / row.path).resolve().is_relative_to(inside)
    }


def _with_thermal(
    connection: Connection, table: Table, names: list[str], calculation: Calculation
) -> Table:
    found = {
        (row.task, row.temperature): row
        for row in connection.execute(
            select(thermal)
            .join(tasks, tasks.c.id == thermal.c.task)
            .where(tasks.c.calculation == calculation.digest())
        )
    }
    table = _per_mass_and_volume(table, "zero_point_energy")
    for temperature in calculation.temperatures:
        for quantity in THERMAL:
            rows = [found.get((name, temperature)) for name in names]
            values = [None if row is None else getattr(row, quantity.name) for row in rows]
            column = f"{quantity.name}_{temperature:g}"
            table = table.with_column(column, _numbers(values), quantity.unit)
            table = _per_mass_and_volume(table, column)
    return table


def _with_properties(
    connection: Connection, table: Table, names: list[str], calculation: Calculation
) -> Table:
    if not calculation.properties:
        return table
    found = {
        (row.task, row.method, row.temperature): row
        for row in connection.execute(
            select(at_temperature)
            .join(tasks, tasks.c.id == at_temperature.c.task)
            .where(tasks.c.calculation == calculation.digest())
        )
    }
    for asked in calculation.properties:
        rows = [found.get((name, asked.method, asked.temperature)) for name in names]
        for quantity in AT_TEMPERATURE:
            values = [None if row is None else getattr(row, quantity.name) for row in rows]
            column = f"{asked.method}_{quantity.name}_{asked.temperature:g}"
            table = table.with_column(column, _array(values, quantity), quantity.unit)
    return table


def _per_mass_and_volume(table: Table, name: str) -> Table:
    """Add what is per mole of atoms per gram and per cubic centimetre."""
    values, unit = table.columns[name], table.units[name].removesuffix("/mol")
    mass = table.columns["mass"]
    volume = table.columns["volume"] * mol / CM3
    table = table.with_column(f"{name}_per_mass", values / mass, f"{unit}/g")
    return table.with_column(f"{name}_per_volume", values / volume, f"{unit}/cm^3")


def _array(values: list[Any], quantity: Quantity) -> np.ndarray:
    if quantity.kind is str:
        return _text(values)
    if quantity.kind is bool:
        # Where one is missing it is neither true nor false, as in the language of rankings.
        return _text(values) if None in values else np.array(values, dtype=bool)
    return _numbers(values)


def _numbers(values: list[Any]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _text(values: list[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
