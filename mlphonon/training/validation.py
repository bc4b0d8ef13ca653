"""Errors of a model on held-out crystals: by kind of displacement and by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.training.graphs import collate, device_of, edges_of, make_batches

if TYPE_CHECKING:
    import torch
    from mace.data import AtomicData


@dataclass(frozen=True)
class ErrorTable:
    """Errors per atom and per frame, each with the kind of its frame.

    What a frame has no label for has no error: not a number, which no mean counts.

    Attributes
    ----------
    forces, reference : ndarray, shape (n_atoms, 3)
        Force errors and reference forces, eV/A.
    numbers : ndarray, shape (n_atoms,)
        Atomic numbers.
    atom_kinds, frame_kinds : ndarray of str
        Kind of the frame each atom belongs to, and of each frame.
    energy : ndarray, shape (n_frames,)
        Energy errors, eV/atom.
    stress : ndarray, shape (n_frames, 3, 3)
        Stress errors, eV/A^3.
    """

    forces: np.ndarray
    reference: np.ndarray
    numbers: np.ndarray
    atom_kinds: np.ndarray
    frame_kinds: np.ndarray
    energy: np.ndarray
    stress: np.ndarray

    def by_kind(self) -> dict[str, dict[str, float]]:
        """Mean absolute errors of each kind of frame: meV/A, per cent, meV/atom, meV/A^3."""
        table = {}
        for kind in sorted(set(self.frame_kinds)):
            atoms, frames = self.atom_kinds == kind, self.frame_kinds == kind
            error = np.abs(self.forces[atoms]).mean()
            table[kind] = {
                "force_mae_meV_per_A": 1e3 * error,
                "force_mae_percent": 100 * error / np.abs(self.reference[atoms]).mean(),
                "energy_mae_meV_per_atom": 1e3 * _mean(self.energy[frames]),
                "stress_mae_meV_per_A3": 1e3 * _mean(self.stress[frames]),
            }
        return {
            kind: {name: float(x) for name, x in row.items() if np.isfinite(x)}
            for kind, row in table.items()
        }

    def by_element(self) -> dict[int, float]:
        """Force MAE as a percentage of the mean absolute force, by atomic number."""
        result = {}
        for z in sorted(set(self.numbers.tolist())):
            mine = self.numbers == z
            result[z] = float(
                100 * np.abs(self.forces[mine]).mean() / np.abs(self.reference[mine]).mean()
            )
        return result

    def summary(self) -> dict[str, float]:
        """Return one number per kind and quantity, for a log line."""
        row: dict[str, float] = {}
        for kind, errors in self.by_kind().items():
            row[f"force_{kind}"] = errors["force_mae_meV_per_A"]
        row["energy"] = 1e3 * _mean(self.energy)
        row["stress"] = 1e3 * _mean(self.stress)
        return {name: value for name, value in row.items() if np.isfinite(value)}


def _mean(errors: np.ndarray) -> float:
    """Return the mean absolute error of what has labels; not a number if nothing has."""
    known = np.abs(errors[np.isfinite(errors)])
    return float(known.mean()) if known.size else float("nan")


def measure_errors(
    model: torch.nn.Module,
    graphs: list[AtomicData],
    kinds: tuple[str, ...],
    edges_per_batch: int = 6000,
) -> ErrorTable:
    """Evaluate `model` (float32) on labelled graphs, each of a kind, and collect its errors."""
    edges = edges_of(graphs)
    rows: list[list[np.ndarray]] = []
    for indices in make_batches(edges, edges_per_batch):
        batch = collate([graphs[i] for i in indices], device_of(model))
        out = model(batch.to_dict(), training=False, compute_force=True, compute_stress=True)
        predicted = {name: out[name].detach().cpu() for name in ("energy", "forces", "stress")}
        numbers = model.atomic_numbers[batch.node_attrs.argmax(dim=1)].cpu()
        batch = batch.to("cpu")
        counts = (batch.ptr[1:] - batch.ptr[:-1]).numpy()
        batch_kinds = np.array([kinds[i] for i in indices])
        rows.append(
            [
                (predicted["forces"] - batch.forces).numpy(),
                batch.forces.numpy(),
                numbers.numpy(),
                np.repeat(batch_kinds, counts),
                batch_kinds,
                _known(predicted["energy"] - batch.energy, batch.energy_weight) / counts,
                _known(predicted["stress"] - batch.stress, batch.stress_weight),
            ]
        )
    return ErrorTable(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def _known(errors: torch.Tensor, weights: torch.Tensor) -> np.ndarray:
    """Return the errors of frames, not a number where a label is missing (its weight is zero)."""
    values = errors.numpy()
    values[weights.numpy() == 0] = np.nan
    return values
