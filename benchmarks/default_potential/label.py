"""Let Nequix label frames: energies, forces, stresses; resumable, in shards that only grow.

In an environment of the teacher's own (jax, equinox, e3nn-jax, jraph, matscipy, nequix, ase):

    python label.py structures-1.extxyz.gz --teacher nequix-oam-1-pft.nqx -o labels-1.extxyz.gz

Several graphs are evaluated as one, filled up to one of two shapes, so that JAX compiles twice and
not for every crystal. The output is a gzip of many members: each batch appends one. Frames whose
number is in the output already are left, so the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import time
import zlib
from pathlib import Path

import ase.io
import equinox
import jax
import jraph
import numpy as np
from nequix.calculator import from_pretrained
from nequix.data import atomic_numbers_to_indices, dict_to_graphstuple, preprocess_graph

SHAPES = ((48, 3072, 10), (96, 7168, 20))
"""Nodes, edges, graphs of a batch; one of each is filling."""

MOST_FORCE = 60.0
"""eV/A; frames that are torn more than this teach nothing of solids."""


def read(path: Path) -> list:
    """Return the frames of a file; a last member that was cut short is cut off, and named."""
    if not path.exists():
        return []
    raw, text, whole = path.read_bytes(), [], 0
    while whole < len(raw):
        unpacking = zlib.decompressobj(wbits=31)
        member = unpacking.decompress(raw[whole:])
        if not unpacking.eof:
            print(f"the last {len(raw) - whole} bytes of {path} are half a batch: cut off")
            os.truncate(path, whole)
            break
        text.append(member.decode())
        whole = len(raw) - len(unpacking.unused_data)
    return ase.io.read(io.StringIO("".join(text)), index=":", format="extxyz") if text else []


def fits(graphs: list[dict], shape: tuple[int, int, int]) -> bool:
    nodes = sum(int(g["n_node"][0]) for g in graphs)
    edges = sum(int(g["n_edge"][0]) for g in graphs)
    return nodes < shape[0] and edges < shape[1] and len(graphs) < shape[2]


def label(model, graphs: list[dict], shape: tuple[int, int, int]):
    """Return energies, forces and stresses of a batch of graphs."""
    batch = jraph.batch_np([dict_to_graphstuple(g) for g in graphs])
    padded = jraph.pad_with_graphs(batch, shape[0], shape[1], shape[2])
    energies, forces, stresses = jax.device_get(model(padded))
    ends = np.cumsum([int(g["n_node"][0]) for g in graphs])[:-1]
    count = len(graphs)
    total = sum(int(g["n_node"][0]) for g in graphs)
    return energies[:count], np.split(forces[:total], ends), stresses[:count]


def append(path: Path, frames: list) -> None:
    text = io.StringIO()
    ase.io.write(text, frames, format="extxyz")
    with path.open("ab") as file:
        file.write(gzip.compress(text.getvalue().encode(), 9))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("structures", type=Path)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    model, config = from_pretrained(model_path=options.teacher, backend="jax", use_kernel=False)
    indices = atomic_numbers_to_indices(config["atomic_numbers"])
    run = equinox.filter_jit(model)
    done = {int(atoms.info["frame"]) for atoms in read(options.output)}
    begun, new, waiting = time.monotonic(), 0, []
    for number, atoms in enumerate(read(options.structures)):
        if number in done or not set(atoms.numbers.tolist()) <= indices.keys():
            continue
        graph = preprocess_graph(atoms, indices, config["cutoff"], False)
        if not fits([graph], SHAPES[1]):
            continue
        waiting.append((number, atoms, graph))
        if fits([g for _, _, g in waiting], SHAPES[0]):
            continue
        batch = waiting[:-1] or waiting
        waiting = waiting[len(batch) :]
        # One crystal that is too large for the small shape goes alone.
        shape = SHAPES[0] if fits([g for _, _, g in batch], SHAPES[0]) else SHAPES[1]
        new += write(options.output, batch, label(run, [g for _, _, g in batch], shape))
        print(f"{new} frames, {new / (time.monotonic() - begun):.3f} a second", flush=True)
    if waiting:
        shape = SHAPES[1]
        write(options.output, waiting, label(run, [g for _, _, g in waiting], shape))
    print("done", flush=True)


def write(path: Path, batch: list, labels: tuple) -> int:
    frames = []
    for (number, atoms, _), energy, forces, stress in zip(batch, *labels, strict=True):
        if not np.isfinite(forces).all() or np.abs(forces).max() > MOST_FORCE:
            continue
        atoms.info |= {"REF_energy": float(energy), "REF_stress": np.round(stress, 7).tolist()}
        atoms.info["frame"] = number
        atoms.arrays["REF_forces"] = np.round(forces, 5)
        frames.append(atoms)
    if frames:
        append(path, frames)
    return len(frames)


if __name__ == "__main__":
    main()
