"""Scores of several potentials as one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlphonon.errors import ResultError
from mlphonon.evaluation.metrics import Confusion, bootstrap_interval
from mlphonon.evaluation.runner import Manifest, read_manifest, read_scores
from mlphonon.evaluation.scores import CrystalScore

HEAD = (
    "potential",
    "crystals",
    "failed",
    "MAE (THz)",
    "bias (THz)",
    "slope",
    "highest (K)",
    "spectrum (THz)",
    "S (J/K/mol)",
    "F (kJ/mol)",
    "C_V (J/K/mol)",
    "F1 stable",
    "volume",
)


@dataclass(frozen=True)
class Run:
    """The results of one potential on one reference set."""

    manifest: Manifest
    scores: list[CrystalScore]

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Read a folder of results."""
        return cls(read_manifest(folder), read_scores(folder))

    @property
    def computed(self) -> list[CrystalScore]:
        """Those with numbers."""
        return [score for score in self.scores if score.failure is None]

    def values(self, name: str) -> np.ndarray:
        """Return one error of every crystal that has numbers, shape (n,)."""
        return np.array([score.errors[name] for score in self.computed])

    def row(self) -> tuple[str, ...]:
        """Return the cells of one line of the table (see `describe_columns`)."""
        if not self.computed:
            name = str(self.manifest.potential["name"])
            return (name, "0", str(len(self.scores)), *("" for _ in HEAD[3:]))
        low, high = bootstrap_interval(self.values("mae_THz"))
        stable = Confusion.count(
            [score.stable["threshold"] for score in self.computed],
            [score.stable_dft["threshold"] for score in self.computed],
        )
        volumes = [score.volume_change or 0.0 for score in self.computed]
        return (
            str(self.manifest.potential["name"]),
            str(len(self.computed)),
            str(len(self.scores) - len(self.computed)),
            f"{self.values('mae_THz').mean():.3f} [{low:.3f}, {high:.3f}]",
            f"{self.values('bias_THz').mean():+.3f}",
            f"{self.values('slope').mean():.3f}",
            f"{np.abs(self.values('max_K')).mean():.1f}",
            f"{self.values('wasserstein_THz').mean():.3f}",
            *(
                f"{np.abs(self.values(name)).mean():.2f}"
                for name in ("entropy", "free_energy", "heat_capacity")
            ),
            f"{stable.f1:.2f}",
            f"{100 * float(np.mean(volumes)):+.1f} %",
        )

    def worst(self, count: int = 5) -> list[str]:
        """Return the crystals with the largest mean errors, and these."""
        ranked = sorted(self.computed, key=lambda score: -score.errors["mae_THz"])[:count]
        return [f"{score.key} ({score.errors['mae_THz']:.2f} THz)" for score in ranked]


def describe_columns() -> str:
    """Say what each column of the table is."""
    return (
        "MAE, bias and slope of frequencies over the mesh, bands in order, with the 95 % bootstrap"
        " interval of the mean; highest: mean absolute error of the highest frequency; spectrum:"
        " earth mover's distance of all frequencies; S, F, C_V: mean absolute errors at the"
        " protocol's temperature per mole of atoms; F1 stable: of the verdict 'no mode below"
        " -0.05 THz'; volume: mean change on relaxation. Means are over the crystals that did not"
        " fail."
    )


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Return results that belong into one table: of one reference set, under one protocol.

    Raises
    ------
    ResultError
        If they are of different sets or protocols.
    """
    runs = [Run.read(folder) for folder in folders]
    first = runs[0].manifest
    for folder, one in zip(folders, runs, strict=True):
        for name in ("reference", "reference_files", "protocol"):
            if getattr(one.manifest, name) != getattr(first, name):
                raise ResultError(
                    f"{folder} does not belong into one table with {folders[0]}",
                    f"{name.replace('_', ' ')} differs",
                    "compare results of one set under one protocol",
                )
    return runs


def compare(runs: Sequence[Run]) -> str:
    """Return a table in Markdown, what its columns mean, the worst crystals and the failures."""
    first = runs[0].manifest
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    lines += ["| " + " | ".join(one.row()) + " |" for one in runs]
    lines += ["", describe_columns(), ""]
    for one in runs:
        name = one.manifest.potential["name"]
        if one.computed:
            lines.append(f"- {name}, worst: {', '.join(one.worst())}.")
        lines += [f"- {name}, failed: {s.key}: {s.failure}" for s in one.scores if s.failure]
    protocol = ", ".join(f"{key} {value}" for key, value in first.protocol.model_dump().items())
    lines += [
        "",
        f"Reference {first.reference}; protocol {first.protocol.digest()[:12]}: {protocol}.",
    ]
    return "\n".join(lines) + "\n"
