r"""Which shape of MACE learns second derivatives best for what a force call costs.

    python benchmarks/architectures.py data.h5 --replay old.h5 --work runs/architectures \
        -o benchmarks/architectures.md     # --steps 20 to try

Every shape begins with random weights and takes as many steps on the same data; each differs from
the embedded potential's in what its name says. It is judged by second derivatives and forces of
crystals that are held out, and timed with nothing else running. What is done is kept in the work
folder, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk
from ase.neighborlist import neighbor_list
from tables import machine, markdown_table, write_page

import mlphonon.potentials
from mlphonon import load_potential
from mlphonon.potentials.mace.architecture import MaceArchitecture, save_weights
from mlphonon.training.data.store import read_data
from mlphonon.training.finetuning.compute import prepare
from mlphonon.training.finetuning.inputs import FinetuneInputs
from mlphonon.training.finetuning.settings import FinetuneLoss, FinetuneSettings
from mlphonon.training.optimisation.trainer import Trainer

SHAPES: dict[str, dict[str, Any]] = {
    "64x0e, correlation 3, 5 A, 2 layers": {},
    "32 channels": {"hidden_irreps": "32x0e"},
    "96 channels": {"hidden_irreps": "96x0e"},
    "32x0e + 32x1o, correlation 2": {"hidden_irreps": "32x0e+32x1o", "correlation": 2},
    "correlation 2": {"correlation": 2},
    "l up to 3 on edges": {"max_ell": 3},
    "3 layers": {"num_interactions": 3},
    "cutoff 4.5 A": {"r_max": 4.5},
    "cutoff 6 A": {"r_max": 6.0},
    "12 radial functions": {"num_bessel": 12},
    "distances scaled by radii (Agnesi)": {"distance_transform": "Agnesi"},
    "cutoff function of power 8": {"num_polynomial_cutoff": 8},
}
EDGES = 1500
"""In a step at 5 A; as many atoms at any other cutoff."""
SAMPLE = 300
"""Frames that tell how many neighbours an atom has."""


def embedded_shape() -> MaceArchitecture:
    """Return the embedded potential's architecture."""
    folder = Path(mlphonon.potentials.__path__[0]) / "embedded"
    return MaceArchitecture.model_validate_json((folder / "architecture.json").read_text())


def fresh(changes: dict[str, Any], data: Path, folder: Path) -> None:
    """Write random weights of a shape."""
    import torch

    shape = MaceArchitecture(**(embedded_shape().model_dump() | changes))
    neighbours = [
        len(neighbor_list("i", frame.atoms, shape.r_max)) / len(frame.atoms)
        for frame in read_data(data).frames[:SAMPLE]
    ]
    # Messages add up with random signs: as `mlphonon train` has it.
    root = round(float(np.sqrt(np.mean(neighbours))), 4)
    shape = shape.model_copy(update={"avg_num_neighbors": root})
    torch.manual_seed(1)
    save_weights(shape.build("float32"), shape, folder)


def key_of(changes: dict[str, Any], steps: int) -> str:
    """Name the folder of one run."""
    text = json.dumps([changes, steps], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def learn(changes: dict[str, Any], data: Path, replay: Path, steps: int, work: Path) -> None:
    """Train one shape, judge it, and keep the result."""
    import torch

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    folder = work / key_of(changes, steps)
    if (folder / "result.json").exists():
        return
    if not (folder / "start" / "architecture.json").exists():
        fresh(changes, data, folder / "start")
    edges = round(EDGES * (changes.get("r_max", 5.0) / 5.0) ** 3)
    settings = FinetuneSettings(
        edges_per_batch=edges,
        replay_steps=1,
        memory_fraction=0.03,
        align_energies=False,
        share_elements=True,
        learning_rate=0.01,
        matrix_learning_rate=0.0025,
        warmup_steps=50,
        decay="linear",
        decay_fraction=0.6,
        patience=None,
        epochs=1,
        loss=FinetuneLoss(energy=20, forces=50, stress=20, curvature=20),
    )
    job = prepare(FinetuneInputs(data, str(folder / "start"), replay), settings)
    job.settings = settings.model_copy(update={"epochs": steps / len(job.batches(0))})
    trainer = Trainer(job, folder)
    begun = time.perf_counter()
    trainer.run()
    seconds = time.perf_counter() - begun
    with trainer.averaged() as model:
        errors, _ = job.validate(model)
        job.write(model, folder)
        weights = sum(p.numel() for p in job.start.model.parameters())
    errors |= {"seconds_per_step": seconds / steps, "weights": weights}
    (folder / "result.json").write_text(json.dumps(errors))


def microseconds(folder: Path) -> float:
    """Return the time of a float32 force call on 64 atoms, per atom; the median of 15."""
    potential = load_potential(str(folder), dtype="float32")
    atoms = bulk("NaCl", "rocksalt", a=5.69, cubic=True) * 2
    spent = []
    for turn in range(18):
        atoms.rattle(0.01, seed=turn)
        begun = time.perf_counter()
        potential.evaluate([atoms])
        spent.append(time.perf_counter() - begun)
    return float(1e6 * np.median(spent[3:]) / len(atoms))


def main() -> None:
    """Train what is not trained yet, time all, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="with second derivatives (dataset build)")
    parser.add_argument("--replay", type=Path, required=True, help="frames without them")
    parser.add_argument("--work", type=Path, default=Path("runs/architectures"))
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    options.work.mkdir(parents=True, exist_ok=True)
    there = f"{machine()}, {datetime.date.today()}"
    run = partial(
        learn, data=options.data, replay=options.replay, steps=options.steps, work=options.work
    )
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        list(pool.map(run, SHAPES.values()))
    rows = []
    for name, changes in SHAPES.items():
        folder = options.work / key_of(changes, options.steps)
        found = json.loads((folder / "result.json").read_text())
        rows.append(
            [
                name,
                f"{found['weights'] / 1e6:.2f}",
                f"{microseconds(folder):.0f}",
                f"{found['curvature_THz']:.3f}",
                f"{found['force_memory']:.0f}",
                f"{found['seconds_per_step']:.2f}",
            ]
        )
    head = [
        "",
        "weights (million)",
        "force call (us/atom)",
        "second derivatives (THz)",
        "forces (meV/A)",
        "training (s/step)",
    ]
    text = f"{options.steps} steps each; {there}.\n\n{markdown_table(head, rows)}"
    write_page(text, "architectures.py", options.output)


if __name__ == "__main__":
    main()
