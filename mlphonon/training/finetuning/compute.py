"""Fine-tuning from files to a folder: data, settings and a potential -> a better potential."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.errors import TrainingError
from mlphonon.potentials.training_space import FILE as TRAINING_SPACE
from mlphonon.reporter import Reporter, Silent
from mlphonon.training.data.frame import Frame, TrainingData, join
from mlphonon.training.data.store import digest, read_data
from mlphonon.training.finetuning.card import write_card
from mlphonon.training.finetuning.inputs import FinetuneInputs
from mlphonon.training.finetuning.job import FinetuneJob
from mlphonon.training.finetuning.replay import self_labelled
from mlphonon.training.finetuning.samples import make_samples
from mlphonon.training.finetuning.settings import FinetuneSettings
from mlphonon.training.finetuning.start import Start, load_start
from mlphonon.training.finetuning.training_space import write_training_space
from mlphonon.training.optimisation.checkpoint import load_checkpoint
from mlphonon.training.optimisation.processes import run_job

if TYPE_CHECKING:
    from ase import Atoms

NAMED = 8
"""Crystals that a message names."""


def finetune(
    inputs: FinetuneInputs,
    settings: FinetuneSettings,
    folder: Path,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Fine-tune a potential; the same call resumes what was stopped.

    Parameters
    ----------
    inputs : FinetuneInputs
        Data, and the potential to begin with.
    settings : FinetuneSettings
        How.
    folder : Path
        Receives ``potential.model``, ``card.json``, ``CARD.md``, ``settings.json``, ``log.csv``
        and ``checkpoint.pt``; and ``training_space.npz`` if it is known what the first potential
        was trained on.
    reporter : Reporter, optional
        Is told what is being done.

    Returns
    -------
    dict
        The card: errors before and after, data, settings, digests.

    Raises
    ------
    TrainingError
        If the result would take the place of the potential it begins with, or see `prepare`.
    """
    reporter = reporter or Silent()
    _check_output(inputs, folder)
    with reporter.step("reading data and potential", None):
        job = prepare(inputs, settings, reporter.say)
    reporter.say(lambda: describe(job))
    # It would belong to earlier weights.
    (folder / TRAINING_SPACE).unlink(missing_ok=True)
    make = (lambda: job) if settings.processes == 1 else partial(prepare, inputs, settings)
    run_job(make, settings, folder, reporter.say)
    # From the checkpoint, which holds tensors alone: what else lies in the folder, a pickle of
    # anybody's perhaps, is written over and never read.
    tuned = job.model_of(load_checkpoint(folder, job.identity)["best_weights"])
    sha256 = job.write_model(tuned, folder)
    with reporter.step("judging before and after", None):
        card = write_card(job, inputs, tuned, sha256, folder)
    with reporter.step("writing down what it was trained on", None):
        outcome = write_training_space(job.start, tuned, trained_on(inputs, job), folder)
    reporter.say(outcome)
    return card


def _check_output(inputs: FinetuneInputs, folder: Path) -> None:
    """Refuse to write over the potential that is read: no second call could resume then."""
    source = Path(inputs.potential)
    if source.exists() and folder.resolve() in (source.resolve(), source.resolve().parent):
        raise TrainingError(
            f"the result would be written over the potential {source}",
            f"it lies in the output folder {folder}",
            "give another folder with -o",
        )


def prepare(
    inputs: FinetuneInputs, settings: FinetuneSettings, say: Callable[[str], None] | None = None
) -> FinetuneJob:
    """Read all that a fine-tuning needs.

    Parameters
    ----------
    inputs : FinetuneInputs
        Data, and the potential to begin with.
    settings : FinetuneSettings
        How.
    say : callable, optional
        Is told which crystals are left out.

    Raises
    ------
    TrainingError
        If the data hold elements that the potential does not know, or nothing to learn from.
    """
    start = load_start(inputs.potential, inputs.head, inputs.allow_pickle)
    data = _known_crystals(read_data(inputs.data), start, settings, say)
    if settings.align_energies:
        data = align_energies(data, start)
    training, held = data.part(held_out=False), data.part(held_out=True)
    if not (training.frames or training.curvatures):
        raise TrainingError(
            f"{inputs.data} holds nothing to learn from"
            + (", only what is held out" if held.frames or held.curvatures else ""),
            fix="build it of more crystals",
        )
    replayed, kept_back = split_old_data(inputs, settings, start, data)
    kinds = settings.loss.kinds
    names = [digest(path) for path in (inputs.data, inputs.replay) if path is not None]
    return FinetuneJob(
        start=start,
        settings=settings,
        training=make_samples(training, start, kinds),
        held_out=make_samples(held, start, {}),
        replay=make_samples(replayed, start, {}),
        memory=make_samples(kept_back, start, {}),
        curvatures=list(held.curvatures),
        data_sha256=hashlib.sha256(" ".join(names).encode()).hexdigest(),
    )


