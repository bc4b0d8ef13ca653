"""What others report on the same reference sets."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from mlphonon.evaluation.scores import Scores


def published_for(runs: Sequence[Scores]) -> str:
    """Return published values beside ours, in Markdown; nothing if none are known for this set."""
    entry = _published().get(runs[0].manifest.reference)
    if entry is None:
        return ""
    ours = {one.name: one.mean(entry["ours"], absolute=True).value for one in runs}
    lines = [f"| potential | {entry['head']} | here |", "| --- | --- | --- |"]
    for name, value in entry["values"].items():
        here = f"{ours[name]:.3f} ({len(_scores(runs, name))})" if name in ours else ""
        lines.append(f"| {name} | {value:.3f} | {here} |")
    table = "\n".join(lines)
    return (
        f"## Published\n\n{table}\n\nSource: {entry['source']}. Here: over all crystals that this"
        f" potential has numbers for, how many in brackets. {entry['note']}"
    )


def _scores(runs: Sequence[Scores], name: str) -> list[object]:
    return [pair for one in runs if one.name == name for pair in one.computed()]


@cache
def _published() -> dict[str, Any]:
    text = files("mlphonon.report.accuracy").joinpath("published.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
