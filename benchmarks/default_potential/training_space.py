"""Write which environments a potential was trained on: DFT's crystals at rest, then the frames.

    python benchmarks/default_potential/training_space.py FOLDER --constants FOLDER \
        --frames FILE --frames FILE [--every 3]

Writes ``training_space.npz`` beside the weights. Validation formulas are left out, as they were in
training. With ``--every n`` one frame in n is described: near ones are alike.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from mlphonon.potentials.loading import load_potential
from mlphonon.potentials.mace.architecture import MaceArchitecture
from mlphonon.potentials.training_space import FILE, save_training_space
from mlphonon.training.curvature.crystals import read_crystals, split_crystals
from mlphonon.training.curvature.frames import read_labelled
from mlphonon.training.training_domain import training_space_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--constants", type=Path, required=True)
    parser.add_argument("--frames", type=Path, action="append", default=[])
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    text = (options.folder / "architecture.json").read_text()
    architecture = MaceArchitecture.model_validate_json(text)
    numbers, r_max = architecture.atomic_numbers, architecture.r_max
    crystals, _ = split_crystals(read_crystals(options.constants, numbers, 20, r_max))
    structures = []
    for crystal in crystals:
        atoms = crystal.constants.supercell(np.eye(3, dtype=int))
        atoms.info["material_id"] = crystal.name
        structures.append(atoms)
    places = {z: i for i, z in enumerate(numbers)}
    frames, _ = read_labelled(options.frames, places, r_max)
    # A crystal whose name DFT's data have too is one crystal.
    structures += [frame.atoms for frame in frames[:: options.every]]
    # A file of other weights would forbid to load these.
    (options.folder / FILE).unlink(missing_ok=True)
    potential = load_potential(str(options.folder), device="cpu", dtype="float32")
    space = training_space_of(potential, structures)
    path = options.folder / FILE
    save_training_space(space, path)
    print(
        f"{len(structures)} structures, {len(space.codes)} environments,"
        f" {path.stat().st_size} bytes"
    )


if __name__ == "__main__":
    main()
