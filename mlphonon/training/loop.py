"""The training loop: data-parallel over processes, averaged weights, resumable to the bit."""

from __future__ import annotations

import csv
import datetime
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.distributed as dist

from mlphonon.errors import MlphononError, TrainingError
from mlphonon.io.atomic_files import write_whole
from mlphonon.potentials.loading import resolve_device
from mlphonon.system.child_process import behave_as_child
from mlphonon.training.optimisation import Optimisation, make_optimizers, rate_share

Say = Callable[[str], None]
"""Is told a line at each report."""


class Job(Protocol):
    """What is learnt, and from what; the loop knows neither."""

    @property
    def settings(self) -> Optimisation:
        """How weights are moved."""
        ...

    @property
    def identity(self) -> list[str]:
        """Digests of settings and data; a checkpoint of others is refused."""
        ...

    @property
    def patience(self) -> int | None:
        """Reports without a better score after which training ends; None: at the end."""
        ...

    def build(self) -> torch.nn.Module:
        """Return the model as it is before the first step."""
        ...

    def batches(self, epoch: int) -> Sequence[Any]:
        """Return the batches of an epoch, decided by settings and epoch alone."""
        ...

    def loss(self, model: torch.nn.Module, batch: Any, seed: Sequence[int]) -> torch.Tensor:
        """Return the loss of a batch; `seed` is another one for every step and process."""
        ...

    def validate(self, model: torch.nn.Module) -> tuple[dict[str, float], float | None]:
        """Return errors for the log, and the score (low is good) that decides what is kept."""
        ...

    def write(self, model: torch.nn.Module, folder: Path) -> None:
        """Write the model to `folder`."""
        ...


