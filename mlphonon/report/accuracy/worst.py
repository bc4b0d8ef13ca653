"""Dispersions of the crystals that a potential gets wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.phonons.results import BandStructure
from mlphonon.report.layout import TITLE_SIZE, fit_titles, panel_grid
from mlphonon.report.panels import (
    INK,
    crystal_title,
    draw_bands,
    draw_reference,
    frequency_limits,
    house_style,
    mark_imaginary,
    separate_tick_labels,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlphonon.evaluation.bands import ReferencePoints


@dataclass(frozen=True)
class WorstCase:
    """A crystal that a potential gets wrong.

    Attributes
    ----------
    title : str
        Formula, and whatever else tells it from others.
    bands : BandStructure
        Dispersion of the potential.
    points : ReferencePoints or None
        DFT's frequencies along the same path.
    error : float
        THz.
    """

    title: str
    bands: BandStructure
    points: ReferencePoints | None
    error: float


def plot_worst(items: Sequence[WorstCase]) -> Figure:
    """Draw the dispersions of crystals that a potential gets wrong, with DFT's frequencies.

    DFT is drawn as dashed lines where it has a frequency at every point of the path, and as dots
    where it has fewer.

    Parameters
    ----------
    items : sequence of WorstCase
        In the order of the panels, three in a row at most.

    Returns
    -------
    matplotlib.figure.Figure
        7 inches wide.

    Raises
    ------
    ValueError
        If `items` is empty.
    """
    if not items:
        raise ValueError("nothing to draw: items is empty")
    with house_style():
        figure, panels = panel_grid(len(items), 3)
        titles = []
        for ax, item in zip(panels, items, strict=True):
            title = f"{crystal_title(item.title)}\nerror {item.error:.2f} THz"
            titles.append(ax.set_title(title, loc="left", fontsize=TITLE_SIZE))
            ax.tick_params(axis="x", labelsize=8)
            _draw(ax, item)
        figure.supylabel("frequency (THz)", fontsize=9)
        named: dict[str, Artist] = {}
        for ax in panels:
            handles, labels = ax.get_legend_handles_labels()
            named |= dict(zip(labels, handles, strict=True))
        figure.legend(
            list(named.values()),
            list(named),
            loc="outside upper right",
            ncols=len(named),
            handlelength=2.0,
            columnspacing=1.5,
        )
        fit_titles(figure, panels, titles)
        separate_tick_labels(figure, panels)
    return figure


def _draw(ax: Axes, item: WorstCase) -> None:
    """Draw one crystal and set the range of its frequencies."""
    bands, points = item.bands, item.points
    if points is None or len(points.distances) == 0:
        ax.set_ylim(frequency_limits([bands], None))
        draw_bands(ax, bands, label="potential")
        mark_imaginary([ax])
        return
    lengths = [len(piece) for piece in bands.distances]
    everywhere = len(points.distances) == sum(lengths)
    if everywhere:
        pieces = np.split(points.frequencies, np.cumsum(lengths)[:-1])
        dft = replace(bands, frequencies=tuple(pieces))
    else:
        nowhere = np.full((len(points.distances), 3), np.nan)
        dft = BandStructure((nowhere,), (points.distances,), (points.frequencies,), (("", ""),))
    ax.set_ylim(frequency_limits([bands, dft], None))
    draw_bands(ax, bands, label="potential")
    if everywhere:
        draw_reference(ax, bands, dft, "DFT")
    else:
        lines = ax.plot(
            points.distances,
            points.frequencies,
            "o",
            ms=2.2,
            mfc="white",
            mec=INK,
            mew=0.7,
            zorder=3,
            clip_on=False,
        )
        lines[0].set_label("DFT (on its mesh)")
    mark_imaginary([ax])
