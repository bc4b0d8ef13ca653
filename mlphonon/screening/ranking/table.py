"""What a campaign answers with: named columns with units, one row for each crystal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Table:
    """Columns of equal length.

    Attributes
    ----------
    columns : mapping of str to ndarray, each of shape (n_rows,)
        Numbers (nan where there is none), truth values, or text (dtype object).
    units : mapping of str to str
        Of the columns that have one, such as ``"THz"``.
    """

    columns: Mapping[str, np.ndarray]
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(values) for values in self.columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"columns of different lengths {sorted(lengths)}")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(next(iter(self.columns.values()), ()))

    def take(self, rows: np.ndarray) -> Table:
        """Return some rows: their indices in order, or a truth value for each."""
        return Table({name: values[rows] for name, values in self.columns.items()}, self.units)

    def with_column(self, name: str, values: np.ndarray, unit: str = "") -> Table:
        """Return the table with one more column, or another one of that name."""
        units = {**self.units, name: unit} if unit else dict(self.units)
        return Table({**self.columns, name: values}, units)
