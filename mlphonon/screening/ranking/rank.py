"""The crystals of a table in order, and tables in files and on the terminal."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from mlphonon.errors import ResultError, SettingsError
from mlphonon.io.atomic_files import write_whole
from mlphonon.screening.ranking.expressions import column_of, evaluate
from mlphonon.screening.ranking.table import Table

Cell: TypeAlias = bool | int | float | str | None
"""None where there is nothing."""

FORMULA_SIGNS = ("=", "+", "-", "@")
"""With which a text begins that spreadsheets take for a formula."""

RANK, NAME = "rank", "name"


def rank(
    table: Table,
    by: str,
    where: str | None = None,
    top: int | None = None,
    ascending: bool = False,
) -> Table:
    """Put rows in the order of an expression, the largest first; ties by `name`.

    Parameters
    ----------
    table : Table
        The rows.
    by : str
        An expression for a number; rows for which it has no finite one are left out.
    where : str, optional
        A condition; rows that are not known to fulfil it are left out.
    top : int, optional
        How many rows to keep.
    ascending : bool
        The smallest first.

    Returns
    -------
    Table
        Its first columns are ``rank``, from 1, in place of one of that name, and what it was
        ranked by, which is called as the expression unless it is a column; the others follow.

    Raises
    ------
    SettingsError
        If an expression cannot be evaluated or is of another kind, or `top` is not positive.
    """
    if top is not None and top < 1:
        raise SettingsError(f"the number of crystals to keep is {top}", fix="give 1 or more")
    values = evaluate(by, table, "number")
    kept = np.isfinite(values)
    if where is not None:
        kept &= evaluate(where, table, "condition")
    keys = values if ascending else -values
    names = table.columns.get(NAME, np.full(len(table), ""))
    rows = sorted(np.flatnonzero(kept), key=lambda row: (keys[row], str(names[row])))[:top]
    column = column_of(by, table)
    if column is None:
        column = " ".join(by.split())
        table = table.with_column(column, values)
    found = table.take(np.array(rows, dtype=int))
    ranks = {RANK: np.arange(1, len(found) + 1)}
    units = {name: unit for name, unit in found.units.items() if name != RANK}
    return Table({**ranks, column: found.columns[column], **found.columns, **ranks}, units)


def write_table(table: Table, path: str | Path) -> None:
    """Write a table as CSV, JSON (a list of records, no units) or Parquet, by the suffix.

    Units stand in the head of CSV, as ``mass (g/mol)``, where text that spreadsheets would take for
    a formula gets an apostrophe before it; units also stand in the metadata ``unit`` of the
    fields of Parquet. What is missing is empty or null. The file is whole or not there.

    Raises
    ------
    SettingsError
        If the suffix is another one, or Parquet is not installed.
    ResultError
        If it cannot be written; what was at `path` is still there then.
    """
    path = Path(path)
    if path.suffix.lower() not in WRITERS:
        raise SettingsError(
            f"cannot write {path}",
            f"'{path.suffix}' is no known suffix" if path.suffix else "it has no suffix",
            f"use {', '.join(WRITERS)}",
        )
    content = WRITERS[path.suffix.lower()](table)
    try:
        write_whole(path, content)
    except OSError as error:
        raise ResultError(f"cannot write {path}", error.strerror or str(error)) from error


def format_rows(table: Table, columns: Sequence[str]) -> list[list[str]]:
    """Return rows for people: numbers with four significant digits, yes or no, "-" for nothing.

    Parameters
    ----------
    table : Table
        The rows.
    columns : sequence of str
        What to show: columns, or expressions.

    Raises
    ------
    SettingsError
        If an expression cannot be evaluated.
    """
    found = [_shown(table, text) for text in columns]
    return [[_format(cell) for cell in row] for row in zip(*found, strict=True)]


def _shown(table: Table, text: str) -> list[Cell]:
    column = column_of(text, table)
    return _cells(evaluate(text, table) if column is None else table.columns[column])


def _format(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _cells(values: np.ndarray) -> list[Cell]:
    return [_cell(value) for value in values.astype(object)]


def _cell(value: Cell | np.generic) -> Cell:
    plain: Cell = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


def _as_csv(table: Table) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    units = table.units
    heads = (f"{name} ({units[name]})" if name in units else name for name in table.columns)
    writer.writerow(map(_csv_cell, heads))
    columns = [map(_csv_cell, _cells(values)) for values in table.columns.values()]
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue().encode()


def _csv_cell(cell: Cell) -> Cell:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, str) and cell.lstrip().startswith(FORMULA_SIGNS):
        # A spreadsheet would compute it, with whatever it may call.
        return f"'{cell}"
    return cell


def _as_json(table: Table) -> bytes:
    cells = [_cells(values) for values in table.columns.values()]
    records = [dict(zip(table.columns, row, strict=True)) for row in zip(*cells, strict=True)]
    return (json.dumps(records, indent=1, ensure_ascii=False) + "\n").encode()


def _as_parquet(table: Table) -> bytes:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise SettingsError(
            "cannot write Parquet",
            f"{error.name} is not installed",
            "pip install 'mlphonon[parquet]'",
        ) from error
    fields, arrays = [], []
    for name, values in table.columns.items():
        known_type = None if values.dtype.kind in "OU" else pa.from_numpy_dtype(values.dtype)
        array = pa.array(_cells(values), known_type)
        unit = {"unit": table.units[name]} if name in table.units else None
        fields.append(pa.field(name, array.type, metadata=unit))
        arrays.append(array)
    stream = pa.BufferOutputStream()
    parquet.write_table(pa.table(arrays, pa.schema(fields)), stream)
    return stream.getvalue().to_pybytes()


WRITERS: Mapping[str, Callable[[Table], bytes]] = {
    ".csv": _as_csv,
    ".json": _as_json,
    ".parquet": _as_parquet,
}
"""What makes the content of a file, by its suffix."""
