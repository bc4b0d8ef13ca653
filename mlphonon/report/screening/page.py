"""A campaign as a page: one file that any browser opens and any printer prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from mlphonon.errors import ResultError
from mlphonon.io.atomic_files import write_whole
from mlphonon.phonons.record import package_versions
from mlphonon.report.elements import plot_by_element
from mlphonon.report.screening.failures import failure_list
from mlphonon.report.screening.histograms import (
    Distribution,
    distribution,
    heat_capacity_column,
    plot_histogram,
)
from mlphonon.report.screening.labels import label, words
from mlphonon.report.screening.markup import (
    captioned,
    document,
    folded,
    grid,
    paragraph,
    picture,
    scrolling,
    section,
    table,
)
from mlphonon.report.screening.means import means_by_element
from mlphonon.report.screening.style import CSS
from mlphonon.report.screening.top import top_list
from mlphonon.screening.ranking.table import Table


@dataclass(frozen=True)
class Summary:
    """What a page says of a campaign.

    Attributes
    ----------
    title : str
        What it was.
    status : sequence of str
        Lines that say what was computed, and how far.
    table : Table
        All results (see `mlphonon.screening.campaign.Campaign.results`).
    failures : sequence of mapping
        ``name``, ``cause``, ``message`` and ``last_words`` of each crystal that failed.
    ranked : Table, optional
        The crystals on top (see `mlphonon.screening.ranking.rank.rank`).
    by : str
        What they are ranked by.
    where : str, optional
        The condition that they fulfil.
    folders : mapping of str to Path
        Where phonons were kept, by the name of the crystal.
    heat : str
        The column or expression whose means colour the periodic table.
    """

    title: str
    status: Sequence[str]
    table: Table
    failures: Sequence[Mapping[str, Any]] = ()
    ranked: Table | None = None
    by: str = ""
    where: str | None = None
    folders: Mapping[str, Path] = field(default_factory=dict)
    heat: str = "debye_temperature"


def write_page(path: str | Path, summary: Summary) -> None:
    """Write the page; it appears whole or not at all.

    Parameters
    ----------
    path : str or Path
        Of the file, such as ``campaign.html``.
    summary : Summary
        What it says.

    Raises
    ------
    SettingsError
        If `heat` or `by` cannot be evaluated.
    ResultError
        If it cannot be written; what was at `path` is still there then.
    """
    parts = [
        _header(summary),
        _distributions(summary.table),
        _elements(summary.table, summary.heat),
        _ranking(summary),
        failure_list(summary.failures),
    ]
    page = document(summary.title, CSS, filter(None, parts))
    try:
        write_whole(Path(path), page)
    except OSError as error:
        raise ResultError(f"cannot write {path}", error.strerror or str(error)) from error


def _header(summary: Summary) -> str:
    now = datetime.now().astimezone()
    versions = ", ".join(f"{name} {number}" for name, number in package_versions().items())
    stable = int(np.sum(summary.table.columns["stable"].astype(bool)))
    counts = {
        "computed": len(summary.table),
        "stable": stable,
        "unstable": len(summary.table) - stable,
        "trusted": int(np.sum(summary.table.columns["verdict"] == "trusted")),
        "failed": len(summary.failures),
    }
    return "\n".join(
        [
            "<header>",
            f"<h1>{escape(summary.title)}</h1>",
            '<p class="quiet">Phonons of crystals, written on'
            f' <time datetime="{now:%Y-%m-%dT%H:%M%z}">{now:%Y-%m-%d %H:%M}</time></p>',
            '<dl class="counts">',
            *(f"<div><dt>{name}</dt><dd>{count}</dd></div>" for name, count in counts.items()),
            "</dl>",
            "<ul>",
            *(f"<li>{escape(line)}</li>" for line in summary.status),
            "</ul>",
            f'<p class="quiet">{escape(versions)}</p>',
            "</header>",
        ]
    )


def _distributions(results: Table) -> str:
    columns = [
        "max_frequency",
        heat_capacity_column(results) or "c_v",
        "debye_temperature",
        "min_frequency",
        "gap",
        "sound_velocity",
    ]
    found = {column: distribution(results, column) for column in columns}
    drawn = [column for column, one in found.items() if len(one.values)]
    left_out = [words(column) for column in columns if column not in drawn]
    return section(
        "Distributions",
        paragraph(
            "Crystals without a value are left out, and of the gap those that have none."
            " Imaginary frequencies are negative."
        ),
        grid(_histogram(results, column, found[column]) for column in drawn),
        paragraph(f"Left out, as no crystal has one: {', '.join(left_out)}.") if left_out else "",
    )


def _histogram(results: Table, column: str, shown: Distribution) -> str:
    figure = plot_histogram(
        shown,
        label(column, results),
        classical=column.startswith("c_v"),
        logarithmic=column == "min_frequency",
    )
    name, values = words(column), shown.values
    unit = results.units.get(column, "")
    text = (
        f"{len(values)} of {len(results)} crystals, from {values.min():.4g} to"
        f" {values.max():.4g} {unit}, median {np.median(values):.4g}"
    )
    caption = f"<b>{escape(name[:1].upper() + name[1:])}</b><br>{escape(text)}"
    return captioned(picture(figure, f"Histogram of the {name}: {text}"), caption)


def _elements(results: Table, quantity: str) -> str:
    name = label(quantity, results)
    title = f"Elements: {escape(name)}"
    means = means_by_element(results, quantity)
    if not means:
        return section(title, paragraph("Left out, as no crystal has a value."))
    figure = plot_by_element(
        {symbol: mean.value for symbol, mean in means.items()},
        {symbol: mean.count for symbol, mean in means.items()},
        name.replace("$", r"\$"),
        "mean",
    )
    ends = [pick(means, key=lambda symbol: means[symbol].value) for pick in (min, max)]
    low, high = (f"{means[symbol].value:.4g} ({symbol})" for symbol in ends)
    text = f"Periodic table coloured by the mean {name}: from {low} to {high}"
    rows = [(symbol, f"{mean.value:.4g}", str(mean.count)) for symbol, mean in means.items()]
    return section(
        title,
        paragraph("The mean over all crystals that contain an element, and how many these are."),
        scrolling(picture(figure, text), "Periodic table"),
        folded(
            "The same as a table",
            table("Means by element", ("element", name, "crystals"), rows, numbers=2),
        ),
    )


def _ranking(summary: Summary) -> str:
    if summary.ranked is None:
        return ""
    return top_list(summary.ranked, summary.by, summary.where, summary.folders)
