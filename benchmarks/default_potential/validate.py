"""A potential on validation formulas of phonondb-2018: at DFT's structure, and relaxed.

    python benchmarks/default_potential/validate.py embedded --data DIR --count 60 -o results
    python benchmarks/default_potential/validate.py RUN --data DIR --count 60 --relax -o results

DIR holds ``phonondb-2018`` and ``distill``. Of the formulas that `is_validation` names, those are
taken that the first lesson's frames do not hold either, in an order decided by the archives'
names. Records are kept, so the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from ase.formula import Formula

from mlphonon.evaluation.against_dft import evaluate
from mlphonon.evaluation.protocol import Protocol
from mlphonon.evaluation.references.phonondb_2018 import PHONONDB_2018, crystals_of
from mlphonon.evaluation.references.reference import ReferenceFile, ReferenceSet
from mlphonon.potentials.loading import load_potential
from mlphonon.training.curvature.split import is_validation

MOST_SUPERCELL = 150
"""Atoms; larger ones would take most of the time."""

FIRST_LESSON = "nequix-oam-1-pft.extxyz.gz"


def canonical(symbols: str) -> str:
    return Formula(symbols).reduce()[0].format("hill")


def first_lesson(path: Path) -> set[str]:
    """Return the formulas of a file of frames, in Hill's order, from its lines alone."""
    found = set()
    lines = iter(gzip.decompress(path.read_bytes()).decode().splitlines())
    for line in lines:
        count = int(line)
        next(lines)
        found.add(canonical("".join(next(lines).split(maxsplit=1)[0] for _ in range(count))))
    return found


def chosen(data: Path, count: int) -> list[str]:
    """Return the archives of the crystals that are taken."""
    from mlphonon.crystal.crystal import reduced_formula

    root = data / "phonondb-2018"
    taught = first_lesson(data / "distill" / FIRST_LESSON)
    found = []
    for entry in json.loads((root / "index.json").read_text()):
        plain = re.sub(r"\s", "", entry["formula"])
        atoms = Formula(plain)
        own = reduced_formula(_atoms(atoms))
        held = is_validation(own) and canonical(plain) not in taught
        if held and entry["n_super"] <= MOST_SUPERCELL:
            found.append(entry["path"])
    found.sort(key=lambda path: hashlib.sha256(path.encode()).digest())
    return found[:count]


def _atoms(formula: Formula):
    from ase import Atoms

    return Atoms(formula.reduce()[0].format("metal"))


def validation_set(data: Path, count: int) -> ReferenceSet:
    paths = chosen(data, count)
    return replace(
        PHONONDB_2018,
        name=f"phonondb-2018-validation-{count}",
        files=tuple(ReferenceFile(f"phonondb-2018/{path}") for path in paths),
        patterns=(),
        read=partial(_read, paths),
    )


def _read(paths: list[str], folder: Path):
    return crystals_of([folder / "phonondb-2018" / path for path in paths], folder)


def table(scores, structure: str) -> str:
    """Return a line of numbers at one structure."""
    found = [(s, s.at(structure)) for s in scores if s.at(structure) is not None]
    good = [(s, c) for s, c in found if c.failure is None]
    errors = {name: np.array([c.errors[name] for _, c in good]) for name in NUMBERS}
    mae = errors["mae_THz"]
    wrong = np.abs(errors["volume_percent"]) > 15
    dft = np.array([not s.stable_dft["share"] for s, _ in good])
    ours = np.array([not c.stable["share"] for _, c in good])
    f1 = 2 * (dft & ours).sum() / max(1, dft.sum() + ours.sum())
    return (
        f"{structure:8s} {len(good)} of {len(found)}: MAE {mae.mean():.3f} mean"
        f" {np.median(mae):.3f} median, spectrum {errors['spectrum_THz'].mean():.3f} THz,"
        f" slope {errors['slope'].mean():.3f} (median {np.median(errors['slope']):.3f}),"
        f" volume off by > 15 %: {wrong.sum()}, unstable {dft.sum()} (DFT) {ours.sum()} (potential)"
        f" F1 {f1:.2f}"
    )


NUMBERS = ("mae_THz", "spectrum_THz", "slope", "volume_percent")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("potential")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--relax", action="store_true")
    parser.add_argument("--phonondb103", action="store_true", help="phonondb-103 instead")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    structures = ("relaxed", "dft") if options.relax else ("dft",)
    potential = load_potential(options.potential, device="cpu")
    reference = (
        "phonondb-103" if options.phonondb103 else validation_set(options.data, options.count)
    )
    scores = evaluate(
        potential,
        reference,
        data=options.data,
        protocol=Protocol(structures=structures),
        folder=options.output,
        limit=options.count if options.phonondb103 else None,
    ).crystals
    for structure in structures:
        print(table(scores, structure))


if __name__ == "__main__":
    main()
