"""Figures for a paper or a README: dispersion, density of states, thermal properties."""

from __future__ import annotations

import io
import math
import os
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.errors import ResultError
from mlphonon.io.atomic_files import atomic_file
from mlphonon.phonons.results import (
    BandSpread,
    BandStructure,
    DensityOfStates,
    ThermalProperties,
    ThermalSpread,
)
from mlphonon.report.panels import (
    DULONG_PETIT,
    PALETTE,
    QUIET,
    crystal_title,
    draw_bands,
    draw_dos,
    draw_elements,
    draw_heat_capacity,
    draw_reference,
    draw_spread,
    draw_thermal_spread,
    edges_of,
    frequency_limits,
    house_style,
    legend_above,
    mark_dulong_petit,
    mark_imaginary,
    separate_tick_labels,
    spread_label,
    wavenumber_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 200
NOTE_WIDTH = 95
"""Letters in a line of a note, which is as wide as a dispersion."""
# Inches: a crystal's cell in an overview, and the start and extent of the axes within it.
_CELL = (3.6, 2.65)
_BANDS, _DOS, _BASE = (0.53, 2.2), (2.8, 0.62), (0.46, 1.9)
_MARGIN = _CELL[0] - sum(_DOS)
# A date in the file would make two runs of the same calculation differ.
_UNDATED = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def plot_bands_dos(
    bands: BandStructure,
    dos: DensityOfStates | None = None,
    *,
    title: str = "",
    note: str = "",
    reference: BandStructure | None = None,
    spread: BandSpread | None = None,
) -> Figure:
    """Draw a dispersion and, sharing its frequency axis, a density of states.

    Parameters
    ----------
    bands : BandStructure
        Dispersion.
    dos : DensityOfStates, optional
        Drawn as an area, with a line per element if it is projected and there are several.
    title : str, optional
        Set above the dispersion, chemical formulae with subscripts.
    note : str, optional
        A few words in the corner below, such as how far to believe it.
    reference : BandStructure, optional
        Dispersion along the same path, e.g. from DFT, drawn dashed over `bands`.
    spread : BandSpread, optional
        Of a committee along the same path, drawn as shades under `bands`.

    Returns
    -------
    matplotlib.figure.Figure
        7 inches wide, 5 without density of states.

    Raises
    ------
    ValueError
        If `reference` follows another path.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with house_style():
        layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0.02)
        figure = Figure(figsize=(5.0 if dos is None else 7.0, 3.5), layout=layout)
        columns = figure.subplots(
            1,
            1 if dos is None else 2,
            sharey=True,
            squeeze=False,
            width_ratios=None if dos is None else (3.1, 1),
        )
        axes: list[Axes] = list(columns[0])
        edges = [] if spread is None else edges_of(spread)
        others = [] if reference is None else [reference]
        axes[0].set_ylim(frequency_limits([bands, *others, *edges], dos))
        axes[0].set_ylabel("Frequency (THz)")
        axes[0].set_title(crystal_title(title), loc="left")
        # Above stand title and legend.
        axes[0].set_xlabel(textwrap.fill(note, NOTE_WIDTH), loc="right", fontsize=7.5, color=QUIET)
        draw_bands(axes[0], bands, label="model" if spread is None else "first potential")
        if spread is not None:
            draw_spread(axes[0], spread)
        if reference is not None:
            draw_reference(axes[0], bands, reference, "reference")
        if reference is not None or spread is not None:
            legend_above(axes[0], *axes[0].get_legend_handles_labels())
        if dos is not None:
            draw_dos(axes[1], dos)
            draw_elements(axes[1], dos)
            axes[1].set_xlabel("DOS (states/THz)")
            axes[1].tick_params(axis="y", length=0)
        mark_imaginary(axes)
        wavenumber_axis(axes[-1])
        separate_tick_labels(figure, axes[:1])
    return figure


def plot_thermal(
    thermal: ThermalProperties, *, title: str = "", spread: ThermalSpread | None = None
) -> Figure:
    """Draw C_V and entropy, and the free energy, against temperature, all per mole of atoms.

    Parameters
    ----------
    thermal : ThermalProperties
        Per mole of primitive cells, as always; divided by the number of atoms here, so that
        C_V can be compared with the limit of Dulong and Petit.
    title : str, optional
        Set above the figure.
    spread : ThermalSpread, optional
        Of a committee at the same temperatures, drawn as shades under the lines.

    Returns
    -------
    matplotlib.figure.Figure
        7 inches wide.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    temperatures = thermal.temperatures
    entropy = thermal.entropy / thermal.n_atoms
    zero_point = thermal.zero_point_energy / thermal.n_atoms
    with house_style():
        layout = ConstrainedLayoutEngine(w_pad=0.04, h_pad=0.03, wspace=0.04)
        figure = Figure(figsize=(7.0, 3.0), layout=layout)
        left, right = figure.subplots(1, 2, sharex=True)
        left.set_title(crystal_title(title), loc="left")
        for ax in (left, right):
            ax.set_xlabel("Temperature (K)")
            ax.set_xlim(0, temperatures[-1])

        draw_heat_capacity(left, thermal)
        left.plot(temperatures, entropy, color=PALETTE[1], lw=1.4, label="$S$", zorder=3)
        left.set_ylim(0, 1.12 * max(DULONG_PETIT, float(entropy.max())))
        if spread is not None:
            draw_thermal_spread(left, spread, "heat_capacity", PALETTE[0])
            draw_thermal_spread(left, spread, "entropy", PALETTE[1])
            label = spread_label(len(spread.members))
            draw_thermal_spread(right, spread, "free_energy", PALETTE[2], label)
            legend_above(right, *right.get_legend_handles_labels())
        left.set_ylabel("$C_V$, $S$ (J/K per mole of atoms)")
        # The entropy crosses 3R once, to the right of one end of the line or left of the other.
        crossed = np.interp(0.45 * temperatures[-1], temperatures, entropy) > DULONG_PETIT
        mark_dulong_petit(left, "right" if crossed else "left")
        legend_above(left, *left.get_legend_handles_labels())

        right.plot(temperatures, thermal.free_energy / thermal.n_atoms, color=PALETTE[2], lw=1.4)
        right.axhline(zero_point, color=QUIET, ls=(0, (4, 3)), lw=0.8, zorder=1)
        right.plot([0], [zero_point], "o", ms=4, color=PALETTE[2], clip_on=False, zorder=4)
        right.set_ylabel("$F$ (kJ per mole of atoms)")
        right.margins(y=0.12)
        right.annotate(
            f"zero-point energy {zero_point:.2f} kJ/mol",
            (1.0, zero_point),
            xytext=(-4, 2.5),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=8,
            color=QUIET,
        )
    return figure


def plot_overview(
    items: Sequence[tuple[str, BandStructure, DensityOfStates, ThermalProperties]],
) -> Figure:
    """Draw several crystals on one page: each a dispersion and density, and C_V of all.

    Parameters
    ----------
    items : sequence of (str, BandStructure, DensityOfStates, ThermalProperties)
        Name and results of each crystal. Each has a colour, the same in all its panels.

    Returns
    -------
    matplotlib.figure.Figure
        A grid with a cell per crystal; C_V takes what is left of the last row.

    Raises
    ------
    ValueError
        If `items` is empty.
    """
    from matplotlib.figure import Figure

    if not items:
        raise ValueError("nothing to draw: items is empty")
    n_columns = math.ceil(math.sqrt(len(items) + 1))
    n_rows = math.ceil((len(items) + 1) / n_columns)
    with house_style():
        figure = Figure(figsize=(_CELL[0] * n_columns, _CELL[1] * n_rows))
        paths = []
        for i, (name, bands, dos, _) in enumerate(items):
            row, column = divmod(i, n_columns)
            left = _place(figure, row, column * _CELL[0] + _BANDS[0], _BANDS[1])
            right = _place(figure, row, column * _CELL[0] + _DOS[0], _DOS[1])
            right.sharey(left)
            colour = PALETTE[i % len(PALETTE)]
            left.set_ylim(frequency_limits([bands], dos))
            left.set_ylabel("Frequency (THz)")
            left.set_title(crystal_title(name), loc="left", color=colour)
            draw_bands(left, bands, colour=colour)
            draw_dos(right, dos, fill=(colour, 0.2), edge=colour)
            right.set_xticks([])
            right.set_xlabel("DOS", fontsize=8)
            right.tick_params(axis="y", length=0, labelleft=False)
            mark_imaginary([left, right])
            paths.append(left)
        start = len(items) % n_columns * _CELL[0] + _BANDS[0]
        heat = _place(figure, n_rows - 1, start, n_columns * _CELL[0] - _MARGIN - start)
        _compare_heat_capacities(heat, [(name, thermal) for name, _, _, thermal in items])
        separate_tick_labels(figure, paths)
    return figure


def _place(figure: Figure, row: int, left: float, width: float) -> Axes:
    """Return new axes in a row of cells, `left` and `width` in inches.

    Placed by hand: the layout engine cannot line up cells of two axes with one that spans some.
    """
    total_width, total_height = figure.get_size_inches()
    bottom = total_height - (row + 1) * _CELL[1] + _BASE[0]
    ax = figure.add_axes(
        (left / total_width, bottom / total_height, width / total_width, _BASE[1] / total_height)
    )
    ax.tick_params(axis="x", labelsize=8)
    ax.yaxis.set_label_coords(-0.36 / width, 0.5)
    return ax


def _compare_heat_capacities(ax: Axes, items: Sequence[tuple[str, ThermalProperties]]) -> None:
    """Draw C_V of several crystals with the limit they share."""
    for i, (name, thermal) in enumerate(items):
        colour = PALETTE[i % len(PALETTE)]
        draw_heat_capacity(ax, thermal, colour=colour, label=crystal_title(name))
    ax.set_title("Heat capacity", loc="left")
    ax.set_xlim(0, max(thermal.temperatures[-1] for _, thermal in items))
    ax.set_ylim(0, 1.15 * DULONG_PETIT)
    ax.set_xlabel("Temperature (K)")
    ax.set_ylabel("$C_V$ (J/K per mole of atoms)")
    if len(items) > 1:
        ax.legend(loc="best", borderaxespad=0.8)
    mark_dulong_petit(ax)


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure in the format its suffix names; a reader never meets half a file.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to write.
    path : path-like
        E.g. ``bands.png`` (200 dpi), ``bands.pdf``, ``bands.svg``; missing folders are made.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    ResultError
        If the suffix names no format that matplotlib writes, or the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.removeprefix(".").lower()
    known = figure.canvas.get_supported_filetypes()
    if kind not in known:
        raise ResultError(
            f"cannot write the figure {path}",
            f"{path.suffix or 'no suffix'} is not a known format",
            "end the name in one of ." + ", .".join(sorted(known)),
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as part:
            _write(figure, part, kind)
    except OSError as error:
        why = error.strerror or str(error)
        raise ResultError(f"cannot write the figure {path}", why, "choose another place") from error
    return path


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """Return what the file of a figure would hold.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to write.
    kind : str
        A format, such as ``"svg"`` or ``"png"`` (200 dpi).
    """
    stream = io.BytesIO()
    _write(figure, stream, kind)
    return stream.getvalue()


def _write(figure: Figure, target: Path | io.BytesIO, kind: str) -> None:
    with house_style():
        figure.savefig(target, format=kind, dpi=DOTS_PER_INCH, metadata=_UNDATED.get(kind))
