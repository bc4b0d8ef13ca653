"""What a training step on second derivatives costs: exact products by mace's layers, and now.

    python benchmarks/default_potential/throughput.py --constants FOLDER -o training-throughput.md

Processor time of one thread (so that a busy machine does not matter), the weights that ship, the
same crystals of phonondb-2018 in supercells of up to 20 atoms.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from mlphonon.potentials.mace.fused import fuse_convolutions
from mlphonon.training.curvature.crystals import CellStore, mode_errors, read_crystals
from mlphonon.training.curvature.job import _like_batches
from mlphonon.training.element_sharing import share_elements
from mlphonon.training.finetuning.curvature import hessian_products
from mlphonon.training.finetuning.start import load_start
from mlphonon.training.graphs import collate
from mlphonon.training.quick_mace import QuickMace

EDGES = 3000
BATCHES = 6


def seconds(step, repeats: int = 2) -> float:
    """Return processor seconds of a step, the first call not counted."""
    step()
    begun = time.process_time()
    for _ in range(repeats):
        step()
    return (time.process_time() - begun) / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--constants", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    start = load_start("embedded")
    numbers = [int(z) for z in start.model.atomic_numbers]
    model = start.trainable()
    fuse_convolutions(model)
    share_elements(model, keep=True)
    quick = QuickMace(model)
    crystals = read_crystals(options.constants, numbers, 20, quick.r_max)
    store = CellStore({z: i for i, z in enumerate(numbers)}, quick.r_max)
    rng = np.random.default_rng(1)
    measures = [(one.edges, one.neighbours) for one in crystals]
    batches = _like_batches(measures, EDGES, rng)[:BATCHES]
    rows = [measured(model, quick, start, [crystals[i] for i in b], store) for b in batches]
    totals = np.sum(rows, axis=0)
    n, edges = totals[0], totals[1]
    lines = [
        f"{int(n)} crystals in {BATCHES} batches of {edges / BATCHES:.0f} edges",
        "",
        "| a training step | directions of a crystal | s | structure-directions in a second |",
        "|---|---|---|---|",
    ]
    names = (("exact products, mace's layers fused", 1), ("exact products, quick arithmetic", 1))
    names += tuple((f"differences of forces over {0.003} A, quick", k) for k in (1, 2, 3, 4))
    for (name, directions), spent in zip(names, totals[2:], strict=True):
        rate = n * directions / spent
        lines.append(f"| {name} | {directions} | {spent / BATCHES:.3f} | {rate:.1f} |")
    options.output.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def measured(model, quick, start, crystals, store) -> list[float]:
    """Return crystals, edges, and seconds of each kind of step."""
    cells = [store.get(one, 0) for one in crystals]
    graphs = [start.graphs.graph(one.constants.supercell(one.lattices[0]), {}) for one in crystals]
    batch = collate(graphs)
    ways = torch.randn(len(batch.positions), 3)

    def exact() -> None:
        model.zero_grad()
        _, products = hessian_products(model, batch, ways)
        products.square().sum().backward()

    def quick_exact() -> None:
        from mlphonon.training.packed_graphs import join

        model.zero_grad()
        rest = join([cell.graph for cell in cells], quick.r_max)
        positions = rest.positions.detach().requires_grad_(True)
        energy = quick.node_energies(rest, positions).sum()
        (slope,) = torch.autograd.grad(energy, positions, create_graph=True)
        (product,) = torch.autograd.grad((slope * ways).sum(), positions, create_graph=True)
        product.square().sum().backward()

    def differences(count: int) -> None:
        model.zero_grad()
        rng = np.random.default_rng(0)
        mode_errors(quick, cells, count, rng, train=True).mean().backward()

    edges = float(batch.edge_index.shape[1])
    spent = [seconds(exact), seconds(quick_exact)]
    spent += [seconds(lambda k=k: differences(k)) for k in (1, 2, 3, 4)]
    return [float(len(cells)), edges, *spent]


if __name__ == "__main__":
    main()
