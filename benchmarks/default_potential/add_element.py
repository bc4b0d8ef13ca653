"""Give a potential a further element, whose weights begin as those of a relative.

    python benchmarks/default_potential/add_element.py FOLDER -o NEW --element Yb --like Tm \
        --frames labels.extxyz.gz

The energy of the free atom is set to what makes the teacher's frames right on average.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from ase.data import atomic_numbers

from mlphonon.potentials.mace.architecture import MaceArchitecture, load_weights, save_weights
from mlphonon.potentials.mace.fused import fuse_convolutions
from mlphonon.training.curvature.frames import LabelledFrame, frame_errors, read_frames
from mlphonon.training.quick_mace import QuickMace


def extended(model, new, place: int, like: int):
    """Copy weights of `model` into `new`, which has one element more, at `place`."""
    n = len(model.atomic_numbers)
    order = [*range(place), like, *range(place, n)]
    # e3nn divides by the root of the number of elements wherever it sums over them.
    root = ((n + 1) / n) ** 0.5
    own = dict(new.named_parameters())
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name == "node_embedding.linear.weight":
                moved = root * value.view(n, -1)[order]
            elif name.endswith("skip_tp.weight"):
                layer = new.interactions[int(name.split(".")[1])].skip_tp
                shapes = [(int(mul), n, int(mul)) for mul, _ in layer.irreps_in1]
                parts = value.split([int(np.prod(shape)) for shape in shapes])
                moved = torch.cat(
                    [
                        root * part.view(shape)[:, order].reshape(-1)
                        for part, shape in zip(parts, shapes, strict=True)
                    ]
                )
            elif "symmetric_contractions" in name:
                moved = value[order]
            else:
                moved = value
            own[name].copy_(moved.reshape(own[name].shape))
    return new


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--element", required=True)
    parser.add_argument("--like", required=True)
    parser.add_argument("--frames", type=Path, action="append", required=True)
    options = parser.parse_args()
    number, relative = atomic_numbers[options.element], atomic_numbers[options.like]
    text = (options.folder / "architecture.json").read_text()
    old = MaceArchitecture.model_validate_json(text)
    numbers = tuple(sorted({*old.atomic_numbers, number}))
    place, like = numbers.index(number), old.atomic_numbers.index(relative)
    energies = list(old.atomic_energies)
    energies.insert(place, old.atomic_energies[like])
    change = {"atomic_numbers": numbers, "atomic_energies": tuple(energies)}
    architecture = old.model_copy(update=change)
    model = load_weights(options.folder)
    new = extended(model, architecture.build(), place, like)
    offset, error, count = measured(new, numbers, number, options.frames)
    energies[place] += offset
    architecture = old.model_copy(update=change | {"atomic_energies": tuple(energies)})
    options.output.mkdir(parents=True, exist_ok=True)
    save_weights(new, architecture, options.output)
    print(
        f"{count} frames, forces off by {1e3 * error:.0f} meV/A; free atom {energies[place]:.3f} eV"
    )


def measured(model, numbers, number: int, paths: list[Path]) -> tuple[float, float, int]:
    """Return how far energies are off for each atom of the new element, and the force error."""
    fused = model.to(torch.float32)
    fuse_convolutions(fused)
    quick = QuickMace(fused)
    places = {z: i for i, z in enumerate(numbers)}
    frames = [
        LabelledFrame(atoms, places, quick.r_max)
        for atoms in read_frames(*paths)
        if number in atoms.numbers and set(atoms.numbers.tolist()) <= places.keys()
    ]
    offsets, forces = [], []
    for frame in frames:
        with torch.no_grad():
            bound = float(quick.node_energies(frame.graph, frame.graph.positions).sum())
        whole = bound + float(quick.free_energies(frame.graph))
        atoms = frame.atoms
        offsets.append((atoms.info["REF_energy"] - whole) / np.sum(atoms.numbers == number))
        forces.append(frame_errors(quick, [frame], train=False).forces)
    return float(np.median(offsets)), float(torch.cat(forces).mean()), len(frames)


if __name__ == "__main__":
    main()
