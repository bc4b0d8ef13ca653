"""Fine-tuning from files to a folder: data, settings and a potential -> a better potential."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mlphonon.errors import TrainingError
from mlphonon.potentials.training_space import FILE as TRAINING_SPACE
from mlphonon.reporter import Reporter, Silent
from mlphonon.training.data.frame import Frame, TrainingData, join
from mlphonon.training.data.store import digest, read_data
from mlphonon.training.finetuning.card import write_card
from mlphonon.training.finetuning.job import FinetuneJob
from mlphonon.training.finetuning.replay import own_labels
from mlphonon.training.finetuning.request import Request
from mlphonon.training.finetuning.samples import make_samples
from mlphonon.training.finetuning.settings import FinetuneSettings
from mlphonon.training.finetuning.start import Start, load_start
from mlphonon.training.finetuning.taught import write_training_space
from mlphonon.training.loop import run_job


def prepare(request: Request, settings: FinetuneSettings) -> FinetuneJob:
    """Read all that a fine-tuning needs.

    Raises
    ------
    TrainingError
        If the data hold elements that the potential does not know, or nothing to learn.
    """
    start = load_start(request.potential, request.head, request.allow_pickle)
    data = read_data(request.data)
    _check_elements(data, start)
    if settings.align_energies:
        data = align_energies(data, start)
    training, held = data.part(held_out=False), data.part(held_out=True)
    if not (training.frames or training.curvatures):
        raise TrainingError(f"{request.data} holds nothing to learn from, only what is held out")
    rehearsed, asked = _old_data(request, settings, start, data)
    kinds = settings.loss.kinds
    names = [digest(path) for path in (request.data, request.replay) if path is not None]
    return FinetuneJob(
        start=start,
        settings=settings,
        training=make_samples(training, start, kinds),
        held_out=make_samples(held, start, {}),
        replay=make_samples(rehearsed, start, {}),
        memory=make_samples(asked, start, {}),
        curvatures=list(held.curvatures),
        data_sha256=hashlib.sha256(" ".join(names).encode()).hexdigest(),
    )


def finetune(
    request: Request, settings: FinetuneSettings, folder: Path, reporter: Reporter | None = None
) -> dict[str, Any]:
    """Fine-tune a potential; the same call resumes what was stopped.

    Parameters
    ----------
    request : Request
        Data, and the potential to begin with.
    settings : FinetuneSettings
        How.
    folder : Path
        Receives ``potential.model``, ``card.json``, ``CARD.md``, ``settings.json``, ``log.csv``
        and ``checkpoint.pt``; and ``training_space.npz`` if it is known what the first potential
        was taught.
    reporter : Reporter, optional
        Is told what is being done.

    Returns
    -------
    dict
        The card: errors before and after, data, settings, digests.
    """
    reporter = reporter or Silent()
    with reporter.step("reading data and potential", None):
        job = prepare(request, settings)
    reporter.say(lambda: describe(job))
    # It would belong to earlier weights.
    (folder / TRAINING_SPACE).unlink(missing_ok=True)
    make = (lambda: job) if settings.processes == 1 else partial(prepare, request, settings)
    run_job(make, settings, folder, reporter.say)
    with reporter.step("judging before and after", None):
        card = write_card(job, request, folder)
    with reporter.step("writing down what it was taught", None):
        done = write_training_space(job.start, _taught(request, settings, job.start), folder)
    reporter.say(done)
    return card


def _taught(request: Request, settings: FinetuneSettings, start: Start) -> TrainingData:
    """Return what was learnt from: new data, and those that were rehearsed from a file."""
    data = read_data(request.data)
    if request.replay is None:
        return data.part(held_out=False)
    rehearsed, _ = _old_data(request, settings, start, data)
    return join([data.part(held_out=False), rehearsed])


def describe(job: FinetuneJob) -> str:
    """Return a line that says what is going to be done."""
    parts = {name: len(samples) for name, samples in job.parts.items()}
    weights = [p.numel() for p in job.build().parameters() if p.requires_grad]
    steps = len(job.batches(0)) // job.settings.processes
    return (
        f"{job.start.info.name}: {sum(weights):,} weights learn from {parts['curved']} samples with"
        f" second derivatives, {parts['plain']} without, {parts['replay']} old ones; judged by"
        f" {len(job.held_out)} that are held out; {job.settings.epochs:g} epochs of {steps} steps"
    )


def _check_elements(data: TrainingData, start: Start) -> None:
    from ase.data import chemical_symbols

    present = {int(z) for frame in data.frames for z in frame.atoms.numbers}
    present |= {int(z) for one in data.curvatures for z in one.unitcell.numbers}
    if unknown := sorted(present - (start.info.elements or present)):
        raise TrainingError(
            f"potential '{start.info.name}' does not know"
            f" {', '.join(chemical_symbols[z] for z in unknown)}",
            "fine-tuning adds no elements",
            "take another potential, or leave those crystals out",
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


def _old_data(
    request: Request, settings: FinetuneSettings, start: Start, data: TrainingData
) -> tuple[TrainingData, TrainingData]:
    """Return what is rehearsed, and what shows whether the rest is forgotten.

    Formulas that the new data hold out are in neither: they would leak.
    """
    old = own_labels(start) if request.replay is None else read_data(request.replay)
    old = replace(old, held_out=data.held_out).part(held_out=False)
    if len(old.formulas) < 2:
        raise TrainingError(
            "there is too little to rehearse", fix="give a larger --replay of other formulas"
        )
    old = old.hold_out(settings.memory_fraction, settings.seed)
    rehearsed = old.part(held_out=False) if settings.replay_steps else TrainingData()
    return rehearsed, old.part(held_out=True)
