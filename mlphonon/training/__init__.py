"""Training potentials: labelled data, a MACE from scratch, fine-tuning one."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlphonon.training.data.frame import TrainingData
    from mlphonon.training.data.generation import distort
    from mlphonon.training.data.labelling import labelled_data
    from mlphonon.training.data.reading import read_sources
    from mlphonon.training.data.settings import Distortions
    from mlphonon.training.data.store import read_data, write_data
    from mlphonon.training.finetuning.compute import finetune
    from mlphonon.training.finetuning.inputs import FinetuneInputs
    from mlphonon.training.finetuning.settings import FinetuneSettings

_HOMES = {
    "Distortions": "mlphonon.training.data.settings",
    "FinetuneInputs": "mlphonon.training.finetuning.inputs",
    "FinetuneSettings": "mlphonon.training.finetuning.settings",
    "TrainingData": "mlphonon.training.data.frame",
    "distort": "mlphonon.training.data.generation",
    "finetune": "mlphonon.training.finetuning.compute",
    "labelled_data": "mlphonon.training.data.labelling",
    "read_data": "mlphonon.training.data.store",
    "read_sources": "mlphonon.training.data.reading",
    "write_data": "mlphonon.training.data.store",
}

__all__ = [
    "Distortions",
    "FinetuneInputs",
    "FinetuneSettings",
    "TrainingData",
    "distort",
    "finetune",
    "labelled_data",
    "read_data",
    "read_sources",
    "write_data",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mlphonon.training' has no attribute '{name}'")
