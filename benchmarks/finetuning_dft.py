r"""Fine-tuning on DFT's own force constants: crystals that were shown, and crystals that were not.

    python benchmarks/finetuning_dft.py shared/phonopy-examples/{NaCl,MgO,Al2O3,Si,ZnO,MgB2} \
        --work runs/finetuning-dft -o benchmarks/finetuning-dft.md

One potential is taught all crystals; and for each crystal one is taught all others. What is done is
kept in the work folder, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import datetime
import json
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tables import machine, markdown_table, write_page

from mlphonon.potentials.mace.mace_potential import MacePotential, WeightsInfo
from mlphonon.training.data.frame import TrainingData, join
from mlphonon.training.data.reading import read_sources
from mlphonon.training.data.store import read_data, write_data
from mlphonon.training.finetuning.compute import prepare
from mlphonon.training.finetuning.inputs import FinetuneInputs
from mlphonon.training.finetuning.phonon_error import spectrum_distances
from mlphonon.training.finetuning.settings import FinetuneSettings
from mlphonon.training.finetuning.start import load_start
from mlphonon.training.optimisation.trainer import Trainer

NOTHING = "nothing"
"""Name of the arm that leaves the potential as it is."""


def distances(potential: MacePotential, data: TrainingData) -> dict[str, float]:
    """Return the distance of each crystal's spectrum to DFT's, THz."""
    found = spectrum_distances(potential, data.curvatures)
    names = (curvature.formula for curvature in data.curvatures)
    return dict(zip(names, map(float, found), strict=True))


def run_arm(left_out: str, work: Path, potential: str, steps: int) -> dict[str, float]:
    """Teach all crystals but one, and judge all; "" leaves none out."""
    import torch

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    result = work / f"without-{left_out}.json"
    if result.exists():
        return dict(json.loads(result.read_text()))
    data = read_data(work / "all.h5")
    folder = work / f"without-{left_out}"
    folder.mkdir(exist_ok=True)
    if left_out == NOTHING:
        found = distances(load_start(potential).potential(), data)
    else:
        hidden = frozenset({left_out} - {""})
        write_data(replace(data, held_out=hidden).part(held_out=False), folder / "data.h5")
        settings = FinetuneSettings(patience=None, epochs=1, replay_steps=1)
        job = prepare(FinetuneInputs(folder / "data.h5", potential), settings)
        job.settings = settings.model_copy(update={"epochs": steps / len(job.batches(0))})
        trainer = Trainer(job, folder)
        trainer.run()
        tuned = job.model_of(trainer.average).float()
        named = MacePotential(tuned, WeightsInfo("tuned"), dtype="float32", head=job.start.head)
        found = distances(named, data)
        found["memory"] = job.judge(tuned)[0]["force_memory"]
    result.write_text(json.dumps(found))
    return found


def main() -> None:
    """Run what is not there yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("calculations", type=Path, nargs="+", help="folders of phonopy")
    parser.add_argument("--potential", default="embedded", help="to begin with")
    parser.add_argument("--work", type=Path, default=Path("runs/finetuning-dft"))
    parser.add_argument("--steps", type=int, default=300, help="half of them on new data")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    options.work.mkdir(parents=True, exist_ok=True)
    there = f"{machine()}, {datetime.date.today()}"
    if not (options.work / "all.h5").exists():
        parts = list(read_sources(options.calculations, "unknown", "unknown"))
        write_data(join(parts), options.work / "all.h5")
    formulas = list(dict.fromkeys(c.formula for c in read_data(options.work / "all.h5").curvatures))
    run = partial(run_arm, work=options.work, potential=options.potential, steps=options.steps)
    arms = [NOTHING, "", *formulas]
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        done = dict(zip(arms, pool.map(run, arms), strict=True))
    rows = [[name, *(f"{done[arm][name]:.2f}" for arm in (NOTHING, "", name))] for name in formulas]
    head = ["THz from DFT", "before", "taught all", "taught all others"]
    text = "\n\n".join(
        [
            f"{options.potential}, {options.steps} steps; {there}.",
            markdown_table(head, rows),
            f"Forces on simple crystals moved by {done['']['memory']:.0f} meV/A (taught all).",
        ]
    )
    write_page(text, "finetuning_dft.py", options.output)


if __name__ == "__main__":
    main()
