"""Period and group of an element."""

from __future__ import annotations

NOBLE_GASES = (0, 2, 10, 18, 36, 54, 86, 118)
F_BLOCK = 19
"""Stands for the group of lanthanides and actinides."""


def period_and_group(number: int) -> tuple[int, int]:
    """Return period (1 to 7) and group (1 to 18, or 19 for the f block) of an element."""
    period = next(p for p, end in enumerate(NOBLE_GASES) if number <= end)
    place, length = number - NOBLE_GASES[period - 1], NOBLE_GASES[period] - NOBLE_GASES[period - 1]
    if place <= 2 and number != 2:
        return period, place
    from_end = 18 - (length - place)
    return (period, from_end) if from_end >= 3 else (period, F_BLOCK)
