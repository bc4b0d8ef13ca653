"""What came of a fine-tuning: errors before and after, and what it was made of."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlphonon.io.atomic_files import write_whole

if TYPE_CHECKING:
    import torch

    from mlphonon.training.finetuning.inputs import FinetuneInputs
    from mlphonon.training.finetuning.job import FinetuneJob

MEANINGS = {
    "spectrum_THz": "distance of phonon spectra, held-out crystals (THz)",
    "curvature_THz": "error of frequencies along random directions, held-out crystals (THz)",
    "energy": "energy, held-out crystals (meV/atom)",
    "stress": "stress, held-out crystals (meV/A^3)",
    "force_memory": "forces on old data that was not replayed (meV/A): forgetting",
}
"""What is measured, in words; other names are forces (meV/A) by kind of distortion."""


def write_card(
    job: FinetuneJob, inputs: FinetuneInputs, tuned: torch.nn.Module, sha256: str, folder: Path
) -> dict[str, Any]:
    """Measure the potential before and after, and write ``card.json`` and ``CARD.md``.

    Parameters
    ----------
    job : FinetuneJob
        Knows how to judge.
    inputs : FinetuneInputs
        Data, and the potential before.
    tuned : torch.nn.Module
        The potential after.
    sha256 : str
        Of its file.
    folder : Path
        Receives the card.

    Returns
    -------
    dict
        The card.
    """
    before, _ = job.judge(job.start.trainable())
    after, _ = job.judge(copy.deepcopy(tuned).float())
    card = {
        "potential": job.start.info.name,
        "potential_sha256": job.start.info.sha256,
        "functional": job.start.info.functional,
        "sha256": sha256,
        "data": str(inputs.data),
        "replay": None if inputs.replay is None else str(inputs.replay),
        "data_sha256": job.data_sha256,
        "samples": {name: len(samples) for name, samples in job.parts.items()},
        "before": before,
        "after": after,
        "settings": job.settings.model_dump(mode="json"),
    }
    write_whole(folder / "card.json", json.dumps(card, indent=1) + "\n")
    write_whole(folder / "CARD.md", _as_text(card))
    return card


def compare(before: dict[str, float], after: dict[str, float]) -> list[tuple[str, float, float]]:
    """Return what was measured, in words, with its values before and after."""
    return [
        (
            MEANINGS.get(name, f"forces, held-out crystals, {name.removeprefix('force_')} (meV/A)"),
            value,
            after[name],
        )
        for name, value in before.items()
    ]


def _as_text(card: dict[str, Any]) -> str:
    rows = "\n".join(
        f"| {what} | {before:.4g} | {after:.4g} |"
        for what, before, after in compare(card["before"], card["after"])
    )
    return f"""# {card["potential"]}, fine-tuned

| | before | after |
|---|---|---|
{rows}

Of {card["data"]} (SHA-256 of all data {card["data_sha256"]}): {card["samples"]["curved"]} samples
with second derivatives and {card["samples"]["plain"]} without; {card["samples"]["replay"]} old
ones replayed ({card["replay"] or "labelled by the potential itself"}).

`potential.model`: a MACE for mace's own `MACECalculator`, SHA-256 `{card["sha256"]}`. The settings
are in `settings.json`, the course of the training in `log.csv`.
"""