class Trainer:
    """One process's share of a run; `processes` of them average their gradients each step."""

    def __init__(
        self, job: Job, folder: Path, rank: int = 0, device: str = "cpu", say: Say = print
    ) -> None:
        self.job, self.folder, self.rank, self.device, self.say = job, folder, rank, device, say
        self.settings = job.settings
        torch.manual_seed(self.settings.seed)
        self.model = job.build().to(device)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizers = make_optimizers(self.model, self.settings)
        self.average = [p.detach().clone() for p in self.parameters]
        self.step = 0
        self.seconds = 0.0
        self.best, self.reports_since = float("inf"), 0
        self.steps_per_epoch = len(self.epoch_batches(0))
        self.total_steps = round(self.settings.epochs * self.steps_per_epoch)
        self.checkpoint = folder / "checkpoint.pt"
        if self.checkpoint.exists():
            self.resume()

    def epoch_batches(self, epoch: int) -> list[Sequence[Any]]:
        """Batches of [step][process]; decided by seed and epoch alone, so resumable."""
        batches = self.job.batches(epoch)
        n = self.settings.processes
        steps = [batches[i : i + n] for i in range(0, len(batches) - n + 1, n)]
        if not steps:
            raise TrainingError(
                f"there is not a batch for each of {n} processes",
                fix="give more data, fewer processes or smaller batches (edges_per_batch)",
            )
        if epoch == 0:
            return steps
        # How many batches a shuffle gives varies by a few; every epoch is given as many steps.
        return (steps + steps)[: self.steps_per_epoch]

    def resume(self) -> None:
        """Take up the state of the last checkpoint, refusing one of another recipe or data set."""
        # A checkpoint holds tensors and numbers only, so it is read without unpickling code.
        state = torch.load(self.checkpoint, weights_only=True, map_location=self.device)
        if state["identity"] != self.job.identity:
            raise TrainingError(
                f"{self.checkpoint} belongs to another recipe or data set",
                fix="give another output folder, or the recipe and data it was begun with",
            )
        self._put(state["weights"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.average = list(state["average"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.best, self.reports_since = state["best"], state["reports_since"]

    def save(self, seconds: float) -> None:
        """Write the whole state, to a temporary name first."""
        state = {
            "identity": self.job.identity,
            "weights": [parameter.detach() for parameter in self.parameters],
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "average": self.average,
            "step": self.step,
            "seconds": seconds,
            "best": self.best,
            "reports_since": self.reports_since,
        }
        temporary = self.checkpoint.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(self.checkpoint)

    def train_step(self, batch: Any) -> float:
        """One optimiser step on this process's batch; returns its loss."""
        settings = self.settings
        loss = self.job.loss(self.model, batch, (settings.seed, self.step, self.rank))
        self.model.zero_grad(set_to_none=False)
        loss.backward()
        self.average_gradients()
        torch.nn.utils.clip_grad_norm_(self.parameters, settings.gradient_clip)
        share = rate_share(settings, self.step, self.total_steps)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = share * optimizer.defaults["lr"]
            optimizer.step()
        # The average follows quickly at first, so that early validation is not of old weights.
        decay = min(settings.ema_decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)
        self.step += 1
        return float(loss.detach())

    def average_gradients(self) -> None:
        """Make every process's gradients the mean of all."""
        for parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        if self.settings.processes == 1:
            return
        flat = torch.cat([p.grad.reshape(-1) for p in self.parameters if p.grad is not None])
        dist.all_reduce(flat)
        flat /= self.settings.processes
        start = 0
        for parameter in self.parameters:
            parameter.grad = flat[start : start + parameter.numel()].view_as(parameter)
            start += parameter.numel()

    @contextmanager
    def averaged(self) -> Iterator[torch.nn.Module]:
        """Give the model its averaged weights for a while."""
        present = [parameter.detach().clone() for parameter in self.parameters]
        self._put(self.average)
        try:
            yield self.model
        finally:
            self._put(present)

    def _put(self, values: Sequence[torch.Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self.parameters, values, strict=True):
                parameter.copy_(value)

    def run(self) -> None:
        """Train to the end, with checkpoints, a report once an epoch, and a log."""
        from tqdm import tqdm

        begun = last_saved = time.monotonic()
        begun -= self.seconds
        # disable=None: no bar unless stderr is a terminal.
        hidden = None if self.rank == 0 else True
        bar = tqdm(total=self.total_steps, initial=self.step, unit="step", disable=hidden)
        losses: list[float] = []
        while self.step < self.total_steps and not self.ended():
            epoch, offset = divmod(self.step, self.steps_per_epoch)
            for batches in self.epoch_batches(epoch)[offset:]:
                losses.append(self.train_step(batches[self.rank]))
                bar.update()
                bar.set_postfix(loss=f"{losses[-1]:.2f}", best=f"{self.best:.3g}", refresh=False)
                if self.step >= self.total_steps:
                    break
                due = time.monotonic() - last_saved > 60 * self.settings.checkpoint_minutes
                if self.rank == 0 and due:
                    last_saved = time.monotonic()
                    self.save(last_saved - begun)
            if self.rank == 0:
                self.report(float(np.mean(losses)), time.monotonic() - begun)
                self.save(time.monotonic() - begun)
            losses = []
        bar.close()

    def ended(self) -> bool:
        """Tell whether the score has not become better for too long; the first process decides."""
        enough = self.job.patience is not None and self.reports_since >= self.job.patience
        if self.settings.processes == 1:
            return enough
        said = torch.tensor([float(enough)], device=self.device)
        dist.broadcast(said, 0)
        return bool(said.item())

    def report(self, loss: float, seconds: float) -> None:
        """Validate the averaged weights, write them if they are the best, and a line of the log."""
        with self.averaged() as model:
            errors, score = self.job.validate(model)
            better = score is None or score < self.best
            if better:
                self.job.write(model, self.folder)
        self.reports_since = 0 if better else self.reports_since + 1
        self.best = self.best if score is None else min(self.best, score)
        row = self.log_row(loss, seconds, errors)
        write_log(self.folder / "log.csv", row)
        self.say("  ".join(f"{key}={value}" for key, value in row.items()))

    def log_row(self, loss: float, seconds: float, errors: dict[str, float]) -> dict[str, Any]:
        """Return what one line of the log says."""
        settings = self.settings
        rate = settings.learning_rate * rate_share(settings, self.step - 1, self.total_steps)
        row: dict[str, Any] = {
            "epoch": round(self.step / self.steps_per_epoch, 3),
            "step": self.step,
            "seconds": round(seconds),
            "learning_rate": f"{rate:.2e}",
            "loss": round(loss, 4),
        }
        return row | {name: round(value, 3) for name, value in errors.items()}


def write_log(path: Path, row: dict[str, Any]) -> None:
    """Append `row` to the CSV log; rows of a course that was given up for a checkpoint go."""
    rows: list[dict[str, Any]] = []
    if path.exists():
        with path.open(newline="") as file:
            rows = [old for old in csv.DictReader(file) if int(old["step"]) < row["step"]]
    text = io.StringIO()
    writer = csv.DictWriter(text, row.keys(), lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows([*rows, row])
    write_whole(path, text.getvalue())


def run_job(
    make_job: Callable[[], Job], settings: Optimisation, folder: Path, say: Say = print
) -> None:
    """Train in as many processes as the settings say, each with a job of its own.

    Parameters
    ----------
    make_job : callable
        Can be pickled; called in every process.
    settings : Optimisation
        The job's.
    folder : Path
        Receives everything; made if it is not there. A run that was stopped there is resumed.
    say : callable
        Is told a line at each report; can be pickled.

    Raises
    ------
    TrainingError
        If a process cannot begin, or is killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    device = resolve_device(settings.device)
    if settings.processes == 1:
        Trainer(make_job(), folder, device=device, say=say).run()
        return
    words = folder / ".last_words"
    words.unlink(missing_ok=True)
    port = 29000 + os.getpid() % 2000
    try:
        torch.multiprocessing.spawn(
            _process,
            args=(make_job, settings.processes, folder, port, device, say),
            nprocs=settings.processes,
        )
    except torch.multiprocessing.ProcessExitedException as error:
        if words.exists():
            raise TrainingError(words.read_text()) from error
        raise TrainingError(
            "a training process was killed",
            str(error),
            "give it more memory or smaller batches (edges_per_batch); the same command resumes",
        ) from error
    finally:
        words.unlink(missing_ok=True)


def _process(
    rank: int,
    make_job: Callable[[], Job],
    processes: int,
    folder: Path,
    port: int,
    device: str,
    say: Say,
) -> None:
    """Body of one of several training processes."""
    behave_as_child()
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        device = f"cuda:{rank % torch.cuda.device_count()}"
        torch.cuda.set_device(device)
    else:
        # One thread each: two one-thread processes do 1.36 times the work of one with two threads.
        torch.set_num_threads(1)
    dist.init_process_group(
        "nccl" if on_gpu else "gloo",
        init_method=f"tcp://127.0.0.1:{port}",
        rank=rank,
        world_size=processes,
        timeout=datetime.timedelta(hours=2),
    )
    try:
        Trainer(make_job(), folder, rank, device, say).run()
    except MlphononError as error:
        # What a user can mend is told in one line by the process that the user started.
        (folder / ".last_words").write_text(str(error))
        os._exit(2)
    dist.destroy_process_group()
