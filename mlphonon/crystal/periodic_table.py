"""Period, group and electronegativity of an element."""

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


# fmt: off
_ELECTRONEGATIVITIES = (
    2.20, None, 0.98, 1.57, 2.04, 2.55, 3.04, 3.44, 3.98, None,
    0.93, 1.31, 1.61, 1.90, 2.19, 2.58, 3.16, None, 0.82, 1.00,
    1.36, 1.54, 1.63, 1.66, 1.55, 1.83, 1.88, 1.91, 1.90, 1.65,
    1.81, 2.01, 2.18, 2.55, 2.96, 3.00, 0.82, 0.95, 1.22, 1.33,
    1.60, 2.16, 1.90, 2.20, 2.28, 2.20, 1.93, 1.69, 1.78, 1.96,
    2.05, 2.10, 2.66, 2.60, 0.79, 0.89, 1.10, 1.12, 1.13, 1.14,
    1.13, 1.17, 1.20, 1.20, 1.10, 1.22, 1.23, 1.24, 1.25, 1.10,
    1.27, 1.30, 1.50, 2.36, 1.90, 2.20, 2.20, 2.28, 2.54, 2.00,
    1.62, 2.33, 2.02, 2.00, 2.20, 2.20, 0.70, 0.90, 1.10, 1.30,
    1.50, 1.38, 1.36, 1.28,
)
# fmt: on


def electronegativity(number: int) -> float | None:
    """Return Pauling's electronegativity of an element; None where none is known.

    Values of Allred, J. Inorg. Nucl. Chem. 17, 215 (1961), and later ones for krypton, xenon and
    the f block, as the CRC Handbook lists them; those of elements beyond plutonium are left out.
    """
    known = _ELECTRONEGATIVITIES[:number][number - 1 :]
    return known[0] if known else None
