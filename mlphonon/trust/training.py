"""Is the crystal like what the potential was trained on: distance in its own descriptor space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.potentials.potential import DescriptorPotential, Potential
from mlphonon.potentials.training_space import FEW
from mlphonon.trust.verdict import NO_EVIDENCE, Check, Unmeasured

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.phonons.phonons import Phonons

NAME = "training"

LIMIT = 0.65
"""Distance above which the forces of the embedded potential on atoms that it was not trained on are
off by more than twice what they are on those it was (benchmarks/training-space.md). The unit, how
much environments of one element differ, is one that other potentials have too; it was measured with
this one."""

ADVICE = (
    "compare with a potential trained on more such crystals, or fine-tune this one on some"
    " (mlphonon finetune)"
)


@dataclass(frozen=True)
class TrainingDistance:
    """How far a crystal is from what a potential was trained on.

    Attributes
    ----------
    distance : float, optional
        Of the atom that is farthest from the training environments of its element (see
        `TrainingSpace`); elements that are not in its training data are left out. None if none was.
    of : str, optional
        Which atom: its symbol, its number in the cell (from 1), and in how few crystals its
        element was trained on if they are few.
    untrained_elements : tuple of str
        Elements that are not in its training data.
    """

    distance: float | None
    of: str | None
    untrained_elements: tuple[str, ...]


def training_distance(potential: Potential, atoms: Atoms) -> TrainingDistance | None:
    """Measure how far a crystal is from what a potential was trained on.

    Parameters
    ----------
    potential : Potential
        Any; in either precision.
    atoms : Atoms
        The relaxed primitive cell.

    Returns
    -------
    TrainingDistance, optional
        None where nobody wrote down what the potential was trained on.
    """
    space = potential.training_space if isinstance(potential, DescriptorPotential) else None
    if space is None or not isinstance(potential, DescriptorPotential):
        return None
    distances, symbols = space.distances(potential, atoms), atoms.get_chemical_symbols()
    known = np.isfinite(distances)
    never = tuple(sorted({s for s, trained in zip(symbols, known, strict=True) if not trained}))
    if not known.any():
        return TrainingDistance(None, None, never)
    at = int(np.argmax(np.where(known, distances, -1.0)))
    crystals = space.n_crystals(int(atoms.numbers[at]))
    rare = f", an element of {crystals} training crystals only" if crystals < FEW else ""
    return TrainingDistance(float(distances[at]), f"{symbols[at]} {at + 1}{rare}", never)


def check_training(phonons: Phonons) -> Check | Unmeasured:
    """Compare the distance with the limit; elements outside of the training data come first."""
    evidence = phonons.record.evidence
    if evidence is None:
        return Unmeasured(name=NAME, why=NO_EVIDENCE)
    if evidence.untrained_elements:
        return Check(
            name=NAME,
            what=f"not in the training data: {', '.join(evidence.untrained_elements)};",
            measured=float(len(evidence.untrained_elements)),
            unit="elements" if len(evidence.untrained_elements) > 1 else "element",
            limit=0.0,
            severe=0.0,
            advice="take a potential that knows them",
        )
    if evidence.training_distance is None:
        return Unmeasured(name=NAME, why="what the potential was trained on is not written down")
    return Check(
        name=NAME,
        what=f"distance of atom {evidence.training_distance_of} from the training data",
        measured=evidence.training_distance,
        unit="",
        limit=LIMIT,
        advice=ADVICE,
    )
