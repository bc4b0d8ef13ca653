"""A column of what a campaign answers with: its name, unit and meaning."""

from __future__ import annotations

from dataclasses import dataclass

Value = float | int | bool | str | None


@dataclass(frozen=True)
class Quantity:
    """A column of what a campaign answers with.

    Attributes
    ----------
    name : str
        What it is called everywhere.
    unit : str
        Empty if it has none.
    kind : type
        float, int, bool or str.
    description : str
        What it means, and when it has no value.
    """

    name: str
    unit: str
    kind: type
    description: str
