"""Figures of how right potentials are: errors crystal by crystal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.report.panels import LINE_STYLES, PALETTE, house_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_cumulative_errors(errors: Mapping[str, np.ndarray], quantity: str) -> Figure:
    """Draw, for each potential, the share of crystals whose error is below a value.

    Parameters
    ----------
    errors : mapping of str to ndarray, shape (n_crystals,)
        Absolute errors of each potential, by its name.
    quantity : str
        What they are errors of, with the unit, for the axis.

    Returns
    -------
    matplotlib.figure.Figure
        5 inches wide; the logarithmic axis spans all errors.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    with house_style():
        figure = Figure(figsize=(5.0, 3.4), layout="constrained")
        axes = figure.add_subplot()
        for i, (name, values) in enumerate(errors.items()):
            ranked = np.sort(np.abs(values))
            shares = np.arange(1, len(ranked) + 1) / len(ranked)
            axes.step(
                ranked,
                100 * shares,
                where="post",
                color=PALETTE[i % len(PALETTE)],
                linestyle=LINE_STYLES[i // len(PALETTE) % len(LINE_STYLES)],
                label=f"{name} ({len(ranked)})",
            )
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(0, 100)
        axes.set_xlabel(quantity)
        axes.set_ylabel("crystals with a smaller error (%)")
        axes.legend(loc="lower right", frameon=False, fontsize="small")
    return figure
