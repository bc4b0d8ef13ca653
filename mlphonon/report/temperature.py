"""Figure of phonons at a temperature: beside the harmonic ones, and how they converged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.anharmonic.sscha.history import History, Step
from mlphonon.anharmonic.sscha.reference import star_of
from mlphonon.crystal.crystal import space_group
from mlphonon.report.layout import plain_log_ticks
from mlphonon.report.panels import (
    INK,
    PALETTE,
    QUIET,
    crystal_title,
    draw_bands,
    draw_reference,
    frequency_limits,
    house_style,
    legend_above,
    mark_imaginary,
    separate_tick_labels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlphonon.anharmonic.at_temperature.result import PhononsAtTemperature
    from mlphonon.phonons.results import BandStructure

MEV = 1000.0


def plot_at_temperature(result: PhononsAtTemperature) -> Figure:
    """Draw dispersions at a temperature and harmonic, with errors; and how they converged.

    Parameters
    ----------
    result : PhononsAtTemperature
        Errors are drawn at the wave vectors that fit into the supercell, where they are known.

    Returns
    -------
    matplotlib.figure.Figure
        7 inches wide, 5 without a history.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    how, history = result.renormalisation, result.history
    with house_style():
        layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0.03, hspace=0.04)
        figure = Figure(figsize=(5.0 if history is None else 7.0, 3.5), layout=layout)
        if history is None:
            left = figure.subplots()
        else:
            grid = figure.add_gridspec(2, 2, width_ratios=(2.3, 1))
            left = figure.add_subplot(grid[:, 0])
            upper, lower = (figure.add_subplot(grid[row, 1]) for row in (0, 1))
        bands, harmonic = result.phonons.bands(), result.harmonic.bands()
        others = [] if result.curvature is None else [result.curvature.bands()]
        left.set_ylim(frequency_limits([bands, harmonic, *others], None))
        left.set_ylabel("Frequency (THz)")
        left.set_title(crystal_title(result.phonons.record.formula), loc="left")
        for other in others:
            draw_bands(left, other, colour=PALETTE[4], label="curvature of $F$")
        # Without a history there is nowhere else to say it.
        error = f" (\N{PLUS-MINUS SIGN} {how.mean_frequency_error_THz:.2g} THz)"
        label = f"{how.temperature_K:g} K" + ("" if history is not None else error)
        draw_bands(left, bands, colour=PALETTE[1], label=label)
        draw_reference(left, bands, harmonic, "harmonic")
        if history is not None:
            _draw_errors(left, bands, result, history)
            _draw_frequency_convergence(upper, history)
            _draw_free_energy(lower, history)
        legend_above(left, *left.get_legend_handles_labels())
        mark_imaginary([left])
        separate_tick_labels(figure, [left])
    return figure


def _draw_errors(
    ax: Axes, bands: BandStructure, result: PhononsAtTemperature, history: History
) -> None:
    """Mark the frequencies that were found, with standard errors, where the path meets them."""
    phonons, known = result.phonons, history.commensurate
    rotations, _ = space_group(phonons.atoms, phonons.record.settings.symprec)
    matrix = np.asarray(known.supercell_matrix)
    n_cells = round(abs(float(np.linalg.det(matrix))))
    stars = {star_of(np.array(q), rotations, n_cells): i for i, q in enumerate(known.wave_vectors)}
    label: str | None = "\N{PLUS-MINUS SIGN} standard error"
    for points, distances in zip(bands.segments, bands.distances, strict=True):
        for share in meetings(points[0], points[-1], matrix):
            point = points[0] + share * (points[-1] - points[0])
            at = stars[star_of(point, rotations, n_cells)]
            place = distances[0] + share * (distances[-1] - distances[0])
            ax.errorbar(
                np.full(len(known.frequencies[at]), place),
                known.frequencies[at],
                yerr=known.errors[at],
                fmt="o",
                ms=2.4,
                lw=0.9,
                capsize=1.6,
                color=INK,
                zorder=4,
                label=label,
                clip_on=False,
            )
            label = None


