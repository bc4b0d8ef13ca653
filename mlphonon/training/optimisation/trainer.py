"""The training loop: data-parallel over processes, averaged weights, resumable to the bit."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.distributed as dist

from mlphonon.errors import TrainingError
from mlphonon.training.optimisation.checkpoint import FILE as CHECKPOINT
from mlphonon.training.optimisation.checkpoint import load_checkpoint, save_checkpoint
from mlphonon.training.optimisation.log import Interval, time_left, write_log
from mlphonon.training.optimisation.optimisers import make_optimizers, rate_share
from mlphonon.training.optimisation.settings import OptimisationSettings

RECENT = 50
"""Steps over whose losses the mean is shown within an epoch."""

Say = Callable[[str], None]
"""Is told a line at each report."""


class TrainingJob(Protocol):
    """What is learned, and from what; the loop knows neither."""

    @property
    def settings(self) -> OptimisationSettings:
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
        self, job: TrainingJob, folder: Path, rank: int = 0, device: str = "cpu", say: Say = print
    ) -> None:
        self.job, self.folder, self.rank, self.device, self.say = job, folder, rank, device, say
        self.settings = job.settings
        torch.manual_seed(self.settings.seed)
        self.model = job.build().to(device)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizers = make_optimizers(self.model, self.settings)
        self.average = [p.detach().clone() for p in self.parameters]
        self.best_weights = [p.clone() for p in self.average]
        self.step = 0
        self.seconds = 0.0
        self.best, self.reports_since = float("inf"), 0
        self.steps_per_epoch = len(self.epoch_batches(0))
        self.total_steps = max(1, round(self.settings.epochs * self.steps_per_epoch))
        if (folder / CHECKPOINT).exists():
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
        state = load_checkpoint(self.folder, self.job.identity, self.device)
        self._put(state["weights"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.average, self.best_weights = list(state["average"]), list(state["best_weights"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.best, self.reports_since = state["best"], state["reports_since"]

    def save(self, seconds: float) -> None:
        """Write the whole state."""
        state = {
            "identity": self.job.identity,
            "weights": [parameter.detach() for parameter in self.parameters],
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "average": self.average,
            "best_weights": self.best_weights,
            "step": self.step,
            "seconds": seconds,
            "best": self.best,
            "reports_since": self.reports_since,
        }
        save_checkpoint(self.folder, state)

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

        begun = time.monotonic() - self.seconds
        first = self.step
        save_due = Interval(60 * self.settings.checkpoint_minutes)
        log_due = Interval(60 * self.settings.log_minutes)
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
                if self.rank == 0 and save_due.due():
                    self.save(time.monotonic() - begun)
                if self.rank == 0 and log_due.due():
                    seconds = time.monotonic() - begun
                    self.log_progress(
                        losses, seconds, (seconds - self.seconds) / (self.step - first)
                    )
            if self.rank == 0:
                self.report(float(np.mean(losses)), time.monotonic() - begun)
                self.save(time.monotonic() - begun)
            losses = []
        bar.close()

    def log_progress(self, losses: Sequence[float], seconds: float, pace: float) -> None:
        """Write a row of the log within an epoch, and a line where there is no bar.

        Parameters
        ----------
        losses : sequence of float
            Of the epoch's steps so far.
        seconds : float
            Since the run began.
        pace : float
            Seconds that a step takes.
        """
        loss = float(np.mean(losses[-RECENT:]))
        write_log(self.folder / "log.csv", self.log_row(loss, seconds, {}))
        if not sys.stderr.isatty():
            left = time_left((self.total_steps - self.step) * pace)
            self.say(f"step {self.step} of {self.total_steps}, loss {loss:.4g}, {left} left")

    def ended(self) -> bool:
        """Tell whether the score has not become better for too long; the first process decides."""
        enough = self.job.patience is not None and self.reports_since >= self.job.patience
        if self.settings.processes == 1:
            return enough
        decision = torch.tensor([float(enough)], device=self.device)
        dist.broadcast(decision, 0)
        return bool(decision.item())

    def report(self, loss: float, seconds: float) -> None:
        """Validate the averaged weights, write them if they are the best, and a line of the log."""
        with self.averaged() as model:
            errors, score = self.job.validate(model)
            better = score is None or score < self.best
            if better:
                self.best_weights = [p.clone() for p in self.average]
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
