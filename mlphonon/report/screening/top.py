"""The crystals on top of a ranking: a table, and what their phonons look like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from mlphonon.errors import ResultError
from mlphonon.phonons.phonons import Phonons
from mlphonon.report.screening.labels import label
from mlphonon.report.screening.markup import (
    captioned,
    formula,
    grid,
    paragraph,
    picture,
    section,
    table,
)
from mlphonon.report.screening.thumbnails import plot_thumbnail
from mlphonon.screening.ranking.expressions import column_of
from mlphonon.screening.ranking.rank import format_rows
from mlphonon.screening.ranking.table import Table

MOST_THUMBNAILS = 20
"""Each makes the page larger by about 60 kB."""

WORDS = ("spacegroup", "stable", "verdict")
NUMBERS = ("max_frequency", "numerical_error")
"""Beside what crystals are ranked by: what they are, how high their phonons go, and how far to
believe them."""


def top_list(ranked: Table, by: str, where: str | None, folders: Mapping[str, Path]) -> str:
    """Return a section of the page.

    Parameters
    ----------
    ranked : Table
        See `mlphonon.screening.ranking.rank.rank`.
    by : str
        What they are ranked by.
    where : str, optional
        The condition that they fulfil.
    folders : mapping of str to Path
        Where phonons were kept, by the name of the crystal.

    Raises
    ------
    SettingsError
        If `by` cannot be evaluated.
    """
    title = f"Ranked by <code>{escape(by)}</code>"
    if where is not None:
        title += f" where <code>{escape(where)}</code>"
    if not len(ranked):
        return section(title, paragraph("No crystal qualifies."))
    crystals = [_crystal(*cells) for cells in format_rows(ranked, ("rank", "formula", "name"))]
    value = column_of(by, ranked) or by
    numbers = [value, *(name for name in NUMBERS if name in ranked.columns and name != value)]
    columns = [*(name for name in WORDS if name in ranked.columns), *numbers]
    rows = [
        (crystal, *map(escape, cells))
        for crystal, cells in zip(crystals, format_rows(ranked, columns), strict=True)
    ]
    heads = ["crystal", *(label(column, ranked) for column in columns)]
    return section(
        title,
        table("Ranking", heads, rows, len(numbers)),
        *_pictures(list(zip(ranked.columns["name"], crystals, strict=True)), folders),
    )


def _crystal(rank: str, composition: str, name: str) -> str:
    return f"{escape(rank)}. {formula(composition)} <small>{escape(name)}</small>"


def _pictures(
    crystals_html: Sequence[tuple[str, str]], folders: Mapping[str, Path]
) -> Iterator[str]:
    """Yield small dispersions of crystals (names and HTML), and a line for each that has none."""
    drawn, missing = [], []
    for name, html in crystals_html[:MOST_THUMBNAILS]:
        try:
            drawn.append(captioned(_thumbnail(name, folders), html))
        except ResultError as error:
            missing.append(f"<li>{html}: {escape(str(error))}</li>")
    if drawn:
        yield "<h3>Dispersion and density of states</h3>"
        yield grid(drawn)
    if missing:
        yield "<h3>Not drawn</h3>"
        yield "\n".join(["<ul>", *missing, "</ul>"])
    if len(crystals_html) > MOST_THUMBNAILS:
        yield paragraph(f"Only the first {MOST_THUMBNAILS} are drawn.")


def _thumbnail(name: str, folders: Mapping[str, Path]) -> str:
    if name not in folders:
        raise ResultError("its phonons were not kept")
    phonons = Phonons.load(folders[name])
    figure = plot_thumbnail(phonons.bands(), phonons.dos())
    text = f"Dispersion and density of states of {phonons.record.formula}, {name}"
    return picture(figure, text, "png")
