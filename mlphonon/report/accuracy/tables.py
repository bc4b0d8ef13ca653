"""Scores of several potentials as tables in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mlphonon.evaluation.metrics.stability import RULES
from mlphonon.evaluation.record import Structure
from mlphonon.evaluation.scores import Scores
from mlphonon.report.accuracy.published import published_for


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    error : str
        Its name in a `Comparison`.
    head : str
        What stands above it, with the unit.
    meaning : str
        What it is, in words.
    kind : {"absolute", "signed", "plain"}
        Mean of the absolute error, of the signed error, or of what is no error but a ratio.
    digits : int
        After the point.
    structure : {"relaxed", "dft"}, optional
        The first of the protocol unless given.
    interval : bool
        Whether its bootstrap interval is shown.
    """

    error: str
    head: str
    meaning: str
    kind: Literal["absolute", "signed", "plain"] = "absolute"
    digits: int = 3
    structure: Structure | None = None
    interval: bool = False

    def cell(self, scores: Scores) -> str:
        """Return what stands in it for one potential; nothing if no crystal has it."""
        mean = scores.mean(self.error, self.structure, absolute=self.kind == "absolute")
        if math.isnan(mean.value):
            return ""
        form = f"{'+' if self.kind == 'signed' else ''}.{self.digits}f"
        text = f"{mean.value:{form}}"
        return f"{text} [{mean.low:{form}}, {mean.high:{form}}]" if self.interval else text


FREQUENCIES = (
    Column("mae_THz", "MAE (THz)", "mean absolute error over the mesh", interval=True),
    Column("mae_THz", "at DFT's structure", "the same without relaxing", structure="dft"),
    Column(
        "mae_by_eigenvector_THz",
        "by eigenvector",
        "the same, bands paired by eigenvectors instead of by order",
    ),
    Column("rmse_THz", "RMSE (THz)", "root mean square over the mesh"),
    Column("bias_THz", "bias (THz)", "mean signed error", "signed"),
    Column("slope", "slope", "of frequencies against DFT's; below one is soft", "plain"),
    Column("highest_THz", "highest (THz)", "absolute error of the highest frequency"),
    Column("highest_K", "highest (K)", "the same in K", digits=1),
    Column("highest_ratio", "ratio", "highest frequency over DFT's", "plain"),
    Column("lowest_THz", "lowest (THz)", "absolute error of the lowest frequency"),
)
DENSITIES = (
    Column(
        "spectrum_THz",
        "spectrum (THz)",
        "earth mover's distance between all frequencies",
        interval=True,
    ),
    Column("spectrum_per_cm", "spectrum (1/cm)", "the same in 1/cm", digits=1),
    Column(
        "density",
        "DOS",
        "mean absolute error on bins of 20 1/cm from -300 to 1000, the highest bin set to one",
    ),
    Column("entropy", "S (J/K/mol)", "absolute error per mole of atoms", digits=2),
    Column("free_energy", "F (kJ/mol)", "per mole of atoms", digits=2),
    Column("heat_capacity", "C_V (J/K/mol)", "per mole of atoms", digits=2, interval=True),
    Column("entropy_per_cell", "S of cell", "per mole of cells, as MDR reports it", digits=2),
    Column("free_energy_per_cell", "F of cell", "per mole of cells", digits=2),
    Column("heat_capacity_per_cell", "C_V of cell", "per mole of cells", digits=2),
    Column("volume_percent", "volume (%)", "mean change on relaxation", "signed", digits=1),
)
LONG_WAVES = (
    Column("velocity_percent", "sound (%)", "absolute error of Debye's mean sound velocity"),
    Column("bulk_modulus_GPa", "B (GPa)", "absolute error of the bulk modulus", digits=1),
    Column("shear_modulus_GPa", "G (GPa)", "absolute error of the shear modulus", digits=1),
    Column("kappa_sre", "kappa SRE", "symmetric relative error of kappa"),
    Column("kappa_srme", "kappa SRME", "the same mode by mode; failures count 2", interval=True),
    Column("kappa_ratio", "kappa ratio", "heat conductivity over DFT's", "plain"),
)
STABILITY = ("rule", "stable, rightly", "wrongly", "unstable, wrongly", "rightly")


SHARED = ("mae_THz", "bias_THz", "slope", "spectrum_THz", "heat_capacity")
"""What is shown again over the crystals that all potentials have numbers for."""


