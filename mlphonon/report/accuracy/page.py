"""A comparison with DFT as a page: tables in Markdown, figures in a folder beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.errors import ResultError
from mlphonon.evaluation.scores import Scores
from mlphonon.io.atomic_files import write_whole
from mlphonon.report.accuracy.frequencies import (
    RATIO_ABOVE,
    ModePairs,
    plot_cumulative_errors,
    plot_parity,
    plot_ratios,
)
from mlphonon.report.accuracy.worst import WorstCase, plot_worst
from mlphonon.report.elements import plot_by_element
from mlphonon.report.figures import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARK = "<!-- below: written by mlphonon benchmark compare -->"

QUANTITIES = {
    "mae_THz": "mean absolute error of frequencies (THz)",
    "spectrum_THz": "distance between spectra (THz)",
    "heat_capacity": "error of $C_V$ (J/K per mole of atoms)",
}


def write_comparison(runs: Sequence[Scores], tables: str, path: Path) -> None:
    """Write the page, and its figures into a folder of the same name.

    What stands in the file above the line that marks the tables, such as how they came about,
    is kept.

    Parameters
    ----------
    runs : sequence of Scores
        Of one reference set under one protocol.
    tables : str
        See `mlphonon.report.accuracy.tables.compare`.
    path : Path
        Of the page.

    Raises
    ------
    ResultError
        If it cannot be written.
    """
    try:
        before = path.read_text(encoding="utf-8") if path.is_file() else f"{MARK}\n"
        if MARK not in before:
            raise ResultError(
                f"{path} exists and was not written by 'benchmark compare'",
                f"it holds no line {MARK}",
                "choose another name, or put that line where the tables are to begin",
            )
        folder = path.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        parts = [before.partition(MARK)[0] + MARK, tables.rstrip()]
        for name, caption, figure in _figures(runs):
            written = save_figure(figure, folder / f"{name}.png")
            parts.append(f"![{caption}]({folder.name}/{written.name})\n\n{caption}.")
        write_whole(path, "\n\n".join(parts) + "\n")
    except OSError as error:
        raise ResultError(f"cannot write {path}", error.strerror or str(error)) from error


def _figures(runs: Sequence[Scores]) -> Iterator[tuple[str, str, Figure]]:
    """Name, caption and figure of all that the results allow."""
    ranked = next((one.ranked_by for one in runs if one.ranked_by), None)
    if ranked is None:
        return
    quantity = QUANTITIES[ranked]
    errors = {one.name: np.abs(one.values(ranked)) for one in runs}
    yield (
        "errors",
        "Share of crystals with a smaller error",
        plot_cumulative_errors({k: v for k, v in errors.items() if len(v)}, quantity),
    )
    pairs = {one.name: found for one in runs if (found := mode_pairs(one)) is not None}
    if pairs:
        caption = "Frequencies of potentials against DFT, mode by mode"
        yield "parity", caption, plot_parity(pairs)
    # Elements heavy and soft enough to have no mode there show no ratio.
    if shown := {name: one for name, one in pairs.items() if (one.dft > RATIO_ABOVE).any()}:
        caption = f"Ratio of frequencies to DFT's, of modes above {RATIO_ABOVE:g} THz"
        yield "ratios", caption, plot_ratios(shown)
    for one in runs:
        if not one.computed():
            continue
        by_element = one.by_element(ranked)
        yield (
            f"elements-{one.name}",
            f"{one.name}: mean error of the crystals with each element",
            plot_by_element(
                {symbol: error for symbol, (error, _) in by_element.items()},
                {symbol: count for symbol, (_, count) in by_element.items()},
                quantity,
                "error",
            ),
        )
        if worst := worst_cases(one):
            yield (
                f"worst-{one.name}",
                f"{one.name}: the worst crystals beside DFT",
                plot_worst(worst),
            )


def mode_pairs(scores: Scores) -> ModePairs | None:
    """Return frequencies of all modes of all crystals, of DFT and of a potential.

    Each crystal counts alike; None where DFT gave no frequencies on a mesh.
    """
    found = [
        curves
        for score, _ in scores.computed()
        if (curves := scores.curves(score.key)) is not None
        and curves.ours.frequencies.shape == curves.dft.frequencies.shape
        and not curves.dft.is_density
    ]
    if not found:
        return None
    return ModePairs(
        dft=np.concatenate([one.dft.frequencies.ravel() for one in found]),
        ours=np.concatenate([one.ours.frequencies.ravel() for one in found]),
        weights=np.concatenate([one.dft.mode_weights.ravel() for one in found]),
    )


def worst_cases(scores: Scores) -> list[WorstCase]:
    """Return the worst crystals of a potential with their dispersions."""
    return [
        WorstCase(score.key.replace("_", " "), curves.bands, curves.points, error)
        for score, error in scores.worst()
        if (curves := scores.curves(score.key)) is not None
    ]
