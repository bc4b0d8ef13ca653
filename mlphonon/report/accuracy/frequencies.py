"""Figures of how right potentials are: crystal by crystal and mode by mode."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.report.layout import TITLE_SIZE, fit_titles, panel_grid, plain_log_ticks
from mlphonon.report.panels import (
    HAIRLINE,
    IMAGINARY_BELOW,
    INK,
    LINE_STYLES,
    PALETTE,
    QUIET,
    WARNING,
    house_style,
    mark_imaginary,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

RATIO_ABOVE = 1.0
"""THz; below this a mode's ratio means nothing: acoustic modes near GAMMA go to zero, where noise
that no property depends on changes it many times over."""

MOST_MODES = 20_000
"""That a smoothed density is made of; more change no line of it."""

_BINS = 90
# Bins this much emptier than the fullest are drawn as if they held this much.
_DECADES = 4


@dataclass(frozen=True)
class ModePairs:
    """Frequencies of a potential beside DFT's, mode by mode, of one crystal or many.

    Attributes
    ----------
    dft, ours : ndarray, shape (n_modes,)
        THz, imaginary ones negative.
    weights : ndarray, shape (n_modes,)
        What each mode counts for, of any sum.
    """

    dft: np.ndarray
    ours: np.ndarray
    weights: np.ndarray

    def __post_init__(self) -> None:
        shapes = [np.shape(values) for values in (self.dft, self.ours, self.weights)]
        if len(shapes[0]) != 1 or len(set(shapes)) != 1:
            raise ValueError(f"modes of shapes {shapes} are not one list of pairs")
        if np.min(self.weights, initial=0.0) < 0 or np.sum(self.weights) <= 0:
            raise ValueError("there are no modes, or their weights are negative or all zero")

    @property
    def slope(self) -> float:
        """Of ours against DFT's, through the origin; below one is soft."""
        return float(
            (self.weights * self.ours * self.dft).sum() / (self.weights * self.dft**2).sum()
        )

    @property
    def mae(self) -> float:
        """Weighted mean of the absolute differences."""
        return float(np.average(np.abs(self.ours - self.dft), weights=self.weights))


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
        7 inches wide; the logarithmic axis spans all errors.
    """
    from matplotlib.figure import Figure

    with house_style():
        figure = Figure(figsize=(7.0, 3.4), layout="constrained")
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
                lw=1.3,
                label=f"{name} ({len(ranked)})",
            )
        axes.axhline(50, color=HAIRLINE, lw=0.5, zorder=1)
        axes.set_xscale("log")
        plain_log_ticks(axes.xaxis, *axes.get_xlim())
        axes.set_ylim(0, 100)
        axes.set_xlabel(quantity)
        axes.set_ylabel("crystals with a smaller error (%)")
        # Beside the axes: curves run through every corner of them but one, which may be small.
        axes.legend(
            loc="upper left", bbox_to_anchor=(1.02, 1.0), handlelength=2.2, labelspacing=0.7
        )
    return figure


def plot_parity(pairs: Mapping[str, ModePairs]) -> Figure:
    """Draw, for each potential, the density of its frequencies against DFT's.

    Parameters
    ----------
    pairs : mapping of str to ModePairs
        Modes of each potential, by its name.

    Returns
    -------
    matplotlib.figure.Figure
        7 inches wide, or less for one; a square panel for each potential, all with the same
        range and colours, with the line of equality dashed and that of the slope.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    """
    from matplotlib.colors import LogNorm

    if not pairs:
        raise ValueError("nothing to draw: pairs is empty")
    low, high = _range(pairs.values())
    edges = np.linspace(low, high, _BINS + 1)
    shares = [
        100 * np.histogram2d(one.dft, one.ours, edges, weights=one.weights)[0] / one.weights.sum()
        for one in pairs.values()
    ]
    fullest = max(float(share.max()) for share in shares)
    emptiest = min(float(share[share > 0].min(initial=fullest)) for share in shares)
    bottom = min(max(emptiest, fullest / 10**_DECADES), fullest / 10)
    norm = LogNorm(bottom, fullest)
    with house_style():
        figure, panels = panel_grid(len(pairs), 4, square=True)
        titles = []
        for ax, (name, one), share in zip(panels, pairs.items(), shares, strict=True):
            ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
            titles.append(ax.set_title(name, loc="left", fontsize=TITLE_SIZE))
            mesh = _draw_parity(ax, one, (edges, share, norm))
        mark_imaginary(panels)
        figure.supxlabel("frequency of DFT (THz)", fontsize=9)
        figure.supylabel("frequency of the potential (THz)", fontsize=9)
        bar = figure.colorbar(
            mesh,
            ax=panels,
            label="modes in a bin (%)",
            extend="min" if emptiest < bottom else "neither",
            fraction=0.04,
            aspect=30,
            pad=0.02,
        )
        plain_log_ticks(bar.ax.yaxis, bottom, fullest)
        fit_titles(figure, panels, titles)
    return figure


def _range(pairs: Iterable[ModePairs]) -> tuple[float, float]:
    """Return the range that holds all frequencies, THz; from 0 unless modes are imaginary."""
    values = [each for one in pairs for each in (one.dft, one.ours)]
    lowest = min(float(each.min()) for each in values)
    highest = max(float(each.max()) for each in values)
    margin = 0.04 * (highest - min(lowest, 0.0))
    if lowest >= IMAGINARY_BELOW:
        return 0.0, highest + margin
    return min(lowest - margin, -0.14 * highest), highest + margin  # for the word "imaginary"


def _draw_parity(
    ax: Axes, one: ModePairs, density: tuple[np.ndarray, np.ndarray, Normalize]
) -> QuadMesh:
    """Draw one panel on axes whose range is set; `density` is edges, shares in % and colours."""
    edges, share, norm = density
    ends = np.array(ax.get_xlim())
    # Rasterised, as a page of up to 8100 polygons a panel is slow to open.
    mesh = ax.pcolormesh(
        edges,
        edges,
        np.ma.masked_equal(share.T, 0),
        norm=norm,
        cmap="viridis_r",
        rasterized=True,
        zorder=2,
    )
    ax.plot(ends, ends, color=INK, lw=0.7, ls=(0, (4, 3)), zorder=3)
    ax.plot(ends, one.slope * ends, color=PALETTE[1], lw=0.9, zorder=4)
    if ends[0] < 0:
        ax.axvspan(ends[0], 0, color=WARNING, alpha=0.08, lw=0, zorder=0)
        ax.axvline(0, color=QUIET, lw=0.5, zorder=1)
    for i, (text, colour) in enumerate(
        [(f"slope {one.slope:.2f}", PALETTE[1]), (f"MAE {one.mae:.2f} THz", INK)]
    ):
        ax.annotate(
            text,
            (0.0, 1.0),
            xytext=(3, -3 - 9.5 * i),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            fontsize=7.5,
            color=colour,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5},
            zorder=5,
        )
    return mesh


def plot_ratios(pairs: Mapping[str, ModePairs]) -> Figure:
    """Draw, for each potential, how the ratios of its frequencies to DFT's are distributed.

    Modes whose frequency in DFT is above `RATIO_ABOVE` count, by their weights. All violins are
    equally thick at their thickest.

    Parameters
    ----------
    pairs : mapping of str to ModePairs
        Modes of each potential, by its name.

    Returns
    -------
    matplotlib.figure.Figure
        7 inches wide; a violin for each potential with a bar between the quartiles and a dot at
        the median, which is printed too. Of all modes, 99 % lie within the axis.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    """
    from matplotlib.figure import Figure

    ratios, weights = [], []
    for name, one in pairs.items():
        counted = (one.dft > RATIO_ABOVE) & (one.weights > 0)
        if not counted.any():
            raise ValueError(f"{name}: no mode of DFT is above {RATIO_ABOVE} THz")
        ratios.append(one.ours[counted] / one.dft[counted])
        weights.append(one.weights[counted] / one.weights[counted].sum())
    if not ratios:
        raise ValueError("nothing to draw: pairs is empty")
    low, high = _quantiles(np.concatenate(ratios), np.concatenate(weights), [0.005, 0.995])
    low, high = min(low, 0.98), max(high, 1.02)
    low, high = low - 0.04 * (high - low), high + 0.04 * (high - low)
    with house_style():
        figure = Figure(figsize=(7.0, 0.9 + 0.46 * len(pairs)), layout="constrained")
        ax = figure.add_subplot()
        ax.axvline(1, color=INK, lw=0.7, ls=(0, (4, 3)), zorder=1)
        for i, (ratio, weight) in enumerate(zip(ratios, weights, strict=True)):
            _draw_violin(ax, i, ratio, weight, np.linspace(low, high, 400))
        ax.set_xlim(low, high)
        ax.set_ylim(len(pairs) - 0.4, -0.6)
        ax.set_yticks(range(len(pairs)), list(pairs))
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel(
            f"frequency of the potential / frequency of DFT, modes above {RATIO_ABOVE:g} THz"
        )
        ax.annotate(
            "median",
            (1.0, 1.0),
            xytext=(6, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=8,
            color=QUIET,
        )
        ax.spines[["left", "right", "top"]].set_visible(False)
    return figure


def _draw_violin(
    ax: Axes, place: int, ratios: np.ndarray, weights: np.ndarray, grid: np.ndarray
) -> None:
    """Draw a horizontal violin at height `place` with its median and quartiles."""
    colour = PALETTE[place % len(PALETTE)]
    first, median, third = _quantiles(ratios, weights, [0.25, 0.5, 0.75])
    seen = grid[(grid >= ratios.min()) & (grid <= ratios.max())]
    if len(seen) > 1:
        half = _smoothed(ratios, weights, seen)
        ax.fill_between(
            seen,
            place - 0.42 * half,
            place + 0.42 * half,
            facecolor=(colour, 0.35),
            edgecolor=colour,
            lw=0.7,
            zorder=2,
        )
    ax.plot([first, third], [place, place], color=INK, lw=2.6, zorder=3)
    ax.plot([median], [place], "o", ms=4.5, mfc="white", mec=INK, mew=0.9, zorder=4)
    ax.annotate(
        f"{median:.3f}",
        (1.0, place),
        xytext=(6, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontsize=8,
    )


def _quantiles(values: np.ndarray, weights: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Return the values below which the given shares of the weight lie."""
    return np.quantile(values, shares, weights=weights, method="inverted_cdf")


def _smoothed(values: np.ndarray, weights: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return the density of values on `grid`, its highest point scaled to one.

    The bandwidth is Silverman's with the quartiles (Density Estimation, 1986, eq. 3.31): that of
    the standard deviation alone is as wide as the few outliers make it.
    """
    from scipy.stats import gaussian_kde

    if len(values) > MOST_MODES:
        chosen = np.random.default_rng(0).choice(len(values), MOST_MODES, replace=False)
        values, weights = values[chosen], weights[chosen]
    weights = weights / weights.sum()
    first, third = _quantiles(values, weights, [0.25, 0.75])
    deviation = math.sqrt(np.cov(values, aweights=weights))
    spread = min(deviation, (third - first) / 1.349) or deviation
    width = 0.9 * spread * (weights**2).sum() ** 0.2
    # A step of the grid at least, or its points would miss the peaks.
    factor = max(width, grid[1] - grid[0]) / deviation
    density = gaussian_kde(values, bw_method=factor, weights=weights)(grid)
    return density / density.max()
