"""The figure of a heat conductivity: what carries the heat, and how long it lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.report.panels import PALETTE, QUIET, crystal_title, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlphonon.anharmonic.conductivity.result import Accumulation, ThermalConductivity

NANOMETRE = 10.0
"""In A."""

LEAST_SHARE = 1e-4
"""Shortest mean free path drawn is where this share of the heat has been gathered."""


def plot_conductivity(result: ThermalConductivity) -> Figure:
    """Draw conductivity against temperature, its accumulation, and lifetimes.

    Parameters
    ----------
    result : ThermalConductivity
        With one temperature, its accumulation is drawn, and no curve against temperature.

    Returns
    -------
    matplotlib.figure.Figure
        7 inches wide.
    """
    from matplotlib.figure import Figure

    several = len(result.temperatures) > 1
    with house_style():
        figure = Figure(figsize=(7.0, 5.0 if several else 2.8), layout="constrained")
        panels = list(figure.subplots(2, 2).flat) if several else list(figure.subplots(1, 3))
        if several:
            _draw_temperatures(panels.pop(0), result)
        _draw_spectrum(panels[0], result)
        _draw_paths(panels[1], result)
        _draw_lifetimes(panels[2], result)
        record = result.record
        name = "" if record.harmonic is None else crystal_title(record.harmonic.formula)
        figure.suptitle(_title(result, name), x=0.01, ha="left", fontsize=10)
    return figure


def _title(result: ThermalConductivity, name: str) -> str:
    at = f"{result.average[0]:.3g} W/m/K at {result.temperatures[0]:g} K"
    verdict = result.record.verdict
    return f"{name}  {at}" + (f"   ({verdict})" if verdict else "")


def _draw_temperatures(ax: Axes, result: ThermalConductivity) -> None:
    """Draw the tensor's diagonal, and what of it flows between bands."""
    t, diagonal = result.temperatures, np.diagonal(result.kappa, axis1=1, axis2=2)
    if np.ptp(diagonal, axis=1).max() < 0.01 * diagonal.max():
        ax.plot(t, result.average, "o-", ms=3, color=PALETTE[0], label="total")
    else:
        for column, axis, colour in zip(diagonal.T, "xyz", PALETTE, strict=False):
            ax.plot(t, column, "o-", ms=3, color=colour, label=f"along {axis}")
    between = np.trace(result.coherences, axis1=1, axis2=2) / 3
    if between.max() > 0:
        ax.plot(t, between, "s--", ms=3, color=PALETTE[4], label="between bands")
    ax.set_xlabel("Temperature (K)")
    ax.set_ylabel("Conductivity (W/m/K)")
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=7.5)


def _draw_spectrum(ax: Axes, result: ThermalConductivity) -> None:
    """Draw the conductivity that modes up to a frequency carry, over its density."""
    found: Accumulation = result.by_frequency
    ax.fill_between(
        found.points[0],
        found.density[0] / found.density[0].max() * found.cumulative[0, -1],
        color=PALETTE[5],
        alpha=0.45,
        lw=0,
        label="density",
    )
    for i in _shown(len(result.temperatures)):
        _draw_cumulative(ax, found.points[i], found.cumulative[i], result, i)
    ax.set_xlim(0, found.points[0].max())
    ax.set_ylim(bottom=0)
    ax.set_xlabel("Frequency (THz)")
    ax.set_ylabel("Cumulative (W/m/K)")
    ax.legend(frameon=False, fontsize=7.5, loc="upper left")


def _draw_paths(ax: Axes, result: ThermalConductivity) -> None:
    """Draw the conductivity that mean free paths up to a length carry."""
    found: Accumulation = result.by_mean_free_path
    low = np.inf
    for i in _shown(len(result.temperatures)):
        path = found.points[i] / NANOMETRE
        _draw_cumulative(ax, path, found.cumulative[i], result, i)
        seen = found.cumulative[i] > LEAST_SHARE * found.cumulative[i, -1]
        low = min(low, float(path[seen & (path > 0)].min()))
    ax.set_xscale("log")
    ax.set_xlim(left=low)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("Mean free path (nm)")
    ax.set_ylabel("Cumulative (W/m/K)")


def _draw_cumulative(
    ax: Axes, points: np.ndarray, cumulative: np.ndarray, result: ThermalConductivity, i: int
) -> None:
    colour = PALETTE[i % len(PALETTE)] if len(result.temperatures) > 1 else PALETTE[0]
    ax.plot(points, cumulative, color=colour, label=f"{result.temperatures[i]:g} K")


def _draw_lifetimes(ax: Axes, result: ThermalConductivity) -> None:
    """Draw lifetimes, coloured by the heat that modes carry, and limits below which they fail.

    A mode that lives shorter than its period is no particle (Ioffe and Regel); one that lives
    shorter than the inverse of the mean spacing of bands, 3 N / f_max, conducts by tunnelling
    rather than flying (Simoncelli, Marzari and Mauri, Phys. Rev. X 12, 041011 (2022)).
    """
    frequencies = result.frequencies.ravel()
    lifetimes, carried = result.lifetimes[0].ravel(), result.mode_kappa[0].ravel()
    drawn = np.isfinite(lifetimes) & (frequencies > 0.02 * frequencies.max())
    share = np.maximum(carried / carried.sum(), 0)
    order = np.argsort(share)
    order = order[drawn[order]]
    dots = ax.scatter(
        frequencies[order],
        lifetimes[order],
        c=100 * share[order],
        s=7,
        cmap="viridis",
        lw=0,
        rasterized=True,
    )
    bar = ax.figure.colorbar(dots, ax=ax, pad=0.02)
    bar.set_label("share of the heat (%)", fontsize=7.5)
    bar.ax.tick_params(labelsize=7)
    axis = np.linspace(frequencies[drawn].min(), frequencies.max(), 100)
    ax.plot(axis, 1 / (2 * np.pi * axis), color=QUIET, lw=0.9, ls="--")
    ax.axhline(result.frequencies.shape[1] / frequencies.max(), color=QUIET, lw=0.9, ls=":")
    ax.set_yscale("log")
    ax.set_xlim(0, 1.03 * frequencies.max())
    ax.set_xlabel("Frequency (THz)")
    ax.set_ylabel(f"Lifetime (ps), {result.temperatures[0]:g} K")
    ax.annotate(
        "spacing of bands",
        (0.02, result.frequencies.shape[1] / frequencies.max()),
        xycoords=("axes fraction", "data"),
        xytext=(0, 2),
        textcoords="offset points",
        fontsize=6.5,
        color=QUIET,
    )
    ax.annotate(
        "a period",
        (axis[-1], 1 / (2 * np.pi * axis[-1])),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        fontsize=6.5,
        color=QUIET,
    )


def _shown(number: int) -> list[int]:
    """Return which temperatures are drawn: first, middle and last of many."""
    return sorted({0, number // 2, number - 1}) if number > 3 else list(range(number))
