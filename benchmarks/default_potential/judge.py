"""Frequencies at DFT's structure of all validation crystals, in folded supercells.

    python benchmarks/default_potential/judge.py FOLDER --constants FOLDER --first FILE -o FILE.json

FOLDER holds a potential's weights; FILE is the first lesson's frames, whose formulas are counted by
themselves: a potential that began there knows them by its teacher.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
from validate import canonical, first_lesson

from mlphonon.potentials.mace.architecture import MaceArchitecture, load_weights
from mlphonon.potentials.mace.fused import fuse_convolutions
from mlphonon.training.curvature.crystals import CellStore, read_crystals, split_crystals
from mlphonon.training.curvature.judging import judge, summary
from mlphonon.training.quick_mace import QuickMace

YTTERBIUM = 70


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--constants", type=Path, required=True)
    parser.add_argument("--first", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    text = (options.folder / "architecture.json").read_text()
    numbers = MaceArchitecture.model_validate_json(text).atomic_numbers
    model = load_weights(options.folder, "float64").to(torch.float32)
    fuse_convolutions(model)
    quick = QuickMace(model)
    store = CellStore({z: i for i, z in enumerate(numbers)}, quick.r_max)
    _, held = split_crystals(read_crystals(options.constants, numbers, 20, quick.r_max))
    # An older potential does not know ytterbium; all are judged by the same crystals.
    held = [one for one in held if YTTERBIUM not in one.constants.numbers]
    if options.limit is not None:
        held = held[:: max(1, len(held) // options.limit)]
    taught = first_lesson(options.first)
    errors = judge(quick, held, store)
    new = [one for one in errors if canonical(one.formula) not in taught]
    known = [one for one in errors if canonical(one.formula) in taught]
    parts = {"new formulas": summary(new), "formulas of the first lesson": summary(known)}
    options.output.write_text(
        json.dumps({**parts, "crystals": [asdict(one) for one in errors]}, indent=0) + "\n"
    )
    for name, found in parts.items():
        print(name, {key: round(value, 3) for key, value in found.items()})


if __name__ == "__main__":
    main()
