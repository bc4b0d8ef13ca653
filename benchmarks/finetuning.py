r"""What of a fine-tuning helps phonons: an ablation, with a teacher as if it were DFT.

    python benchmarks/finetuning.py --potential FOLDER --work runs/finetuning \
        -o benchmarks/finetuning.md     # --quick to try

A potential is taught alkali halides by a better one, in several ways, always with as many steps on
new data; and is judged by phonon spectra of alkali halides that it was not shown, of crystals of
another class, and by forces on what it was taught before. All are rocksalts at the volume where the
teacher has its minimum. What is done is kept in the work folder, so that a run that was stopped
goes on.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import hashlib
import io
import json
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import resources
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms
from ase.build import bulk
from tables import machine, markdown_table, write_page

from mlphonon import load_potential
from mlphonon.crystal.crystal import point_group
from mlphonon.crystal.supercell import smallest_superlattice
from mlphonon.force_constants.displacements import (
    find_moves,
    from_displacements,
    make_supercell,
    set_displacements,
)
from mlphonon.potentials.potential import Potential
from mlphonon.training.data.frame import Curvature, Frame, Origin, TrainingData
from mlphonon.training.data.generation import distort
from mlphonon.training.data.labelling import labelled_data
from mlphonon.training.data.reading import read_frame
from mlphonon.training.data.settings import Distortions
from mlphonon.training.data.store import read_data, write_data
from mlphonon.training.data.substitution import at_best_volume
from mlphonon.training.finetuning.compute import prepare
from mlphonon.training.finetuning.inputs import FinetuneInputs
from mlphonon.training.finetuning.phonon_error import spectrum_distances
from mlphonon.training.finetuning.settings import FinetuneLoss, FinetuneSettings
from mlphonon.training.finetuning.start import Start, load_start
from mlphonon.training.optimisation.trainer import Trainer

RADII = {
    **{"Li": 0.76, "Na": 1.02, "K": 1.38, "Rb": 1.52, "Cs": 1.67, "F": 1.33, "Cl": 1.81},
    **{"Br": 1.96, "I": 2.20, "Mg": 0.72, "Ca": 1.00, "Sr": 1.18, "Ba": 1.35, "O": 1.40, "S": 1.84},
}
"""Of ions with six neighbours, A (Shannon, Acta Cryst. A 32, 751 (1976))."""

HALIDES = [(a, x) for a in ("Li", "Na", "K", "Rb", "Cs") for x in ("F", "Cl", "Br", "I")]
OTHERS = [(a, x) for a in ("Mg", "Ca", "Sr", "Ba") for x in ("O", "S")]
UNSEEN = [("Li", "Br"), ("Na", "Cl"), ("Na", "I"), ("K", "F"), ("Rb", "Cl"), ("Cs", "Br")]
"""Of the halides, those that judge; their elements are all in the others."""
MOST_ATOMS = 12
"""In a labelled structure; test crystals have supercells of at least `TEST_HEIGHT` A."""
TEST_HEIGHT = 7.5
N_CRYSTALS, N_STRUCTURES = 14, 20
STEPS = 400
"""On new data, of every arm."""


@dataclass(frozen=True)
class Arm:
    """One way of fine-tuning.

    Attributes
    ----------
    name : str
        What the table calls it.
    crystals, structures : int
        Crystals, and labelled structures of each.
    curvature : bool
        Whether second derivatives are learnt.
    replay : int
        Steps on old data for each on new.
    steps : int
        On new data.
    changes : dict
        Further settings.
    """

    name: str
    crystals: int = N_CRYSTALS
    structures: int = 10
    curvature: bool = True
    replay: int = 1
    steps: int = STEPS
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name of its file of results."""
        text = json.dumps(self.__dict__, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


WAYS = [
    Arm("displaced forces only", curvature=False, replay=0),
    Arm("displaced forces, replay", curvature=False),
    Arm("second derivatives", replay=0),
    Arm("second derivatives, replay"),
    Arm("second derivatives, replay 4 : 1", replay=4),
    Arm("... first layer frozen", changes={"freeze": 1}),
    Arm("... LoRA, rank 8", changes={"lora": 8, "learning_rate": 5e-3}),
    Arm("... pulled to the start", changes={"elastic": 1e4}),
    Arm("... curvature weight 2", changes={"loss": FinetuneLoss(curvature=2.0).model_dump()}),
    Arm("... curvature weight 50", changes={"loss": FinetuneLoss(curvature=50.0).model_dump()}),
    Arm("... learning rate 3e-3", changes={"learning_rate": 3e-3}),
    Arm("... twice as long", steps=2 * STEPS),
]
LEARNING = [
    Arm(f"{crystals} crystals, {structures} structures", crystals, structures)
    for crystals, structures in (
        *((N_CRYSTALS, n) for n in (1, 2, 5, 20)),
        *((n, 10) for n in (2, 4, 8)),
    )
]


def rocksalts(pairs: Sequence[tuple[str, str]], teacher: Potential) -> dict[str, Atoms]:
    """Return primitive cells at the teacher's minimum."""
    guess = [bulk(a + x, "rocksalt", a=2 * (RADII[a] + RADII[x])) for a, x in pairs]
    return {str(atoms.symbols): atoms for atoms in at_best_volume(guess, teacher)}


def teach(crystals: dict[str, Atoms], teacher: Potential, n_structures: int) -> TrainingData:
    """Label distorted supercells, second derivatives included."""
    wanted = Distortions(per_crystal=n_structures, max_atoms=MOST_ATOMS, amplitude=0.03)
    structures = [s for name, atoms in crystals.items() for s in distort(atoms, name, wanted)]
    # Of both kinds from the first on, so that the first few of each crystal are a fair choice.
    structures.sort(key=lambda atoms: atoms.info["material_id"])
    return labelled_data(structures, teacher, directions=1)


def known_phonons(crystals: dict[str, Atoms], teacher: Potential) -> TrainingData:
    """Let the teacher compute force constants."""
    found = []
    for name, atoms in crystals.items():
        rotations = point_group(atoms, 1e-3)
        rows = smallest_superlattice(atoms.cell.array, rotations, TEST_HEIGHT, 200)
        phonopy = make_supercell(atoms, rows.T, 1e-3)
        set_displacements(phonopy, find_moves(phonopy).both_ways, 0.01)
        from_displacements(phonopy, teacher)
        found.append(
            Curvature(
                atoms,
                np.asarray(phonopy.supercell_matrix),
                np.eye(3),
                np.array(phonopy.force_constants),
                name,
                Origin("benchmarks/finetuning.py", "teacher", teacher.info.name),
            )
        )
    return TrainingData(curvatures=tuple(found))


def taught_before() -> TrainingData:
    """Return frames that the embedded potential was taught with and that ship with it."""
    packed = resources.files("mlphonon.potentials") / "embedded" / "simple_lattices.extxyz.gz"
    text = gzip.decompress(packed.read_bytes()).decode()
    origin = Origin("simple_lattices", "teacher", "nequix-oam-1-pft")
    frames = [
        read_frame(atoms, origin) for atoms in ase.io.read(io.StringIO(text), ":", format="extxyz")
    ]
    return TrainingData(tuple(frames))


def make_data(teacher_name: str, work: Path) -> None:
    """Write what is to be learnt, the crystals that judge, and what was learnt before."""
    if (work / "shown.h5").exists():
        return
    teacher = load_potential(teacher_name)
    shown = [pair for pair in HALIDES if pair not in UNSEEN][:N_CRYSTALS]
    write_data(teach(rocksalts(shown, teacher), teacher, N_STRUCTURES), work / "new.h5")
    write_data(taught_before(), work / "old.h5")
    for name, formulas in (("unseen", UNSEEN), ("others", OTHERS), ("shown", shown[::2])):
        write_data(known_phonons(rocksalts(formulas, teacher), teacher), work / f"{name}.h5")


def part_of(data: TrainingData, arm: Arm) -> TrainingData:
    """Return the first crystals and structures, with or without second derivatives."""
    names = list(dict.fromkeys(frame.crystal for frame in data.frames))[: arm.crystals]
    nothing = {"directions": np.empty((0, 0, 3)), "responses": np.empty((0, 0, 3))}
    frames: list[Frame] = []
    for name in names:
        mine = [frame for frame in data.frames if frame.crystal == name]
        rattled = [frame for frame in mine if frame.kind == "rattle"]
        strained = [frame for frame in mine if frame.kind == "strain"]
        turns = [f for pair in zip(rattled, strained, strict=True) for f in pair]
        frames += turns[: arm.structures]
    if not arm.curvature:
        frames = [Frame(**(frame.__dict__ | nothing)) for frame in frames]
    return TrainingData(tuple(frames))


def run_arm(arm: Arm, work: Path, potential: str) -> dict[str, float]:
    """Fine-tune in one way, judge, and keep the result."""
    import torch

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    result = work / f"{arm.key}.json"
    if result.exists():
        return dict(json.loads(result.read_text()))
    folder = work / arm.key
    folder.mkdir(exist_ok=True)
    if not (folder / "data.h5").exists():
        write_data(part_of(read_data(work / "new.h5"), arm), folder / "data.h5")
    settings = FinetuneSettings.model_validate(
        {"replay_steps": arm.replay, "epochs": 1, "patience": None} | arm.changes
    )
    request = FinetuneInputs(folder / "data.h5", potential, work / "old.h5")
    job = prepare(request, settings)
    new_steps = sum(batch.part != "replay" for batch in job.batches(0))
    job.settings = settings.model_copy(update={"epochs": arm.steps / new_steps})
    trainer = Trainer(job, folder)
    trainer.run()
    # The last weights, whether or not an epoch ended there.
    tuned = job.model_of(trainer.average).float()
    found = judge(job.start, tuned, work) | {"memory": job.judge(tuned)[0]["force_memory"]}
    result.write_text(json.dumps(found))
    return found


def judge(start: Start, model: Any, work: Path) -> dict[str, float]:
    """Return distances of spectra on halides, shown and not, and on other crystals, THz."""
    from mlphonon.potentials.mace.mace_potential import MacePotential, WeightsInfo

    potential = MacePotential(model, WeightsInfo("it"), dtype="float32", head=start.head)
    return {
        name: float(spectrum_distances(potential, read_data(work / f"{name}.h5").curvatures).mean())
        for name in ("shown", "unseen", "others")
    }


def before(work: Path, potential: str) -> dict[str, float]:
    """Judge the potential that everything begins with."""
    result = work / "before.json"
    if not result.exists():
        start = load_start(potential)
        some = part_of(read_data(work / "new.h5"), Arm("", 2, 2))
        write_data(some, work / "some.h5")
        job = prepare(
            FinetuneInputs(work / "some.h5", potential, work / "old.h5"), FinetuneSettings()
        )
        memory = job.judge(start.trainable())[0]["force_memory"]
        found = judge(start, start.trainable(), work) | {"memory": memory}
        result.write_text(json.dumps(found))
    return dict(json.loads(result.read_text()))


def table(rows: Sequence[tuple[str, dict[str, float]]], first: dict[str, float]) -> str:
    """Return results side by side; improvement and forgetting relative to `first`."""
    lines = []
    for name, found in rows:
        lines.append(
            [
                name,
                f"{found['shown']:.3f}",
                f"{found['unseen']:.3f}",
                f"{first['unseen'] / found['unseen']:.1f}",
                f"{found['others']:.3f}",
                f"{found['memory']:.1f}",
                f"{100 * (found['memory'] / first['memory'] - 1):+.0f} %",
            ]
        )
    head = [
        "",
        "halides shown (THz)",
        "halides not shown (THz)",
        "times lower",
        "others (THz)",
        "old forces (meV/A)",
        "change",
    ]
    return markdown_table(head, lines)


def main() -> None:
    """Run what is not there yet, and write the page."""
    global N_CRYSTALS, N_STRUCTURES
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--potential", default="embedded", help="to begin with")
    parser.add_argument("--teacher", default="nequix-oam-1-pft")
    parser.add_argument("--work", type=Path, default=Path("runs/finetuning"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--quick", action="store_true", help="little of everything")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    ways, learning = WAYS, LEARNING
    if options.quick:
        N_CRYSTALS, N_STRUCTURES = 3, 4
        ways, learning = ([replace(arm, steps=4) for arm in arms[:2]] for arms in (WAYS, LEARNING))
    options.work.mkdir(parents=True, exist_ok=True)
    there = f"{machine()}, {datetime.date.today()}"
    make_data(options.teacher, options.work)
    first = before(options.work, options.potential)
    arms = [*ways, *learning]
    run = partial(run_arm, work=options.work, potential=options.potential)
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        done = list(pool.map(run, arms))
    found = list(zip([arm.name for arm in arms], done, strict=True))
    text = "\n\n".join(
        [
            f"{options.potential} taught by {options.teacher}; {there}.",
            "## Ways",
            f"{N_CRYSTALS} alkali halides, 10 structures of each, {STEPS} steps on new data.",
            table([("before", first), *found[: len(ways)]], first),
            "## How many crystals and structures",
            "With second derivatives and replay.",
            table(found[len(ways) :], first),
        ]
    )
    write_page(text, "finetuning.py", options.output)


if __name__ == "__main__":
    main()
