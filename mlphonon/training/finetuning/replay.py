"""Old data to replay: self-labelled, where a potential's training data cannot be had."""

from __future__ import annotations

import gzip
import io
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.training.data.labelling import labelled_data

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.training.data.frame import TrainingData
    from mlphonon.training.finetuning.start import Start

MOST_STRUCTURES = 300
"""Drawn from the structures that ship: elements and alloys, near to and away from rest."""


def sample_structures(elements: frozenset[int], count: int, seed: int = 1) -> list[Atoms]:
    """Draw structures of known elements from those that the embedded potential was trained on."""
    import ase.io

    packed = resources.files("mlphonon.potentials") / "embedded" / "simple_lattices.extxyz.gz"
    text = gzip.decompress(packed.read_bytes()).decode()
    found = ase.io.read(io.StringIO(text), index=":", format="extxyz")
    known = [atoms for atoms in found if set(atoms.numbers.tolist()) <= elements]
    order = np.random.default_rng(seed).permutation(len(known))[:count]
    return [known[i] for i in sorted(order)]


def self_labelled(start: Start) -> TrainingData:
    """Let a potential label simple crystals itself, so that it stays as it is on them."""
    structures = sample_structures(start.info.elements or frozenset(), MOST_STRUCTURES)
    return labelled_data(structures, start.potential())
