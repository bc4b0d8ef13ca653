"""How a quantity is distributed over the crystals of a campaign."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.report.layout import plain_log_ticks
from mlphonon.report.panels import DULONG_PETIT, INK, PALETTE, house_style, legend_above
from mlphonon.screening.ranking.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEAREST_TO = 300.0
"""K: the temperature whose heat capacities are drawn, where there are several."""

_BINS = (6, 40)


@dataclass(frozen=True)
class Distribution:
    """Values of a quantity, of the crystals that have one.

    Attributes
    ----------
    stable : ndarray, shape (n_stable,)
        Of the crystals that are dynamically stable.
    unstable : ndarray, shape (n_unstable,)
        Of the others.
    """

    stable: np.ndarray
    unstable: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """Of all, shape (n_stable + n_unstable,)."""
        return np.concatenate([self.stable, self.unstable])

    def edges(self) -> np.ndarray:
        """Return the edges of the bins, twice the cube root of the number of values (Rice)."""
        n_bins = int(np.clip(math.ceil(2 * len(self.values) ** (1 / 3)), *_BINS))
        return np.histogram_bin_edges(self.values, n_bins)


def distribution(table: Table, column: str) -> Distribution:
    """Return the finite values of a column; none if there is no such column.

    A gap of zero is none: the bar of all crystals without one would dwarf the others. The lowest
    frequency is rounded to 0.001 THz: of stable crystals it is zero and noise.
    """
    values = np.asarray(table.columns.get(column, np.full(len(table), np.nan)), dtype=float)
    known = np.isfinite(values) & ((values > 0) | (column != "gap"))
    if column == "min_frequency":
        values = np.round(values, 3) + 0.0  # not -0
    stable = np.asarray(table.columns["stable"], dtype=bool)
    return Distribution(values[known & stable], values[known & ~stable])


def heat_capacity_column(table: Table) -> str | None:
    """Return the heat capacity per mole of atoms whose temperature is nearest to 300 K."""
    found = [name for name in table.columns if re.fullmatch(r"c_v_\d+(\.\d+)?", name)]
    return min(
        found,
        key=lambda name: abs(float(name.removeprefix("c_v_")) - NEAREST_TO),
        default=None,
    )


def plot_histogram(
    shown: Distribution, label: str, *, classical: bool = False, logarithmic: bool = False
) -> Figure:
    """Draw a histogram, stable and unstable crystals in two colours.

    Parameters
    ----------
    shown : Distribution
        One value at least.
    label : str
        The quantity with its unit, for the axis.
    classical : bool
        It is a heat capacity per mole of atoms: mark the limit of Dulong and Petit.
    logarithmic : bool
        Count logarithmically, the colours side by side: stacked bars would lie about the upper.

    Returns
    -------
    matplotlib.figure.Figure
        3.4 inches wide.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    groups = [
        (shown.stable, "stable", PALETTE[0], ""),
        (shown.unstable, "unstable", PALETTE[1], "/////"),
    ]
    drawn = [group for group in groups if len(group[0])]
    values, names, colours, hatches = zip(*drawn, strict=True)
    with house_style():
        figure = Figure(figsize=(3.4, 2.2), layout="constrained")
        ax = figure.add_subplot()
        ax.hist(
            values,
            shown.edges().tolist(),
            stacked=not logarithmic,
            log=logarithmic,
            label=names,
            color=colours,
            hatch=hatches,
            edgecolor="white",
            linewidth=0.4,
        )
        if logarithmic:
            ax.set_ylim(bottom=0.6)
            plain_log_ticks(ax.yaxis, *ax.get_ylim())
        else:
            ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        if classical:
            limit = f"Dulong\N{EN DASH}Petit, {DULONG_PETIT:.2f}"
            ax.axvline(DULONG_PETIT, color=INK, ls=(0, (4, 3)), lw=0.9, label=limit)
        ax.set_xlabel(label.replace("$", r"\$"))
        ax.set_ylabel("crystals")
        ax.spines[["right", "top"]].set_visible(False)
        legend_above(ax, *ax.get_legend_handles_labels())
    return figure
