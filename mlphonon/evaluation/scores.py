"""The scores of one potential on one reference set, and what is said of all crystals together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlphonon.errors import ResultError
from mlphonon.evaluation.manifest import Manifest, read_manifest
from mlphonon.evaluation.metrics.bootstrap import bootstrap_interval
from mlphonon.evaluation.metrics.conductivity import WORST
from mlphonon.evaluation.metrics.stability import Confusion, StabilityRule
from mlphonon.evaluation.record import (
    Comparison,
    CrystalScore,
    Curves,
    Structure,
    read_curves,
    read_record,
)
from mlphonon.evaluation.runner import CRYSTALS

COUNTED = ("kappa_sre", "kappa_srme")
"""Errors in which crystals that failed count `WORST`."""

RANKED_BY = ("mae_THz", "spectrum_THz", "heat_capacity")
"""What crystals are ranked by: the first of these that the reference allows."""


@dataclass(frozen=True)
class MeanError:
    """A mean over crystals.

    Attributes
    ----------
    value : float
        The mean; NaN over none.
    low, high : float
        Its 95 % bootstrap interval.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Scores:
    """The results of one potential on one reference set.

    Attributes
    ----------
    manifest : Manifest
        What they are pinned to.
    crystals : tuple of CrystalScore
        One for each crystal, those that failed among them.
    folder : Path, optional
        Where the records are kept; None if they are not.
    """

    manifest: Manifest
    crystals: tuple[CrystalScore, ...]
    folder: Path | None = None

    @classmethod
    def read(cls, folder: str | Path) -> Scores:
        """Read a folder of results.

        Raises
        ------
        ResultError
            If it holds none, or they cannot be read.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        paths = sorted((folder / CRYSTALS).glob("*.json"))
        return cls(manifest, tuple(read_record(path) for path in paths), folder)

    @property
    def name(self) -> str:
        """The potential's."""
        return str(self.manifest.potential["name"])

    @property
    def structures(self) -> tuple[Structure, ...]:
        """Where phonons were compared; the first is what is meant where nothing is said."""
        return self.manifest.protocol.structures

    @property
    def keys(self) -> frozenset[str]:
        """Of all crystals."""
        return frozenset(score.key for score in self.crystals)

    def only(self, keys: frozenset[str]) -> Scores:
        """Return the scores of some crystals."""
        return replace(self, crystals=tuple(s for s in self.crystals if s.key in keys))

    def computed(self, structure: Structure | None = None) -> list[tuple[CrystalScore, Comparison]]:
        """Return the crystals that have numbers at a structure, and these."""
        at = [(score, score.at(structure or self.structures[0])) for score in self.crystals]
        return [(score, one) for score, one in at if one is not None and one.failure is None]

    def failures(self) -> list[tuple[str, Structure, str]]:
        """Return key, structure and reason of all that have no numbers."""
        return [
            (score.key, structure, one.failure)
            for score in self.crystals
            for structure in self.structures
            if (one := score.at(structure)) is not None and one.failure is not None
        ]

    def values(self, name: str, structure: Structure | None = None) -> np.ndarray:
        """Return one error (potential minus DFT) of every crystal that has it, shape (n,)."""
        found = [one.errors[name] for _, one in self.computed(structure) if name in one.errors]
        if name in COUNTED and found:
            at = structure or self.structures[0]
            found += [WORST for _, where, _ in self.failures() if where == at]
        return np.array(found)

    def mean(self, name: str, structure: Structure | None = None, *, absolute: bool) -> MeanError:
        """Return the mean error over the crystals, or that of its absolute value."""
        values = self.values(name, structure)
        values = np.abs(values) if absolute else values
        if not len(values):
            return MeanError(np.nan, np.nan, np.nan)
        return MeanError(float(values.mean()), *bootstrap_interval(values))

    def confusion(self, rule: StabilityRule, structure: Structure | None = None) -> Confusion:
        """Return how often the verdict on stability is DFT's; failed crystals are left out."""
        both = [
            (one.stable[rule], score.stable_dft[rule])
            for score, one in self.computed(structure)
            if rule in one.stable and rule in score.stable_dft
        ]
        return Confusion.count([ours for ours, _ in both], [dft for _, dft in both])

    @property
    def ranked_by(self) -> str | None:
        """What crystals are ranked by; None if there is nothing to rank."""
        return next((name for name in RANKED_BY if len(self.values(name))), None)

    def worst(self, count: int = 5) -> list[tuple[CrystalScore, float]]:
        """Return the crystals with the largest errors, and these (see `ranked_by`)."""
        name = self.ranked_by
        found = [
            (score, abs(one.errors[name]))
            for score, one in self.computed()
            if name is not None and name in one.errors
        ]
        return sorted(found, key=lambda pair: -pair[1])[:count]

    def by_element(self, name: str) -> dict[str, tuple[float, int]]:
        """Return, of each element, the mean absolute error of its crystals and their number."""
        found: dict[str, list[float]] = defaultdict(list)
        for score, one in self.computed():
            for element in score.elements if name in one.errors else ():
                found[element].append(abs(one.errors[name]))
        return {element: (float(np.mean(v)), len(v)) for element, v in found.items()}

    def curves(self, key: str) -> Curves | None:
        """Return the curves of one crystal; None if they were not kept."""
        return None if self.folder is None else read_curves(self.folder / CRYSTALS / f"{key}.npz")


def read_together(folders: Sequence[str | Path]) -> list[Scores]:
    """Return results that belong into one table.

    Raises
    ------
    ResultError
        If they are of different data, protocols or code, or two are of one potential.
    """
    found = [Scores.read(folder) for folder in folders]
    first = found[0].manifest
    for folder, one in zip(folders, found, strict=True):
        for name in ("reference", "reference_files", "protocol", "code"):
            if getattr(one.manifest, name) != getattr(first, name):
                raise ResultError(
                    f"{folder} does not belong into one table with {folders[0]}",
                    f"{name.replace('_', ' ')} differs",
                    "compare results of one set under one protocol and one version of mlphonon",
                )
    names = [one.name for one in found]
    if len(set(names)) != len(names):
        raise ResultError(
            "two of these folders are of one potential",
            f"potentials: {', '.join(names)}",
            "give each potential once",
        )
    return found
