"""Training a MACE from scratch: a recipe and labelled frames -> weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from mlphonon.errors import TrainingError
from mlphonon.potentials.mace.architecture import MaceArchitecture
from mlphonon.training.data.frame import Frame, TrainingData, join
from mlphonon.training.data.reading import read_sources
from mlphonon.training.data.store import digest
from mlphonon.training.from_scratch.job import FromScratchJob
from mlphonon.training.from_scratch.settings import Recipe
from mlphonon.training.graphs import GraphBuilder, edges_of
from mlphonon.training.optimisation.processes import run_job

OUTPUT_GAIN = 5.0
"""Fresh weights give forces a thousand times too small. Messages divided by the root of the
number of neighbours (they add up with random signs) and this factor bring them near enough
that learning starts at once, not after some hundred steps."""


def train(recipe: Recipe, sources: Sequence[Path], folder: Path) -> None:
    """Train a MACE from scratch; the same call resumes what was stopped.

    Parameters
    ----------
    recipe : Recipe
        How.
    sources : sequence of Path
        Labelled frames (see `mlphonon.training.data.reading.read_sources`).
    folder : Path
        Receives weights, architecture, errors, log and checkpoint.

    Raises
    ------
    TrainingError
        If the data cannot be read or are too few, or a checkpoint is of another run.
    """
    run_job(partial(prepare, recipe, tuple(sources)), recipe, folder)


def prepare(recipe: Recipe, sources: Sequence[Path]) -> FromScratchJob:
    """Read labelled frames, split them by formula, and turn them into graphs.

    Raises
    ------
    TrainingError
        If they cannot be read, are too few, or an element is held out altogether.
    """
    data = join(read_sources(list(sources)))
    if not data.held_out:
        data = hold_out(data, recipe.validation_fraction, recipe.seed)
    training, validation = data.part(held_out=False).frames, data.part(held_out=True).frames
    _check_parts(training, validation)
    elements = _elements(data.frames)
    references = fit_atomic_energies(training)
    if missing := set(elements) - references.keys():
        raise TrainingError(
            f"elements {sorted(missing)} occur in held-out crystals only",
            fix="change the recipe's seed or validation_fraction",
        )
    builder = GraphBuilder(elements, recipe.shape.r_max)
    kinds = recipe.loss.kinds
    graphs = [builder.of_frame(frame, kinds.get(frame.kind, 1.0)) for frame in training]
    edges = int(edges_of(graphs).sum())
    atoms = sum(graph.num_nodes for graph in graphs)
    architecture = MaceArchitecture(
        **recipe.shape.model_dump(),
        atomic_numbers=elements,
        atomic_energies=tuple(round(references[z], 6) for z in elements),
        avg_num_neighbors=round(float(np.sqrt(edges / atoms)), 4),
        scale=round(OUTPUT_GAIN * force_rms(training), 4),
    )
    return FromScratchJob(
        settings=recipe,
        architecture=architecture,
        training=graphs,
        validation=[builder.of_frame(frame) for frame in validation],
        validation_kinds=tuple(frame.kind for frame in validation),
        data_sha256=hashlib.sha256(" ".join(map(digest, sources)).encode()).hexdigest(),
    )


def hold_out(data: TrainingData, fraction: float, seed: int) -> TrainingData:
    """Return the same data with about a share of its formulas held out.

    Each formula is drawn by itself, so that it stays on its side when data are added (which
    `TrainingData.hold_out` does not promise: it holds out an exact share). Polymorphs of one
    formula are near relatives; they go to the same side.
    """

    def share(frame: Frame) -> float:
        # Not `Frame.formula`: the embedded potential's split was drawn by this spelling.
        key = f"{seed}:{frame.atoms.symbols.get_chemical_formula('hill', empirical=True)}"
        return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) / 0x100000000

    held = frozenset(frame.formula for frame in data.frames if share(frame) < fraction)
    return replace(data, held_out=held)


def fit_atomic_energies(frames: Sequence[Frame]) -> dict[int, float]:
    """Least-squares energy per element, eV: what composition alone explains.

    Isolated-atom energies would leave cohesive energies of several eV per atom in the
    target; they swamped the forces in a first training.
    """
    known = [frame for frame in frames if frame.energy is not None]
    elements = _elements(known)
    counts = np.array([[np.sum(f.atoms.numbers == z) for z in elements] for f in known], float)
    energies = np.array([frame.energy for frame in known], dtype=float)
    solution, *_ = np.linalg.lstsq(counts, energies, rcond=None)
    return dict(zip(elements, (float(e) for e in solution), strict=True))


def force_rms(frames: Sequence[Frame]) -> float:
    """Root mean square of all force components, eV/A."""
    squares = [np.square(frame.forces).sum() for frame in frames]
    return float(np.sqrt(sum(squares) / (3 * sum(len(frame.atoms) for frame in frames))))


def _elements(frames: Sequence[Frame]) -> tuple[int, ...]:
    """Return the atomic numbers that occur, ascending."""
    return tuple(sorted({int(z) for frame in frames for z in frame.atoms.numbers}))


def _check_parts(training: Sequence[Frame], validation: Sequence[Frame]) -> None:
    if not any(frame.energy is not None for frame in training):
        raise TrainingError(
            "there is no structure with energy and forces to learn from",
            "force constants alone, and forces without energies, do for fine-tuning only",
            "give labelled structures",
        )
    if force_rms(training) == 0.0:
        raise TrainingError(
            "all forces are zero", "nothing is to be learned from them", "give displaced structures"
        )
    if not validation:
        raise TrainingError(
            "no formula is held out to measure errors on",
            "so few formulas were drawn by the recipe's seed and validation_fraction that it is"
            " none",
            "give more crystals, or a larger validation_fraction",
        )
