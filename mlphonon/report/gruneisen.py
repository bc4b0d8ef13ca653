"""The figure of Grueneisen parameters: along the band path, against frequency, their mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.report.panels import PALETTE, QUIET, crystal_title, house_style, point_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlphonon.anharmonic.gruneisen.result import Gruneisen

DRAWN = 0.02
"""Share of the highest frequency below which gamma is not drawn: near Gamma it is 0/0."""


def plot_gruneisen(result: Gruneisen) -> Figure:
    """Draw the dispersion coloured by gamma, gamma against frequency, and its mean.

    Returns
    -------
    matplotlib.figure.Figure
        7 inches wide.
    """
    from matplotlib.figure import Figure

    with house_style():
        figure = Figure(figsize=(7.0, 5.0), layout="constrained")
        grid = figure.add_gridspec(2, 2, height_ratios=(1.15, 1))
        _draw_path(figure.add_subplot(grid[0, :]), result)
        _draw_modes(figure.add_subplot(grid[1, 0]), result)
        _draw_mean(figure.add_subplot(grid[1, 1]), result)
        record = result.record
        title = f"{crystal_title(record.harmonic.formula)}  Grüneisen parameters"
        figure.suptitle(f"{title}   ({record.verdict})", x=0.01, ha="left", fontsize=10)
    return figure


def _draw_path(ax: Axes, result: Gruneisen) -> None:
    """Draw bands as dots whose colour is gamma; white is none, red softens as volume grows."""
    least = DRAWN * result.frequencies.max()
    near = result.gamma[result.frequencies > least]
    limit = float(max(np.quantile(np.abs(near), 0.98), 0.1))
    for x, f, g in zip(
        result.path_distances, result.path_frequencies, result.path_gamma, strict=True
    ):
        dots = ax.scatter(
            np.repeat(x, f.shape[1]),
            f.ravel(),
            c=np.where(f > least, g, np.nan).ravel(),
            cmap="RdBu_r",
            vmin=-limit,
            vmax=limit,
            s=5,
            lw=0.15,
            edgecolors="0.6",
            plotnonfinite=False,
        )
    ends = [(x[0], x[-1]) for x in result.path_distances]
    ticks, labels = [ends[0][0]], [point_label(result.path_labels[0][0])]
    for number, (_, end) in enumerate(ends):
        text = point_label(result.path_labels[number][1])
        if number + 1 < len(ends):
            following = point_label(result.path_labels[number + 1][0])
            text = text if following == text else f"{text}|{following}"
        ticks.append(end)
        labels.append(text)
    for tick in ticks:
        ax.axvline(tick, color="0.85", lw=0.6, zorder=0)
    ax.set_xticks(ticks, labels)
    ax.set_xlim(ticks[0], ticks[-1])
    ax.set_ylabel("Frequency (THz)")
    ax.set_ylim(min(0.0, float(result.frequencies.min())), None)
    ax.figure.colorbar(dots, ax=ax, pad=0.01, label="γ")


def _draw_modes(ax: Axes, result: Gruneisen) -> None:
    drawn = result.frequencies > DRAWN * result.frequencies.max()
    if result.third_order is not None:
        ax.scatter(
            result.frequencies[drawn],
            result.third_order[drawn],
            s=7,
            color=PALETTE[4],
            lw=0,
            alpha=0.6,
            label="by third order",
        )
    ax.scatter(
        result.frequencies[drawn],
        result.gamma[drawn],
        s=4,
        color=PALETTE[0],
        lw=0,
        label="by volumes",
    )
    ax.axhline(0, color=QUIET, lw=0.6)
    ax.set_xlabel("Frequency (THz)")
    ax.set_ylabel("γ")
    if result.third_order is not None:
        ax.legend(frameon=False, fontsize=7.5)


def _draw_mean(ax: Axes, result: Gruneisen) -> None:
    """Draw the mean that drives expansion; below 20 K it is that of the longest waves of a mesh."""
    t = np.linspace(20, 1000, 99)
    ax.plot(t, [result.mean(x) for x in t], color=PALETTE[0], label="by volumes")
    if result.third_order is not None:
        other = [result.mean(x, result.third_order) for x in t]
        ax.plot(t, other, color=PALETTE[4], ls="--", label="by third order")
        ax.legend(frameon=False, fontsize=7.5)
    ax.axhline(0, color=QUIET, lw=0.6)
    ax.set_xlabel("Temperature (K)")
    ax.set_ylabel("Mean γ, by heat capacity")
