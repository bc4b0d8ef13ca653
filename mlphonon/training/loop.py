"""The training loop: data-parallel over processes, averaged weights, resumable to the bit."""

from __future__ import annotations

import csv
import datetime
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.distributed as dist

from mlphonon.errors import TrainingError
from mlphonon.files import write_whole
from mlphonon.potentials.architecture import MaceArchitecture, save_weights
from mlphonon.potentials.fused import fuse_convolutions
from mlphonon.training.dataset import (
    build_graphs,
    fit_atomic_energies,
    force_rms,
    make_batches,
    read_frames,
)
from mlphonon.training.element_sharing import plain_weights, share_elements
from mlphonon.training.loss import training_loss
from mlphonon.training.muon import Muon, matrix_blocks
from mlphonon.training.recipe import Recipe
from mlphonon.training.validation import ErrorTable, measure_errors

if TYPE_CHECKING:
    from mace.data import AtomicData


OUTPUT_GAIN = 5.0
"""Fresh weights give forces a thousand times too small. Messages divided by the root of the
number of neighbours (they add up with random signs) and this factor bring them near enough
that learning starts at once, not after some hundred steps."""


@dataclass(frozen=True)
class Workspace:
    """What a training process works on: frames as graphs, their sizes, and the model's shape."""

    recipe: Recipe
    architecture: MaceArchitecture
    training: list[AtomicData]
    validation: list[AtomicData]
    validation_kinds: tuple[str, ...]
    data_sha256: str

    @property
    def edges(self) -> np.ndarray:
        """Directed edges of each training graph, shape (n_frames,)."""
        return np.array([graph.edge_index.shape[1] for graph in self.training])


def prepare(recipe: Recipe, data: Sequence[Path]) -> Workspace:
    """Read, split and turn into graphs the labelled frames of the files `data`."""
    frames = read_frames(*data)
    training, validation = frames.split(recipe.validation_fraction, recipe.seed)
    elements = frames.elements
    references = fit_atomic_energies(training)
    if missing := set(elements) - references.keys():
        raise TrainingError(
            f"elements {sorted(missing)} occur in held-out crystals only",
            fix="change the recipe's seed or validation_fraction",
        )
    shape = recipe.shape
    kinds = recipe.loss.kinds
    graphs = build_graphs(training, elements, shape.r_max, kinds)
    edges = sum(graph.edge_index.shape[1] for graph in graphs)
    atoms = sum(graph.num_nodes for graph in graphs)
    architecture = MaceArchitecture(
        **shape.model_dump(),
        atomic_numbers=elements,
        atomic_energies=tuple(round(references[z], 6) for z in elements),
        avg_num_neighbors=round(float(np.sqrt(edges / atoms)), 4),
        scale=round(OUTPUT_GAIN * force_rms(training), 4),
    )
    held = build_graphs(validation, elements, shape.r_max, {})
    held_kinds = tuple(atoms.info["config"] for atoms in validation.frames)
    return Workspace(recipe, architecture, graphs, held, held_kinds, frames.sha256)


def rate_share(recipe: Recipe, step: int, total: int) -> float:
    """Share of the full learning rates that a step gets.

    Warm-up, plateau, and a linear fall to zero over the last `decay_fraction` of `total`.
    """
    falling = max(1.0, recipe.decay_fraction * total)
    return max(0.0, min(1.0, (step + 1) / recipe.warmup_steps, (total - step) / falling))


