"""Crystals of phonondb-2018, distorted, for the teacher to label: one file of frames a stage.

    python benchmarks/default_potential/structures.py --data DIR --stage 1 -o structures-1.extxyz.gz

DIR is the data folder that holds ``phonondb-2018`` and ``distill``. Stage 1: one frame of each
crystal that has none yet; stage 2: a frame of another kind of each crystal; stage 3: crystals made
of these by exchanging elements. The same command gives the same frames.
"""

from __future__ import annotations

import argparse
import gzip
import io
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms

from mlphonon.readers.classic_phonopy import primitive_matrix, read_classic

MOST_ATOMS = 40

KINDS = ("near", "rattled", "strained", "volume", "close")


def distorted(crystal: Atoms, name: str, kind: str) -> Atoms:
    """Return a frame; what is drawn is decided by name and kind alone."""
    rng = np.random.default_rng([7, *f"{name} {kind}".encode()])
    amplitude, strain, length = {
        "near": (0.02, 0.002, 0.0),
        "rattled": (rng.uniform(0.05, 0.15), 0.008, 0.0),
        "strained": (0.05, 0.025, 0.0),
        "volume": (0.04, 0.0, rng.uniform(-0.05, 0.06)),
        "close": (rng.uniform(0.15, 0.3), 0.02, rng.uniform(-0.08, 0.10)),
    }[kind]
    frame = crystal.copy()
    parts = np.clip(strain * rng.normal(size=(3, 3)), -0.06, 0.06)
    cell = frame.cell.array @ (np.eye(3) * (1 + length) + (parts + parts.T) / 2)
    frame.set_cell(cell, scale_atoms=True)
    frame.positions += amplitude * rng.normal(size=(len(frame), 3))
    frame.info = {"material_id": name, "config": kind}
    return frame


def crystals_of(folder: Path) -> dict[str, Atoms]:
    """Return the primitive cells of phonondb-2018 by their names (mp-...)."""
    from phonopy.structure.cells import get_primitive

    found = {}
    for path in sorted((folder / "phonon_db_tarred").glob("*.tar.lzma")):
        calculation = read_classic(path)
        cell = get_primitive(calculation.unitcell(), primitive_matrix(calculation.conf()))
        found[f"mp-{path.name.split('-')[2]}"] = as_ase(cell)
    for path in sorted((folder / "structures-only").glob("*.vasp")):
        found[path.stem] = ase.io.read(path, format="vasp")
    return {name: atoms for name, atoms in found.items() if len(atoms) <= MOST_ATOMS}


def as_ase(cell) -> Atoms:
    return Atoms(
        numbers=cell.numbers, cell=cell.cell, scaled_positions=cell.scaled_positions, pbc=True
    )


def labelled(path: Path) -> dict[str, set[str]]:
    """Return the kinds that each crystal has a label of."""
    text = gzip.decompress(path.read_bytes()).decode()
    found: dict[str, set[str]] = {}
    for atoms in ase.io.read(io.StringIO(text), index=":", format="extxyz"):
        found.setdefault(str(atoms.info["material_id"]), set()).add(str(atoms.info["config"]))
    return found


def stage(number: int, data: Path) -> list[Atoms]:
    crystals = crystals_of(data / "phonondb-2018")
    done = labelled(data / "distill" / "phonondb-2018-teacher.extxyz.gz")
    rng = np.random.default_rng([number, 7])
    names = [sorted(crystals)[i] for i in rng.permutation(len(crystals))]
    if number == 3:
        return substituted(crystals)
    # The frame of stage 1 is of a kind that its place in the list decides.
    first = {name: KINDS[i % 4] for i, name in enumerate(sorted(crystals)) if name not in done}
    if number == 1:
        return [distorted(crystals[name], name, first[name]) for name in names if name in first]
    frames = []
    for name in names:
        taken = done.get(name, set()) | {first.get(name, "")}
        left = [kind for kind in KINDS if kind not in taken]
        frames.append(distorted(crystals[name], name, left[int(rng.integers(len(left)))]))
    return frames


def substituted(crystals: dict[str, Atoms]) -> list[Atoms]:
    """Exchange elements, all proportions; volumes follow covalent radii, and kinds take turns."""
    from mlphonon.training.data.substitution import substitute

    known = [atoms for atoms in crystals.values() if len(atoms) <= 16]
    numbers = sorted({int(z) for atoms in known for z in atoms.numbers})
    made = substitute(known, numbers, 6000, seed=8)
    return [
        distorted(atoms, f"substituted-{i}", KINDS[i % len(KINDS)]) for i, atoms in enumerate(made)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--stage", type=int, choices=(1, 2, 3), required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    text = io.StringIO()
    frames = stage(options.stage, options.data)
    ase.io.write(text, frames, format="extxyz")
    options.output.write_bytes(gzip.compress(text.getvalue().encode()))
    print(f"{len(frames)} frames of {sum(map(len, frames))} atoms")


if __name__ == "__main__":
    main()
