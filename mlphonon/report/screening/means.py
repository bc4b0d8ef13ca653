"""What crystals with an element have in common: means by element."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols

from mlphonon.screening.ranking.expressions import HAS, evaluate
from mlphonon.screening.ranking.table import Table


@dataclass(frozen=True)
class ElementMean:
    """A mean over crystals.

    Attributes
    ----------
    value : float
        The mean.
    count : int
        Of how many crystals, one at least.
    """

    value: float
    count: int


def means_by_element(table: Table, quantity: str) -> dict[str, ElementMean]:
    """Return the mean over all crystals that contain an element, for each that one contains.

    Parameters
    ----------
    table : Table
        Its column ``formula`` says what a crystal contains.
    quantity : str
        A column, or an expression for a number; crystals without a finite one do not count.

    Raises
    ------
    SettingsError
        If it cannot be evaluated or is no number.
    """
    values = evaluate(quantity, table, "number")
    known = np.isfinite(values)
    found = {}
    for symbol in chemical_symbols[1:]:
        inside = known & evaluate(f"{HAS}('{symbol}')", table, "condition")
        if inside.any():
            found[symbol] = ElementMean(float(values[inside].mean()), int(inside.sum()))
    return found
