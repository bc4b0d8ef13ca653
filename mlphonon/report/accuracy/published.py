"""What others report on the same reference sets."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from mlphonon.evaluation.scores import Scores


class Published(BaseModel):
    """Values of one quantity on one reference set.

    Attributes
    ----------
    reference : str
        Name of the set.
    error : str
        Its name in a `Comparison`.
    head, source, note : str
        What it is called, with its unit; where it is from; how it differs from ours.
    values : dict of str to float
        Mean absolute errors by the names of the catalogue.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    error: str
    head: str
    source: str
    note: str
    values: dict[str, float]


def published_for(runs: Sequence[Scores]) -> str:
    """Return published values beside ours, in Markdown; nothing if none are known for this set.

    Of what no run measured there is no table.
    """
    name = runs[0].manifest.reference
    known = [one for one in published() if one.reference == name]
    tables = [
        _beside(one, runs) for one in known if any(len(run.values(one.error)) for run in runs)
    ]
    return "\n\n".join(["## Published", *tables]) if tables else ""


@cache
def published() -> tuple[Published, ...]:
    """Return all published values that ship with mlphonon."""
    text = files("mlphonon.report.accuracy").joinpath("published.toml").read_text(encoding="utf-8")
    return tuple(Published.model_validate(table) for table in tomllib.loads(text)["table"])


def _beside(known: Published, runs: Sequence[Scores]) -> str:
    here = {
        one.name: f"{one.mean(known.error, absolute=True).value:.3f} ({len(values)})"
        for one in runs
        if len(values := one.values(known.error))
    }
    lines = [f"| potential | {known.head}, published | here |", "| --- | --- | --- |"]
    lines += [f"| {name} | {v:.3f} | {here.get(name, '')} |" for name, v in known.values.items()]
    lines += [f"| {name} | | {ours} |" for name, ours in here.items() if name not in known.values]
    return (
        "\n".join(lines)
        + f"\n\nPublished: {known.source}. Here: in brackets the number of crystals. {known.note}"
    )
