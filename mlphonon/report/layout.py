"""Where the panels of a figure stand, and titles and numbers that fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.text import Text

TITLE_SIZE = 9.0
"""Points, above panels that share a page."""


def panel_grid(n: int, n_columns: int, *, square: bool = False) -> tuple[Figure, list[Axes]]:
    """Return a figure 7 inches wide, or less for a single square, and its panels.

    Parameters
    ----------
    n : int
        Number of panels, one at least.
    n_columns : int
        Panels in a row at most; rows are of equal length where they can be.
    square : bool
        Make them squares that share their axes, with room for a colour bar on the right.
    """
    from matplotlib.figure import Figure

    n_columns = math.ceil(n / math.ceil(n / n_columns))
    n_rows = math.ceil(n / n_columns)
    # Inches; a lone panel as wide as the page would fill it.
    height = min(5.6 / n_columns, 3.4) if square else 0.3 + 0.85 * min(7.0 / n_columns, 3.4)
    width = 4.8 if square and n == 1 else 7.0
    figure = Figure(figsize=(width, n_rows * (height + 0.15) + 0.5), layout="constrained")
    cells = figure.subplots(n_rows, n_columns, squeeze=False, sharex=square, sharey=square)
    for spare in cells.flat[n:]:
        spare.remove()
    for above in cells.flat[n - n_columns : n]:
        above.tick_params(axis="x", labelbottom=True)
    return figure, list(cells.flat[:n])


def fit_titles(figure: Figure, panels: Sequence[Axes], titles: Sequence[Text]) -> None:
    """Write each title of `TITLE_SIZE` that is wider than its panel as much smaller."""
    figure.draw_without_rendering()
    for ax, title in zip(panels, titles, strict=True):
        # Letters are hinted to whole pixels: their width is not quite in step with their size.
        share = 0.96 * ax.get_window_extent().width / title.get_window_extent().width
        title.set_fontsize(TITLE_SIZE * min(1.0, share))


def plain_log_ticks(axis: Axis, low: float, high: float) -> None:
    """Label a logarithmic axis from `low` to `high` with plain numbers that do not touch."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 2000 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