def make_optimizers(model: torch.nn.Module, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of a model, Adam for all else."""
    blocks = list(matrix_blocks(model))
    matrices = {id(block.parameter) for block in blocks}
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in matrices]
    adam = torch.optim.Adam(
        rest, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, amsgrad=True
    )
    return [adam, Muon(blocks, lr=recipe.matrix_learning_rate)]


class Trainer:
    """One process's share of a run; `processes` of them average their gradients each step."""

    def __init__(self, work: Workspace, folder: Path, rank: int) -> None:
        self.work, self.folder, self.rank = work, folder, rank
        recipe = work.recipe
        torch.manual_seed(recipe.seed)
        self.model = work.architecture.build("float32")
        fuse_convolutions(self.model)
        if recipe.share_elements:
            share_elements(self.model)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizers = make_optimizers(self.model, recipe)
        self.average = [p.detach().clone() for p in self.parameters]
        self.step = 0
        self.seconds = 0.0
        self.steps_per_epoch = len(self.epoch_batches(0))
        self.total_steps = round(recipe.epochs * self.steps_per_epoch)
        self.checkpoint = folder / "checkpoint.pt"
        if self.checkpoint.exists():
            self.resume()

    def epoch_batches(self, epoch: int) -> list[list[list[int]]]:
        """Frame indices of [step][process]; decided by seed and epoch alone, so resumable."""
        recipe = self.work.recipe
        rng = np.random.default_rng([recipe.seed, epoch])
        batches = make_batches(self.work.edges, recipe.edges_per_batch, rng)
        n = recipe.processes
        steps = [batches[i : i + n] for i in range(0, len(batches) - n + 1, n)]
        if epoch == 0:
            return steps
        # How many batches a shuffle gives varies by a few; every epoch is given as many steps.
        return (steps + steps)[: self.steps_per_epoch]

    def resume(self) -> None:
        """Take up the state of the last checkpoint, refusing one of another recipe or data set."""
        # A checkpoint holds tensors and numbers only, so it is read without unpickling code.
        state = torch.load(self.checkpoint, weights_only=True)
        identity = [self.work.recipe.digest(), self.work.data_sha256]
        if state["identity"] != identity:
            raise TrainingError(
                f"{self.checkpoint} belongs to another recipe or data set",
                fix="give another output folder, or the recipe and data it was begun with",
            )
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.average = list(state["average"])
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self, seconds: float) -> None:
        """Write the whole state, to a temporary name first."""
        state = {
            "identity": [self.work.recipe.digest(), self.work.data_sha256],
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "average": self.average,
            "step": self.step,
            "seconds": seconds,
        }
        temporary = self.checkpoint.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(self.checkpoint)

    def train_step(self, frames: list[int]) -> float:
        """One optimiser step on this process's batch; returns its loss."""
        recipe = self.work.recipe
        batch = collate([self.work.training[i] for i in frames])
        predicted = self.model(
            batch.to_dict(), training=True, compute_force=True, compute_stress=True
        )
        loss = training_loss(recipe.loss, batch, predicted)
        self.model.zero_grad(set_to_none=False)
        loss.backward()
        self.average_gradients()
        torch.nn.utils.clip_grad_norm_(self.parameters, recipe.gradient_clip)
        share = rate_share(recipe, self.step, self.total_steps)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = share * optimizer.defaults["lr"]
            optimizer.step()
        # The average follows quickly at first, so that early validation is not of old weights.
        decay = min(recipe.ema_decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)
        self.step += 1
        return float(loss.detach())

    def average_gradients(self) -> None:
        """Make every process's gradients the mean of all."""
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        if self.work.recipe.processes == 1:
            return
        flat = torch.cat([p.grad.reshape(-1) for p in self.parameters if p.grad is not None])
        dist.all_reduce(flat)
        flat /= self.work.recipe.processes
        start = 0
        for parameter in self.parameters:
            parameter.grad = flat[start : start + parameter.numel()].view_as(parameter)
            start += parameter.numel()

    @cached_property
    def _plain_model(self) -> torch.nn.Module:
        return self.work.architecture.build("float32")

    def averaged_model(self) -> torch.nn.Module:
        """Return a plain MACE that holds the averaged weights as they are now."""
        present = [parameter.detach().clone() for parameter in self.parameters]
        self._put(self.average)
        plain_weights(self.model, self._plain_model)
        self._put(present)
        return self._plain_model

    def _put(self, values: list[torch.Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self.parameters, values, strict=True):
                parameter.copy_(value)

    def run(self) -> None:
        """Train to the end of the recipe, with checkpoints, validation once an epoch, and a log."""
        from tqdm import tqdm

        begun = last_saved = time.monotonic()
        begun -= self.seconds
        # disable=None: no bar unless stderr is a terminal.
        hidden = None if self.rank == 0 else True
        bar = tqdm(total=self.total_steps, initial=self.step, unit="step", disable=hidden)
        losses: list[float] = []
        while self.step < self.total_steps:
            epoch, offset = divmod(self.step, self.steps_per_epoch)
            for frames in self.epoch_batches(epoch)[offset:]:
                losses.append(self.train_step(frames[self.rank]))
                bar.update()
                bar.set_postfix(loss=f"{losses[-1]:.2f}", refresh=False)
                if self.step >= self.total_steps:
                    break
                due = time.monotonic() - last_saved > 60 * self.work.recipe.checkpoint_minutes
                if self.rank == 0 and due:
                    last_saved = time.monotonic()
                    self.save(last_saved - begun)
            if self.rank == 0:
                self.save(time.monotonic() - begun)
                self.report(float(np.mean(losses)), time.monotonic() - begun)
            losses = []
        bar.close()

    def report(self, loss: float, seconds: float) -> None:
        """Validate the averaged weights, write them, their errors and a line of the log."""
        model = self.averaged_model()
        save_weights(model, self.work.architecture, self.folder)
        errors = measure_errors(model, self.work.validation, self.work.validation_kinds)
        table = {"by_kind": errors.by_kind(), "by_element": errors.by_element()}
        write_whole(self.folder / "errors.json", json.dumps(table, indent=1) + "\n")
        write_log(self.folder / "log.csv", self.log_row(loss, seconds, errors))

    def log_row(self, loss: float, seconds: float, errors: ErrorTable) -> dict[str, Any]:
        """Return what one line of the log says."""
        recipe = self.work.recipe
        rate = recipe.learning_rate * rate_share(recipe, self.step - 1, self.total_steps)
        row: dict[str, Any] = {
            "epoch": round(self.step / self.steps_per_epoch, 3),
            "step": self.step,
            "seconds": round(seconds),
            "learning_rate": f"{rate:.2e}",
            "loss": round(loss, 4),
        }
        return row | {name: round(value, 3) for name, value in errors.summary().items()}


def collate(graphs: list[AtomicData]) -> Any:
    """Join graphs into one MACE batch."""
    from mace.tools.torch_geometric.batch import Batch

    return Batch.from_data_list(graphs)


def write_log(path: Path, row: dict[str, Any]) -> None:
    """Append `row` to the CSV log (with a header if it is new) and print it."""
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row.keys())
        if fresh:
            writer.writeheader()
        writer.writerow(row)
    print("  ".join(f"{key}={value}" for key, value in row.items()), flush=True)


def train(recipe: Recipe, data: Sequence[Path], folder: Path) -> None:
    """Train by `recipe` on the frames in the files `data`; what comes of it goes to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    if recipe.processes == 1:
        _process(0, recipe, data, folder, 0)
        return
    port = 29000 + os.getpid() % 2000
    torch.multiprocessing.spawn(
        _process, args=(recipe, data, folder, port), nprocs=recipe.processes
    )


def _process(rank: int, recipe: Recipe, data: Sequence[Path], folder: Path, port: int) -> None:
    """Body of one training process."""
    # One thread each: two one-thread processes do 1.36 times the work of one with two threads.
    torch.set_num_threads(1)
    if recipe.processes > 1:
        dist.init_process_group(
            "gloo",
            init_method=f"tcp://127.0.0.1:{port}",
            rank=rank,
            world_size=recipe.processes,
            timeout=datetime.timedelta(hours=2),
        )
    Trainer(prepare(recipe, data), folder, rank).run()
    if recipe.processes > 1:
        dist.destroy_process_group()
