"""Columns of a campaign's table in words, with their units."""

from __future__ import annotations

import re

from mlphonon.screening.ranking.expressions import column_of
from mlphonon.screening.ranking.table import Table

WORDS = {
    "spacegroup": "space group",
    "max_frequency": "highest frequency",
    "min_frequency": "lowest frequency",
    "gap": "gap above the acoustic branches",
    "debye_temperature": "Debye temperature",
    "debye_temperature_dos": "Debye temperature of the spectrum",
    "sound_velocity": "sound velocity",
    "residual_force": "residual force",
    "numerical_error": "error of the calculation",
    "expected_error": "error of the potential",
    "c_v": "heat capacity",
    "free_energy": "free energy",
}
"""Of columns whose names are no words, those at a temperature without it."""


def label(text: str, table: Table) -> str:
    """Return a column or expression in words with its unit: ``"Debye temperature (K)"``.

    Raises
    ------
    SettingsError
        If the text is neither.
    """
    column = column_of(text, table)
    if column is None:
        return " ".join(text.split())
    # No quantity of a campaign is per mole of anything else.
    unit = table.units.get(column, "").replace("/mol", " per mole of atoms")
    return words(column) + (f" ({unit})" if unit else "")


def words(column: str) -> str:
    """Return the name of a column in words: ``"heat capacity at 300 K"`` for ``c_v_300``."""
    if column in WORDS:
        return WORDS[column]
    found = re.fullmatch(r"(c_v|entropy|free_energy)_(\d+(?:\.\d+)?)", column)
    return f"{WORDS.get(found[1], found[1])} at {found[2]} K" if found else column
