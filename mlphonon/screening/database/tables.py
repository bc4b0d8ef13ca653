"""The tables of a campaign's database.

What the steps of `mlphonon.screening.database.migrations` build is, in the end, this (a test
compares).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from mlphonon.screening.quantities.at_temperature import AT_TEMPERATURE
from mlphonon.screening.quantities.measure import QUANTITIES, THERMAL
from mlphonon.screening.quantities.quantity import Quantity

SQL_TYPES: dict[type, Any] = {float: Float(53), int: Integer, bool: Boolean, str: Text}

metadata = MetaData()


def _column(quantity: Quantity) -> Column[Any]:
    return Column(quantity.name, SQL_TYPES[quantity.kind], comment=quantity.unit or None)


facts = Table(
    "facts",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)
"""Of the campaign: its folder."""

crystals = Table(
    "crystals",
    metadata,
    # SHA-256 of species, cell and positions as they were given.
    Column("key", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("formula", Text, nullable=False),
    Column("spacegroup", Text, nullable=False),
    Column("n_atoms", Integer, nullable=False),
    # Of the same crystal, given in another way; that one alone is computed.
    Column("duplicate_of", String(64), ForeignKey("crystals.key")),
    # numbers, cell (A), positions (A) as given, and of the standardised primitive cell.
    Column("structure", JSON, nullable=False),
    # Numbers and truth values that came with the structure.
    Column("properties", JSON, nullable=False),
    Index("crystals_formula", "formula", "spacegroup", "n_atoms"),
)

calculations = Table(
    "calculations",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("description", JSON, nullable=False),
    Column("begun", Float(53), nullable=False, comment="s since 1970"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("crystal", String(64), ForeignKey("crystals.key"), nullable=False),
    Column("calculation", String(64), ForeignKey("calculations.digest"), nullable=False),
    # waiting, running, done, failed
    Column("state", String(8), nullable=False),
    Column("cost", Float(53), nullable=False, comment="atoms in all force calls"),
    # How often it was begun, and how often the process ended under it.
    Column("attempts", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    # Host, process and a random name of the run that holds it.
    Column("owner", Text),
    Column("lease_until", Float(53), comment="s since 1970"),
    Column("cause", String(16)),
    Column("message", Text),
    Column("last_words", Text),
    Column("changed", Float(53), nullable=False, comment="s since 1970"),
    Column("seconds", Float(53), comment="s"),
    Index("tasks_state", "calculation", "state"),
)

results = Table(
    "results",
    metadata,
    Column("task", String(64), ForeignKey("tasks.id"), primary_key=True),
    *(_column(quantity) for quantity in QUANTITIES),
)

thermal = Table(
    "thermal",
    metadata,
    Column("task", String(64), ForeignKey("tasks.id"), primary_key=True),
    Column("temperature", Float(53), primary_key=True, comment="K"),
    *(_column(quantity) for quantity in THERMAL),
)

at_temperature = Table(
    "at_temperature",
    metadata,
    Column("task", String(64), ForeignKey("tasks.id"), primary_key=True),
    Column("method", String(16), primary_key=True),
    Column("temperature", Float(53), primary_key=True, comment="K"),
    *(_column(quantity) for quantity in AT_TEMPERATURE),
)
"""Of phonons at a temperature, where they were asked for."""

artifacts = Table(
    "artifacts",
    metadata,
    Column("task", String(64), ForeignKey("tasks.id"), primary_key=True),
    Column("sha256", String(64), nullable=False),
    # Of the folder, below the campaign's own.
    Column("path", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False, comment="B"),
)
