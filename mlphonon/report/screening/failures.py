"""Crystals that failed, by cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from mlphonon.report.screening.markup import folded, paragraph, section, table

MOST = 20
"""That are listed of each cause."""


def failure_list(failures: Sequence[Mapping[str, Any]]) -> str:
    """Return a section of the page: a table for each cause, the most frequent first.

    Parameters
    ----------
    failures : sequence of mapping
        ``name``, ``cause``, ``message`` and, where there are any, ``last_words`` of each crystal.
    """
    if not failures:
        return section("Failures", paragraph("No crystal failed."))
    by_cause: dict[str, list[Mapping[str, Any]]] = {}
    for one in failures:
        by_cause.setdefault(str(one["cause"]), []).append(one)
    parts = []
    for cause, group in sorted(by_cause.items(), key=lambda pair: -len(pair[1])):
        rows = [(escape(str(one["name"])), _message(one)) for one in group[:MOST]]
        parts.append(f"<h3>{escape(cause)}: {len(group)}</h3>")
        parts.append(table(f"Failures, {cause}", ("crystal", "message"), rows))
        if len(group) > MOST:
            parts.append(paragraph(f"And {len(group) - MOST} more."))
    return section("Failures", *parts)


def _message(failure: Mapping[str, Any]) -> str:
    message = escape(str(failure["message"] or ""))
    if not failure.get("last_words"):
        return message
    text = f"<pre>{escape(str(failure['last_words']))}</pre>"
    return message + folded("what the program text at the end", text)