def trained_on(inputs: FinetuneInputs, job: FinetuneJob) -> TrainingData:
    """Return what was learned from: new data, and those that were replayed from a file."""
    data = _known_crystals(read_data(inputs.data), job.start, job.settings)
    if inputs.replay is None:
        return data.part(held_out=False)
    replayed, _ = split_old_data(inputs, job.settings, job.start, data)
    return join([data.part(held_out=False), replayed])


def describe(job: FinetuneJob) -> str:
    """Return a line on what is going to be done."""
    parts = {name: len(samples) for name, samples in job.parts.items()}
    weights = [p.numel() for p in job.build().parameters() if p.requires_grad]
    steps = len(job.batches(0)) // job.settings.processes
    return (
        f"{job.start.info.name}: {sum(weights):,} weights learn from {parts['curved']} samples with"
        f" second derivatives, {parts['plain']} without, {parts['replay']} old ones; judged by"
        f" {len(job.held_out)} that are held out; {job.settings.epochs:g} epochs of {steps} steps"
    )


def _known_crystals(
    data: TrainingData,
    start: Start,
    settings: FinetuneSettings,
    say: Callable[[str], None] | None = None,
) -> TrainingData:
    """Return the crystals all of whose elements the potential knows; refuse others, or drop them.

    Raises
    ------
    TrainingError
        With the names of the others.
    """
    from ase.data import chemical_symbols

    known = start.info.elements
    if known is None:
        return data
    unknown: dict[str, set[int]] = {}
    for name, atoms in [
        *((frame.crystal, frame.atoms) for frame in data.frames),
        *((one.crystal, one.unitcell) for one in data.curvatures),
    ]:
        if new := set(atoms.numbers.tolist()) - known:
            unknown.setdefault(name, set()).update(new)
    if not unknown:
        return data
    elements = ", ".join(chemical_symbols[z] for z in sorted(set().union(*unknown.values())))
    names = ", ".join(sorted(unknown)[:NAMED]) + (" ..." if len(unknown) > NAMED else "")
    if not settings.leave_out_unknown:
        raise TrainingError(
            f"potential '{start.info.name}' does not know {elements}, which"
            f" {len(unknown)} of the crystals hold: {names}",
            "fine-tuning adds no elements",
            "leave those crystals out with --leave-out-unknown, or take another potential",
        )
    if say:
        say(f"{len(unknown)} crystals with {elements} are left out: {names}")

    def is_known(atoms: Atoms) -> bool:
        return set(atoms.numbers.tolist()) <= known

    return TrainingData(
        tuple(frame for frame in data.frames if is_known(frame.atoms)),
        tuple(one for one in data.curvatures if is_known(one.unitcell)),
        data.held_out,
    )


def align_energies(data: TrainingData, start: Start) -> TrainingData:
    """Shift energies, element by element, to where the potential has them.

    Only what composition explains is taken away, by least squares over all frames, those held out
    too: nothing is known of the zero of an element that occurs only there. Differences between
    frames of one composition stay as they are.
    """
    known = [frame for frame in data.frames if frame.energy is not None]
    if not known:
        return data
    elements = sorted({int(z) for frame in data.frames for z in frame.atoms.numbers})
    found = [each.energy for each in start.potential().evaluate([f.atoms for f in known])]
    counts = np.array([_count(frame, elements) for frame in known])
    off = np.array([frame.energy for frame in known], dtype=float) - np.array(found)
    shift, *_ = np.linalg.lstsq(counts, off, rcond=None)

    def shifted(frame: Frame) -> Frame:
        if frame.energy is None:
            return frame
        return replace(frame, energy=frame.energy - float(_count(frame, elements) @ shift))

    return replace(data, frames=tuple(shifted(frame) for frame in data.frames))


def _count(frame: Frame, elements: list[int]) -> np.ndarray:
    return np.array([np.sum(frame.atoms.numbers == z) for z in elements], dtype=float)


def split_old_data(
    inputs: FinetuneInputs, settings: FinetuneSettings, start: Start, data: TrainingData
) -> tuple[TrainingData, TrainingData]:
    """Return what is replayed, and what is kept back to show how much of the old is forgotten.

    Formulas that the new or the old data hold out are in neither: they would leak. No formula is
    in both.

    Parameters
    ----------
    inputs : FinetuneInputs
        Where the old data are, if anywhere.
    settings : FinetuneSettings
        Which share is kept back.
    start : Start
        Labels simple crystals where there are no old data.
    data : TrainingData
        The new data.

    Raises
    ------
    TrainingError
        If nothing is left to replay.
    """
    old = self_labelled(start) if inputs.replay is None else read_data(inputs.replay)
    old = replace(old, held_out=old.held_out | data.held_out).part(held_out=False)
    if len(old.formulas) < 2:
        raise TrainingError(
            "there is too little to replay", fix="give a larger --replay of other formulas"
        )
    old = old.hold_out(settings.memory_fraction, settings.seed)
    replayed = old.part(held_out=False) if settings.replay_steps else TrainingData()
    return replayed, old.part(held_out=True)
