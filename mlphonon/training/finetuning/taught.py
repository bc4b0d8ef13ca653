"""What a fine-tuned potential was taught, before and now, beside its weights."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlphonon.potentials.loading import FINETUNED
from mlphonon.potentials.mace import MacePotential
from mlphonon.potentials.named.store import FOLDER_FILES, sha256_of
from mlphonon.potentials.training_space import FILE, save_training_space
from mlphonon.training.describing import add_structures, carry_over, structures_of
from mlphonon.training.finetuning.replay import sample_structures

if TYPE_CHECKING:
    from mlphonon.training.data.frame import TrainingData
    from mlphonon.training.finetuning.start import Start

SHARED = 300
"""Structures that both potentials describe, so that one's descriptors are understood by the
other's."""

MOST_DRIFT = 0.5
"""By which coordinates may be off when they are carried over, in units of the resolution."""


def write_training_space(start: Start, taught: TrainingData, folder: Path) -> str:
    """Write which environments a fine-tuned potential knows, if it is known of the first.

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
        name="tuned",
        dtype="float32",
        head=start.head,
        sha256=digests[0],
    )
    new = structures_of(taught)
    elements = start.info.elements or frozenset()
    shared = [*sample_structures(elements, SHARED), *new[:SHARED]]
    carried, drift = carry_over(before.training_space, before, after, shared)
    if drift > MOST_DRIFT * carried.resolution:
        return (
            f"{FILE} is not written: descriptors have moved too far to be compared"
            f" ({drift:.2f}, where {MOST_DRIFT * carried.resolution:.2f} is the most)"
        )
    space = add_structures(replace(carried, weights=tuple(digests)), after, new)
    save_training_space(space, path)
    return f"{FILE}: {len(space.codes)} environments (carried over to {drift:.2f})"
