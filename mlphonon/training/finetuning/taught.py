"""What a fine-tuned potential was taught, before and now, beside its weights."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlphonon.potentials.loading import FINETUNED
from mlphonon.potentials.mace.mace_potential import MacePotential, WeightsInfo
from mlphonon.potentials.named.store import FOLDER_FILES, sha256_of
from mlphonon.potentials.training_space import FILE, save_training_space
from mlphonon.training.describing import add_structures, drift, structures_of
from mlphonon.training.finetuning.replay import sample_structures

if TYPE_CHECKING:
    from mlphonon.training.data.frame import TrainingData
    from mlphonon.training.finetuning.start import Start

SHARED = 100
"""Simple crystals, and as many of the new ones, that show how far descriptors have moved."""

MOST_DRIFT = 0.25
"""By which descriptors may have moved for old ones to be kept: what was taught is then found at a
distance that is well below the limit of `mlphonon.trust.training`. The structures that show it are
simple; where they said 0.13, it was 0.13 over the first lesson of the embedded potential."""


def write_training_space(start: Start, taught: TrainingData, folder: Path) -> str:
    """Write which environments a fine-tuned potential knows, if it is known of the first.

    What the first was taught is not there any more to be described anew, so its environments are
    kept as they were, if descriptors have moved little.

    Parameters
    ----------
    start : Start
        The potential before.
    taught : TrainingData
        What it was taught now.
    folder : Path
        Holds ``potential.model``, which this process has written itself; receives
        ``training_space.npz``.

    Returns
    -------
    str
        What was done, or why nothing was.
    """
    import torch

    path = folder / FILE
    before = start.potential()
    if before.training_space is None:
        return f"{FILE} is not written: nobody wrote down what {start.info.name} was taught"
    digests = [hashlib.sha256((folder / FINETUNED).read_bytes()).hexdigest()]
    if all((folder / name).is_file() for name in FOLDER_FILES):
        digests.append(sha256_of(folder))
    after = MacePotential(
        torch.load(folder / FINETUNED, weights_only=False),
        WeightsInfo("tuned", digests[0]),
        dtype="float32",
        head=start.head,
    )
    new = structures_of(taught)
    elements = start.info.elements or frozenset()
    shared = [*sample_structures(elements, SHARED), *new[:SHARED]]
    moved = drift(before.training_space, before, after, shared)
    if moved > MOST_DRIFT:
        return (
            f"{FILE} is not written: descriptors have moved too far to be compared with what"
            f" {start.info.name} was taught ({moved:.2f}; {MOST_DRIFT:g} at most)"
        )
    space = add_structures(replace(before.training_space, weights=tuple(digests)), after, new)
    save_training_space(space, path)
    return f"{FILE}: {len(space.codes)} environments; descriptors have moved by {moved:.2f}"
