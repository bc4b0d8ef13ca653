"""The figure of a thermal expansion: free energies, expansion, bulk modulus, heat capacity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.report.panels import PALETTE, QUIET, crystal_title, house_style
from mlphonon.units import GAS_CONSTANT

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Panel
    from matplotlib.figure import Figure

    from mlphonon.anharmonic.expansion.result import ThermalExpansion

CURVES = 7
"""Temperatures whose free energies are drawn."""

COLD = 10.0
"""K; below, an axial expansion is a difference of next to nothing and is not drawn."""


def plot_expansion(result: ThermalExpansion) -> Figure:
    """Draw free energies with their minima, expansion, bulk modulus and heat capacity.

    Parameters
    ----------
    result : ThermalExpansion
        At four temperatures at least.

    Returns
    -------
    matplotlib.figure.Figure
        7 inches wide.
    """
    from matplotlib.figure import Figure

    with house_style():
        figure = Figure(figsize=(7.0, 5.2), layout="constrained")
        (free, slope), (stiff, heat) = figure.subplots(2, 2)
        _draw_free_energies(free, result)
        _draw_expansion(slope, result)
        t = result.temperatures
        stiff.plot(t, result.bulk_moduli, color=PALETTE[0])
        stiff.set_ylabel("Bulk modulus (GPa)")
        heat.plot(t, result.heat_capacity / result.n_atoms, color=PALETTE[0])
        heat.axhline(3 * GAS_CONSTANT, color=QUIET, lw=0.8, ls=":")
        heat.annotate(
            "Dulong-Petit",
            (t[-1], 3 * GAS_CONSTANT),
            xytext=(0, -9),
            textcoords="offset points",
            ha="right",
            fontsize=7,
            color=QUIET,
        )
        heat.set_ylabel("$C_P$ (J/K per mole of atoms)")
        heat.set_ylim(bottom=0)
        for panel in (slope, stiff, heat):
            panel.set_xlabel("Temperature (K)")
            panel.set_xlim(t[0], t[-1])
        record = result.record
        title = f"{crystal_title(record.harmonic.formula)}  quasi-harmonic   ({record.verdict})"
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure


def _draw_free_energies(ax: Panel, result: ThermalExpansion) -> None:
    """Draw free energies against volume at some temperatures, and where each is least."""
    from matplotlib import colormaps

    chosen = np.unique(np.linspace(0, len(result.temperatures) - 1, CURVES).astype(int))
    zero = result.helmholtz[0].min()
    order = np.argsort(result.volumes)
    for place, index in enumerate(chosen):
        colour = colormaps["plasma"](0.85 * place / (len(chosen) - 1))
        values = (result.helmholtz[index] - zero)[order]
        ax.plot(result.volumes[order], values, "o-", ms=2.5, lw=0.9, color=colour)
        if place in (0, len(chosen) - 1):
            ax.annotate(
                f"{result.temperatures[index]:g} K",
                (result.volumes[order][-1], values[-1]),
                xytext=(-2, 4),
                textcoords="offset points",
                ha="right",
                fontsize=7,
                color=colour,
            )
    least = [
        np.interp(v, result.volumes[order], (h - zero)[order])
        for v, h in zip(result.equilibrium_volumes, result.helmholtz, strict=True)
    ]
    ax.plot(result.equilibrium_volumes, least, color=QUIET, lw=1.2, ls="--")
    # Room for the labels.
    ax.margins(y=0.1)
    ax.set_xlabel("Volume (Å$^3$)")
    ax.set_ylabel("Free energy (eV per cell)")


def _draw_expansion(ax: Panel, result: ThermalExpansion) -> None:
    t = result.temperatures
    ax.plot(t, 1e6 * result.expansion, color=PALETTE[0], label="volume")
    if result.axes is not None:
        drawn = t >= COLD
        slopes = 1e6 * result.axes.expansions
        alike = np.allclose(result.axes.lengths[:, 0], result.axes.lengths[:, 1], rtol=1e-4)
        for i in (0, 2) if alike else (0, 1, 2):
            label = f"axis {'abc'[i]}"
            ax.plot(t[drawn], slopes[drawn, i], color=PALETTE[i + 1], ls="--", label=label)
        ax.legend(frameon=False, fontsize=7.5)
    ax.axhline(0, color=QUIET, lw=0.6)
    ax.set_ylabel("Expansion (10$^{-6}$/K)")
