"""A fine-tuning as the training loop sees it."""

from __future__ import annotations

import copy
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.errors import TrainingError
from mlphonon.io.atomic_files import write_whole
from mlphonon.potentials.loading import FINETUNED
from mlphonon.potentials.mace.architecture import save_weights
from mlphonon.potentials.mace.mace_potential import MacePotential, WeightsInfo
from mlphonon.training.finetuning.adaptation import adapt, write_out
from mlphonon.training.finetuning.curvature import frequency_errors, hessian_products
from mlphonon.training.finetuning.phonon_error import spectrum_distances
from mlphonon.training.finetuning.samples import CurvatureBatch, Sample, draw_batch
from mlphonon.training.graphs import collate, device_of, edges_of, make_batches
from mlphonon.training.optimisation.loss import training_loss
from mlphonon.training.validation import ErrorTable, measure_errors

if TYPE_CHECKING:
    import torch

    from mlphonon.training.data.frame import Curvature
    from mlphonon.training.finetuning.settings import FinetuneSettings
    from mlphonon.training.finetuning.start import Start

LEAST_STEPS = 20
"""On new data in an epoch, so that judging does not take longer than learning."""

CURVED_COST = 2.5
"""What a step on second derivatives costs, in steps on forces with as many edges."""


@dataclass(frozen=True)
class SampleBatch:
    """Indices of samples of one part of the data."""

    part: str
    indices: list[int]


