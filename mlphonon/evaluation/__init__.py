"""How right a potential is about phonons: references of DFT, metrics, and a run over both."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlphonon.evaluation.against_dft import evaluate
    from mlphonon.evaluation.protocol import Protocol
    from mlphonon.evaluation.references.reference import ReferenceCrystal, ReferenceSet
    from mlphonon.evaluation.scores import Scores

_HOMES = {
    "Protocol": "mlphonon.evaluation.protocol",
    "ReferenceCrystal": "mlphonon.evaluation.references.reference",
    "ReferenceSet": "mlphonon.evaluation.references.reference",
    "Scores": "mlphonon.evaluation.scores",
    "evaluate": "mlphonon.evaluation.against_dft",
}

__all__ = ["Protocol", "ReferenceCrystal", "ReferenceSet", "Scores", "evaluate"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mlphonon.evaluation' has no attribute '{name}'")
