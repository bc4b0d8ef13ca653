"""Pieces of HTML. What is called text is escaped here; what is called html is HTML already."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from mlphonon.report.figures import figure_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIME = {"svg": "image/svg+xml", "png": "image/png"}
"""Of the formats that every browser shows."""

_PIXELS_PER_INCH = 96  # of CSS


def document(title: str, style: str, html: Iterable[str]) -> str:
    """Return a page that loads nothing and runs nothing, even if a piece of it should ask to."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            *html,
            "</body>",
            "</html>\n",
        ]
    )


def section(title_html: str, *html: str) -> str:
    """Return a part of the page under its own heading."""
    return "\n".join(["<section>", f"<h2>{title_html}</h2>", *filter(None, html), "</section>"])


def paragraph(text: str) -> str:
    """Return a paragraph."""
    return f"<p>{escape(text)}</p>"


def formula(text: str) -> str:
    """Return a chemical formula with its numbers lowered."""
    pieces = re.split(r"(\d+)", text)
    return "".join(f"<sub>{one}</sub>" if one.isdigit() else escape(one) for one in pieces)


def picture(figure: Figure, text: str, kind: str = "svg") -> str:
    """Return an image that holds a figure; `text` is for those who cannot see it."""
    width, height = (round(_PIXELS_PER_INCH * inches) for inches in figure.get_size_inches())
    data = base64.b64encode(figure_bytes(figure, kind)).decode()
    return (
        f'<img src="data:{MIME[kind]};base64,{data}" alt="{escape(text)}"'
        f' width="{width}" height="{height}">'
    )


def captioned(html: str, caption_html: str) -> str:
    """Return an image or the like over its caption."""
    return f"<figure>{html}<figcaption>{caption_html}</figcaption></figure>"


def grid(html: Iterable[str]) -> str:
    """Return pieces side by side, as many in a row as there is room for."""
    return "\n".join(['<div class="grid">', *html, "</div>"])


def scrolling(html: str, text: str) -> str:
    """Return what may be wider than the screen in a frame of its own; `text` names it."""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(text)}">{html}</div>'
    )


def table(
    text: str, heads: Sequence[str], rows_html: Iterable[Sequence[str]], numbers: int = 0
) -> str:
    """Return a table.

    Parameters
    ----------
    text : str
        What it is a table of.
    heads : sequence of str
        Texts above the columns.
    rows_html : iterable of sequence of str
        Cells; the first of each row is its head.
    numbers : int
        How many columns hold numbers, the last ones.
    """
    words = len(heads) - numbers
    kinds = [""] * words + [' class="number"'] * numbers
    top = "".join(
        f'<th scope="col"{kind}>{escape(head)}</th>'
        for head, kind in zip(heads, kinds, strict=True)
    )
    body = [
        f'<tr><th scope="row">{head}</th>'
        + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(cells, kinds[1:], strict=True))
        + "</tr>"
        for head, *cells in rows_html
    ]
    lines = [f"<table><thead><tr>{top}</tr></thead>", "<tbody>", *body, "</tbody></table>"]
    return scrolling("\n".join(lines), text)


def folded(text: str, html: str) -> str:
    """Return what is seen once its line is opened."""
    return f"<details><summary>{escape(text)}</summary>{html}</details>"