@dataclass
class FinetuneJob:
    """What is learned and how it is judged.

    Attributes
    ----------
    start : Start
        The potential to begin with.
    settings : FinetuneSettings
        How.
    training, held_out : list of Sample
        New data to learn from and to be judged by.
    replay, memory : list of Sample
        Old data that is replayed, and that is kept back, to see how much is forgotten.
    curvatures : list of Curvature
        Held-out crystals with force constants; by their spectra the best weights are chosen.
    data_sha256 : str
        Of all data.
    """

    start: Start
    settings: FinetuneSettings
    training: list[Sample]
    held_out: list[Sample]
    replay: list[Sample]
    memory: list[Sample]
    curvatures: list[Curvature]
    data_sha256: str
    _begun: list[torch.Tensor] = field(default_factory=list)

    @property
    def identity(self) -> list[str]:
        """Digests of settings, data and the starting potential."""
        return [self.settings.digest(), self.data_sha256, self.start.info.sha256 or ""]

    @property
    def patience(self) -> int | None:
        """Reports without a better score after which training ends."""
        return self.settings.patience

    @cached_property
    def parts(self) -> dict[str, list[Sample]]:
        """Samples by what a step on them costs."""
        return {
            "curved": [sample for sample in self.training if sample.curved],
            "plain": [sample for sample in self.training if not sample.curved],
            "replay": self.replay,
        }

    def build(self) -> torch.nn.Module:
        """Return the model that is trained."""
        model = adapt(self.start, self.settings)
        self._begun = [p.detach().clone() for p in model.parameters() if p.requires_grad]
        return model

    def batches(self, epoch: int) -> list[SampleBatch]:
        """Return the batches of an epoch, as many of one part side by side as there are processes.

        An epoch sees all new data once (more often if they are few), and after each of its steps
        `replay_steps` of old data, which goes round at its own pace.
        """
        n, rng = self.settings.processes, np.random.default_rng([self.settings.seed, epoch])
        steps: list[list[SampleBatch]] = []
        while len(steps) < LEAST_STEPS:
            steps += self._new_steps(n, rng)
        if not (self.replay and self.settings.replay_steps):
            return [batch for group in steps for batch in group]
        old: list[list[SampleBatch]] = []
        while len(old) < len(steps) * self.settings.replay_steps:
            old += self._grouped("replay", n, rng)
        every = self.settings.replay_steps
        mixed = [
            group
            for k, step in enumerate(steps)
            for group in (step, *old[k * every : (k + 1) * every])
        ]
        return [batch for group in mixed for batch in group]

    def _new_steps(self, n: int, rng: np.random.Generator) -> list[list[SampleBatch]]:
        """Return one pass through the new data."""
        parts = [self._grouped(part, n, rng) for part in ("curved", "plain")]
        steps = parts[0] + parts[1]
        if not steps:
            raise TrainingError(
                f"the data do not make a batch for each of {n} processes", fix="take fewer"
            )
        return [steps[i] for i in rng.permutation(len(steps))]

    def _grouped(self, part: str, n: int, rng: np.random.Generator) -> list[list[SampleBatch]]:
        samples = self.parts[part]
        if not samples:
            return []
        cost = CURVED_COST if part == "curved" else 1.0
        edges = edges_of([sample.graph for sample in samples])
        found = make_batches(edges, round(self.settings.edges_per_batch / cost), rng)
        # A few are taken twice, so that every process has one.
        found += found[: -len(found) % n]
        batches = [SampleBatch(part, indices) for indices in found]
        return [batches[i : i + n] for i in range(0, len(batches) - n + 1, n)]

    def loss(self, model: torch.nn.Module, batch: SampleBatch, seed: Sequence[int]) -> torch.Tensor:
        """Return the errors of a batch, and the pull to where the weights began."""
        samples = [self.parts[batch.part][i] for i in batch.indices]
        if batch.part == "curved":
            loss = self._curved_loss(model, samples, np.random.default_rng(list(seed)))
        else:
            graphs = collate([sample.graph for sample in samples], device_of(model))
            predicted = model(
                graphs.to_dict(), training=True, compute_force=True, compute_stress=True
            )
            loss = training_loss(self.settings.loss, graphs, predicted)
        if self.settings.elastic:
            loss = loss + self.settings.elastic * self._distance(model)
        return loss

    def _curved_loss(
        self, model: torch.nn.Module, samples: list[Sample], rng: np.random.Generator
    ) -> torch.Tensor:
        batch = draw_batch(samples, rng, device_of(model))
        predicted, errors = curvature_errors(model, batch)
        frame_weight = batch.graphs.weight[batch.graphs.batch]
        curvature = self.settings.loss.curvature * (frame_weight * errors).mean()
        return curvature + training_loss(self.settings.loss, batch.graphs, predicted)

    def _distance(self, model: torch.nn.Module) -> torch.Tensor:
        moved = [p for p in model.parameters() if p.requires_grad]
        pairs = zip(moved, self._begun, strict=True)
        squares = sum((p - begun.to(p.device)).square().sum() for p, begun in pairs)
        return squares / sum(p.numel() for p in moved)

    def validate(self, model: torch.nn.Module) -> tuple[dict[str, float], float | None]:
        """Return errors of the model that is trained; see `judge`."""
        return self.judge(self._plain(model).float().to(device_of(model)))

    def judge(self, model: torch.nn.Module) -> tuple[dict[str, float], float | None]:
        """Return errors on held-out crystals; the phonon error decides which weights are kept.

        The distance of spectra where force constants are held out, else the error of frequencies
        that second derivatives along random directions imply, else that of forces.

        Parameters
        ----------
        model : torch.nn.Module
            A MACE in float32.
        """
        errors: dict[str, float] = {}
        score: float | None = None
        if flat := [sample for sample in self.held_out if float(sample.graph.forces_weight) > 0]:
            table = _errors(model, flat)
            errors |= table.summary()
            score = float(np.abs(table.forces).mean())
        if self.memory:
            errors["force_memory"] = 1e3 * float(np.abs(_errors(model, self.memory).forces).mean())
        curved = [sample for sample in self.held_out if sample.curved]
        if curved:
            errors["curvature_THz"] = score = self._curvature_error(model, curved)
        if self.curvatures:
            potential = MacePotential(
                copy.deepcopy(model),
                WeightsInfo("tuned"),
                device=str(device_of(model)),
                dtype="float32",
                head=self.start.head,
            )
            errors["spectrum_THz"] = score = float(
                spectrum_distances(potential, self.curvatures).mean()
            )
        return errors, score

    def _curvature_error(self, model: torch.nn.Module, samples: list[Sample]) -> float:
        """Mean error of frequencies along directions that are the same every time, THz."""
        limit = round(self.settings.edges_per_batch / CURVED_COST)
        total, count = 0.0, 0
        for indices in make_batches(edges_of([sample.graph for sample in samples]), limit):
            batch = draw_batch(
                [samples[i] for i in indices], np.random.default_rng(0), device_of(model)
            )
            _, errors = curvature_errors(model, batch)
            total, count = total + float(errors.detach().sum()), count + len(errors)
        return total / count

    def write(self, model: torch.nn.Module, folder: Path) -> None:
        """Write the model that is trained; see `write_model`."""
        self.write_model(self._plain(model), folder)

    def write_model(self, tuned: torch.nn.Module, folder: Path) -> str:
        """Write ``potential.model`` for mace's own calculator, and the weights by themselves.

        Parameters
        ----------
        tuned : torch.nn.Module
            A MACE of the starting potential's shape.
        folder : Path
            Receives both, and the settings.

        Returns
        -------
        str
            SHA-256 of ``potential.model``.
        """
        import torch

        buffer = io.BytesIO()
        torch.save(tuned, buffer)
        write_whole(folder / FINETUNED, buffer.getvalue())
        if self.start.architecture is not None:
            save_weights(tuned, self.start.architecture, folder)
        settings = self.settings.model_dump(mode="json")
        write_whole(folder / "settings.json", json.dumps(settings, indent=1) + "\n")
        return hashlib.sha256(buffer.getvalue()).hexdigest()

    def model_of(self, weights: list[torch.Tensor]) -> torch.nn.Module:
        """Return the fine-tuned potential, in float64, that some of the trained weights make.

        Parameters
        ----------
        weights : list of Tensor
            Of all parameters of the trained model that move, in its order.
        """
        import torch

        model = self.build()
        moving = [parameter for parameter in model.parameters() if parameter.requires_grad]
        with torch.no_grad():
            for parameter, value in zip(moving, weights, strict=True):
                parameter.copy_(value)
        return self._plain(model)

    def _plain(self, model: torch.nn.Module) -> torch.nn.Module:
        settings = self.settings
        return write_out(model, self.start, settings.lora is not None, settings.blend)


def curvature_errors(
    model: torch.nn.Module, batch: CurvatureBatch
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Return what a model says of a batch, and the errors of frequencies it implies, THz."""
    predicted, products = hessian_products(model, batch.graphs, batch.directions)
    return predicted, frequency_errors(products, batch.responses, batch.masses, batch.graphs.batch)


def _errors(model: torch.nn.Module, samples: list[Sample]) -> ErrorTable:
    return measure_errors(model, [s.graph for s in samples], tuple(s.kind for s in samples))
