"""The training domain of a fine-tuned potential, old and new, beside its weights."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlphonon.potentials.loading import FINETUNED
from mlphonon.potentials.mace.mace_potential import MacePotential, WeightsInfo
from mlphonon.potentials.named.store import FOLDER_FILES, sha256_of
from mlphonon.potentials.training_space import FILE, save_training_space
from mlphonon.training.finetuning.replay import sample_structures
from mlphonon.training.training_domain import add_structures, drift, structures_of

if TYPE_CHECKING:
    import torch

    from mlphonon.training.data.frame import TrainingData
    from mlphonon.training.finetuning.start import Start

SHARED = 100
"""Simple crystals, and as many of the new ones, that show how far descriptors have moved."""

MOST_DRIFT = 0.25
"""By which descriptors may have moved for old ones to be kept: what was trained on is then found
at a distance that is well below the limit of `mlphonon.trust.training`. The structures that show
it are simple; where they moved by 0.13, so did those of the embedded potential's first training."""


def write_training_space(
    start: Start, tuned: torch.nn.Module, trained_on: TrainingData, folder: Path
) -> str:
    """Write which environments a fine-tuned potential knows, if it is known of the first.

    What the first was trained on is not there any more to be described anew, so its environments
    are kept as they were, if descriptors have moved little.

    Parameters
    ----------
    start : Start
        The potential before.
    tuned : torch.nn.Module
        The potential now.
    trained_on : TrainingData
        What it was fine-tuned on.
    folder : Path
        Holds the files of the potential now; receives ``training_space.npz``.

    Returns
    -------
    str
        What was done, or why nothing was.
    """
    path = folder / FILE
    before = start.potential()
    if before.training_space is None:
        return f"{FILE} is not written: it is not known what {start.info.name} was trained on"
    digests = [hashlib.sha256((folder / FINETUNED).read_bytes()).hexdigest()]
    if all((folder / name).is_file() for name in FOLDER_FILES):
        digests.append(sha256_of(folder))
    after = MacePotential(
        copy.deepcopy(tuned), WeightsInfo("tuned", digests[0]), dtype="float32", head=start.head
    )
    new = structures_of(trained_on)
    elements = start.info.elements or frozenset()
    shared = [*sample_structures(elements, SHARED), *new[:SHARED]]
    moved = drift(before.training_space, before, after, shared)
    if moved > MOST_DRIFT:
        return (
            f"{FILE} is not written: descriptors have moved too far to be compared with what"
            f" {start.info.name} was trained on ({moved:.2f}; {MOST_DRIFT:g} at most)"
        )
    space = add_structures(replace(before.training_space, weights=tuple(digests)), after, new)
    save_training_space(space, path)
    return f"{FILE}: {len(space.codes)} environments; descriptors have moved by {moved:.2f}"
