"""A dispersion and density of states so small that many stand side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlphonon.phonons.results import BandStructure, DensityOfStates
from mlphonon.report.panels import (
    draw_bands,
    draw_dos,
    frequency_limits,
    house_style,
    mark_imaginary,
    separate_tick_labels,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_thumbnail(bands: BandStructure, dos: DensityOfStates) -> Figure:
    """Draw a dispersion and, sharing its frequency axis, a density of states.

    Returns
    -------
    matplotlib.figure.Figure
        3.4 inches wide.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with house_style():
        layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0.02)
        figure = Figure(figsize=(3.4, 2.1), layout=layout)
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3.6, 1))
        left.set_ylim(frequency_limits([bands], dos))
        left.set_ylabel("THz", fontsize=8)
        draw_bands(left, bands)
        draw_dos(right, dos)
        right.set_xticks([])
        right.set_xlabel("DOS", fontsize=8)
        right.tick_params(axis="y", length=0)
        for ax in (left, right):
            ax.tick_params(labelsize=7.5)
        mark_imaginary([left, right])
        separate_tick_labels(figure, [left])
    return figure