def meetings(start: np.ndarray, end: np.ndarray, matrix: np.ndarray) -> list[float]:
    """Where on a straight line wave vectors lie that fit into a supercell, as shares of it.

    Parameters
    ----------
    start, end : ndarray, shape (3,)
        In reciprocal vectors of the primitive cell.
    matrix : ndarray of int, shape (3, 3)
        Of the supercell, in phonopy's convention: q fits if q times it is whole.
    """
    first, step = start @ matrix, (end - start) @ matrix
    axis = int(np.abs(step).argmax())
    if abs(step[axis]) < 1e-9:
        return []
    low, high = sorted((first[axis], first[axis] + step[axis]))
    whole = np.arange(np.ceil(low - 1e-6), np.floor(high + 1e-6) + 1)
    shares = (whole - first[axis]) / step[axis]
    found = first + shares[:, None] * step
    return shares[np.abs(found - np.rint(found)).max(axis=1) < 1e-5].tolist()


def _draw_frequency_convergence(ax: Axes, history: History) -> None:
    """Draw errors of frequencies, and changes, against the supercells that were evaluated."""
    numbers = _evaluated(history)
    settled = [i for i, step in enumerate(history.steps) if step.error_THz is not None]
    changed = [i for i, step in enumerate(history.steps) if step.change_THz > 0]
    errors = [history.steps[i].error_THz or 0.0 for i in settled]
    changes = [history.steps[i].change_THz for i in changed]
    ax.axhline(history.settings.tolerance, color=QUIET, ls=(0, (4, 3)), lw=0.8, label="tolerance")
    style: dict[str, Any] = {"ms": 3.5, "lw": 1.1}
    ax.plot([numbers[i] for i in settled], errors, "o-", color=PALETTE[0], label="error", **style)
    ax.plot([numbers[i] for i in changed], changes, "s:", color=PALETTE[2], label="change", **style)
    shown = [history.settings.tolerance, *errors, *changes]
    low, high = 0.7 * min(shown), 1.4 * max(shown)
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    plain_log_ticks(ax.yaxis, low, high)
    ax.set_xlim(0, 1.06 * numbers[-1])
    ax.set_ylabel("Frequencies (THz)")
    ax.tick_params(axis="x", labelbottom=False)
    ax.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, handlelength=1.2, columnspacing=0.8
    )


def _draw_free_energy(ax: Axes, history: History) -> None:
    """Draw the free energy with its errors, of each cell in a colour of its own."""
    numbers = np.array(_evaluated(history))
    last = history.steps[-1]
    cells = np.array([step.cell for step in history.steps])
    for cell in np.unique(cells):
        # What is not consistent has a free energy that is far from any.
        here = np.array([i for i in np.flatnonzero(cells == cell) if history.steps[i].settled])
        if not len(here):
            continue
        steps: list[Step] = [history.steps[i] for i in here]
        values = MEV * np.array([step.free_energy_eV - last.free_energy_eV for step in steps])
        errors = MEV * np.array([step.free_energy_error_eV or 0.0 for step in steps])
        ax.errorbar(
            numbers[here],
            values,
            yerr=errors,
            fmt="o-",
            ms=3.5,
            lw=1.1,
            capsize=2,
            color=PALETTE[1] if cell == last.cell else QUIET,
        )
    ax.axhline(0, color=QUIET, ls=(0, (4, 3)), lw=0.8, zorder=1)
    ax.set_xlim(0, 1.06 * numbers[-1])
    ax.set_xlabel("Supercells evaluated")
    ax.set_ylabel("$F$ from the last (meV)")
    ax.margins(y=0.18)


def _evaluated(history: History) -> list[int]:
    """How many supercells had been evaluated after each step."""
    each = history.n_evaluations // len(history.steps)
    return [each * (number + 1) for number in range(len(history.steps))]
