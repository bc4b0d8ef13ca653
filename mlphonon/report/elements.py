"""Periodic table coloured by a number of each element."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.crystal.periodic_table import F_BLOCK, NOBLE_GASES, period_and_group
from mlphonon.report.layout import plain_log_ticks
from mlphonon.report.panels import FILL, INK, QUIET, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

LOGARITHMIC_FROM = 10.0
"""Ratio of the largest to the smallest value from which colours follow the logarithm."""

# Tiles of one by one: the rows of the f block stand apart from the others by this much.
_GAP = 0.35
_SIDE = 0.94
_COLOURS = "viridis_r"


def plot_by_element(
    values: Mapping[str, float], counts: Mapping[str, int], quantity: str, each: str
) -> Figure:
    """Draw a periodic table whose tiles are coloured by a value of each element.

    Parameters
    ----------
    values : mapping of str to float
        Of each element that has one, by its symbol; one that is not finite is left out.
    counts : mapping of str to int
        Number of crystals that each of these elements occurs in.
    quantity : str
        What they are values of, with the unit, for the colour bar.
    each : str
        What a tile shows, in a word such as "error" or "mean", for the key.

    Returns
    -------
    matplotlib.figure.Figure
        9 inches wide. Elements without a value are pale.

    Raises
    ------
    ValueError
        If no element has a value, or a name is no element.
    """
    from ase.data import atomic_numbers, chemical_symbols
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

    known = {symbol: value for symbol, value in values.items() if math.isfinite(value)}
    if not known:
        raise ValueError(f"nothing to draw: no element has a finite {each}")
    if wrong := [symbol for symbol in known if atomic_numbers.get(symbol, 0) == 0]:
        raise ValueError(f"no elements: {', '.join(wrong)}")
    norm = _colours_between(min(known.values()), max(known.values()))
    with house_style():
        colours = ScalarMappable(norm, _COLOURS)
        figure = Figure(figsize=(9.0, 9.0 * (9 + _GAP) / 18))
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        ax.set(xlim=(0.5, 18.5), ylim=(9.5 + _GAP, 0.5), aspect="equal")
        ax.axis("off")
        for number in range(1, NOBLE_GASES[-1] + 1):
            symbol = chemical_symbols[number]
            column, row = tile_of(number)
            if symbol in known:
                value = known[symbol]
                fill = colours.cmap(norm(value))
                _draw_tile(ax, (column, row), fill, (symbol, _short(value), str(counts[symbol])))
            else:
                _draw_tile(ax, (column, row), FILL, (symbol, "", ""))
        for row, span in ((6, "57\N{EN DASH}71"), (7, "89\N{EN DASH}103")):
            ax.text(3, row, span, ha="center", va="center", fontsize=7, color=QUIET)
        _draw_key(ax, colours, quantity, each)
    return figure


def tile_of(number: int) -> tuple[float, float]:
    """Return column and row of an element, from 1; La to Lu and Ac to Lr stand in rows beneath."""
    period, group = period_and_group(number)
    if group == F_BLOCK or (group == 3 and period >= 6):
        return number - NOBLE_GASES[period - 1], period + 2 + _GAP
    return group, period


def _colours_between(low: float, high: float) -> Normalize:
    """Return how values become colours, logarithmically where they span much."""
    from matplotlib.colors import LogNorm, Normalize

    if low > 0 and high >= LOGARITHMIC_FROM * low:
        return LogNorm(low, high)
    # A bar needs a length, whatever it is a bar of.
    return Normalize(low, high) if high > low else Normalize(low - 0.1, high + 0.1)


def _draw_tile(
    ax: Axes,
    place: tuple[float, float],
    fill: str | tuple[float, float, float, float],
    texts: tuple[str, str, str],
) -> None:
    """Draw the tile around `place` with a symbol, a value and a count, where there are any."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import FancyBboxPatch

    column, row = place
    symbol, value, count = texts
    ax.add_patch(
        FancyBboxPatch(
            (column - _SIDE / 2, row - _SIDE / 2),
            _SIDE,
            _SIDE,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=fill,
            edgecolor="none",
        )
    )
    if not value:
        ax.text(column, row, symbol, ha="center", va="center", fontsize=9, color="#9a9fa6")
        return
    ink = _readable_on(to_rgb(fill))
    lines = [(-0.24, symbol, 10.5, "bold"), (0.12, value, 8, "normal"), (0.35, count, 6, "normal")]
    for below, text, size, weight in lines:
        at = (column, row + below)
        ax.text(*at, text, ha="center", va="center", fontsize=size, weight=weight, color=ink)


def _readable_on(colour: tuple[float, float, float]) -> str:
    """Return ink or white, whichever differs more from `colour` in luminance (WCAG 2.2)."""
    from matplotlib.colors import to_rgb

    def luminance(rgb: tuple[float, float, float]) -> float:
        each = np.asarray(rgb)
        linear = np.where(each <= 0.04045, each / 12.92, ((each + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    behind, dark = luminance(colour), luminance(to_rgb(INK))
    return "white" if 1.05 / (behind + 0.05) > (behind + 0.05) / (dark + 0.05) else INK


def _draw_key(ax: Axes, colours: ScalarMappable, quantity: str, each: str) -> None:
    """Draw, in the gap above the transition metals, the colour bar and what a tile says."""
    bar_axes = ax.inset_axes((5.4, 1.9, 6.4, 0.28), transform=ax.transData)
    bar = ax.figure.colorbar(colours, cax=bar_axes, orientation="horizontal")
    bar.outline.set_linewidth(0.5)
    bar.ax.set_title(quantity, fontsize=9, pad=5)
    bar.ax.tick_params(labelsize=8)
    low, high = bar_axes.get_xlim()
    if bar_axes.get_xscale() == "log":
        plain_log_ticks(bar_axes.xaxis, low, high)
    _draw_tile(ax, (4, 2), FILL, ("El", each, "crystals"))


def _short(value: float) -> str:
    """Write a value in no more than five characters."""
    if value != 0 and abs(value) < 0.001:
        return f"{value:.0e}"
    size = abs(value)
    return f"{value:.{3 if size < 0.1 else 2 if size < 10 else 1 if size < 100 else 0}f}"