def compare(runs: Sequence[Scores]) -> str:
    """Return tables in Markdown, what they mean, the worst crystals and the failures.

    Means are over all crystals that a potential has numbers for; where these differ between
    potentials, the most important ones are shown again over those that all have.

    Parameters
    ----------
    runs : sequence of Scores
        Of one reference set under one protocol (`mlphonon.evaluation.scores.read_together`).
    """
    parts = [_counts(runs)]
    for title, columns in (
        ("Frequencies", FREQUENCIES),
        ("Distributions and thermal properties", DENSITIES),
        ("Long waves and heat conductivity", LONG_WAVES),
    ):
        parts.append(_table(title, runs, columns))
    parts += [_shared(runs), _stability(runs), _worst(runs), _failures(runs)]
    parts += [published_for(runs), _pins(runs)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _with_numbers(one: Scores) -> frozenset[str]:
    return frozenset(score.key for score, _ in one.computed())


def _counts(runs: Sequence[Scores]) -> str:
    rows = []
    for one in runs:
        done = len(one.computed())
        failed = len({key for key, _, _ in one.failures()})
        rows.append((one.name, str(len(one.crystals)), str(done), str(failed)))
    head = ("potential", "crystals", "with numbers", "failed")
    return (
        f"{_markdown(head, rows)}\n\nMeans below are over the crystals that a potential has numbers"
        " for; in brackets the 95 % bootstrap interval of the mean. Errors are the potential's"
        " values minus DFT's."
    )


def _shared(runs: Sequence[Scores]) -> str:
    """Return a short table over the crystals that all have; nothing if that says nothing new."""
    each = [_with_numbers(one) for one in runs]
    shared = frozenset.intersection(*each)
    if not shared or all(keys == shared for keys in each):
        return ""
    columns = [
        column
        for column in (*FREQUENCIES, *DENSITIES)
        if column.error in SHARED and column.structure is None
    ]
    title = f"Over the {len(shared)} crystals that all have"
    return _table(title, [one.only(shared) for one in runs], columns)


def _table(title: str, runs: Sequence[Scores], columns: Sequence[Column]) -> str:
    """Return one table with the columns that anything is known of; nothing if there are none."""
    shown = [(c, cells) for c in columns if any(cells := [c.cell(one) for one in runs])]
    if not shown:
        return ""
    rows = [(one.name, *(cells[i] for _, cells in shown)) for i, one in enumerate(runs)]
    meanings = "; ".join(f"{column.head}: {column.meaning}" for column, _ in shown)
    table = _markdown(("potential", *(column.head for column, _ in shown)), rows)
    return f"## {title}\n\n{table}\n\n{meanings}."


def _stability(runs: Sequence[Scores]) -> str:
    rows = []
    for one in runs:
        for rule, meaning in RULES.items():
            found = one.confusion(rule)
            counts = (
                found.stable_stable,
                found.stable_unstable,
                found.unstable_stable,
                found.unstable_unstable,
            )
            if sum(counts):
                shares = (found.precision, found.recall, found.f1)
                texts = ["" if math.isnan(share) else f"{share:.2f}" for share in shares]
                rows.append((one.name, meaning, *map(str, counts), *texts))
    if not rows:
        return ""
    head = ("potential", *STABILITY, "precision", "recall", "F1")
    note = "Called stable or unstable by the potential, rightly or wrongly by DFT, by three rules."
    return f"## Stability\n\n{_markdown(head, rows)}\n\n{note}"


def _worst(runs: Sequence[Scores]) -> str:
    lines = [
        f"- {one.name}: " + ", ".join(f"{s.key} ({error:.2f})" for s, error in one.worst())
        for one in runs
        if one.worst()
    ]
    if not lines:
        return ""
    heads = {c.error: c.head for c in (*DENSITIES, *FREQUENCIES) if c.structure is None}
    ranked = next(heads[one.ranked_by] for one in runs if one.ranked_by)
    return f"## Worst crystals, by {ranked}\n\n" + "\n".join(lines)


def _failures(runs: Sequence[Scores]) -> str:
    lines = [
        f"- {one.name}, {key}, {'relaxed' if structure == 'relaxed' else 'as DFT has it'}: {why}"
        for one in runs
        for key, structure, why in one.failures()
    ]
    return "## Failures\n\n" + "\n".join(lines) if lines else ""


def _pins(runs: Sequence[Scores]) -> str:
    first = runs[0].manifest
    protocol = ", ".join(
        f"{key} {' and '.join(value) if isinstance(value, tuple) else value}"
        for key, value in first.protocol.model_dump().items()
    )
    files = ", ".join(f"{name} {digest[:12]}" for name, digest in first.reference_files.items())
    if len(first.reference_files) > 5:
        files = f"{len(first.reference_files)} files"
    versions = ", ".join(f"{name} {text}" for name, text in first.versions.items())
    runs_of = ", ".join(
        f"{one.name} ({one.manifest.potential['dtype']}, {one.manifest.digest()[:12]})"
        for one in runs
    )
    return (
        "## What it is pinned to\n\n"
        f"- reference: {first.reference} ({files})\n"
        f"- protocol {first.protocol.digest()[:12]}: {protocol}\n"
        f"- code {first.code[:12]}; {versions}\n"
        f"- potentials, with the digest of each manifest: {runs_of}"
    )


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
