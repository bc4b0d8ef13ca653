"""The training domain of a potential: from labelled structures to a `TrainingSpace`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.crystal.crystal import reduced_formula
from mlphonon.errors import TrainingError
from mlphonon.potentials.training_space import TrainingSpace

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.potentials.potential import DescriptorPotential
    from mlphonon.training.data.frame import TrainingData

AXES = 32
"""Directions of descriptor space that are kept: 16 tell less of the error, 64 no more."""

RESOLUTION = 0.3
"""Environments nearer to one another are one: half of the limit of `mlphonon.trust.training`."""

LARGEST_CODE = 127

LEAST_VARIANCE = 1e-6
"""Of an axis, in units of that of the first: below, differences are rounding."""

ROUNDING = 1e-10
"""Variance of descriptors in float32, in units of their square."""


@dataclass(frozen=True)
class Environments:
    """Environments of many structures.

    Attributes
    ----------
    features : ndarray, shape (n_atoms, n_features)
        Descriptors.
    numbers : ndarray of int, shape (n_atoms,)
        Atomic numbers.
    structure : ndarray of int, shape (n_atoms,)
        Which structure each atom belongs to.
    crystals : tuple of str
        Name of the crystal of each structure.
    """

    features: np.ndarray
    numbers: np.ndarray
    structure: np.ndarray
    crystals: tuple[str, ...]

    def count_crystals(self) -> dict[int, int]:
        """Return in how many crystals each element is."""
        seen: dict[int, set[str]] = {}
        for number, structure in zip(self.numbers.tolist(), self.structure.tolist(), strict=True):
            seen.setdefault(number, set()).add(self.crystals[structure])
        return {number: len(names) for number, names in seen.items()}


def environments_of(potential: DescriptorPotential, structures: Sequence[Atoms]) -> Environments:
    """Return all environments of structures; ``info["material_id"]`` names a crystal."""
    return Environments(
        features=np.concatenate([potential.descriptors(atoms) for atoms in structures]),
        numbers=np.concatenate([atoms.numbers for atoms in structures]),
        structure=np.repeat(np.arange(len(structures)), [len(atoms) for atoms in structures]),
        crystals=tuple(
            str(atoms.info.get("material_id", reduced_formula(atoms))) for atoms in structures
        ),
    )


def training_space_of(
    potential: DescriptorPotential, structures: Sequence[Atoms], resolution: float = RESOLUTION
) -> TrainingSpace:
    """Return the environments that a potential was trained on.

    Parameters
    ----------
    potential : DescriptorPotential
        As it was trained; in float32 it is quicker.
    structures : sequence of Atoms
        What it was trained on, and not what was held out. Those nearest to rest first: of
        environments that are alike the first is kept. ``info["material_id"]`` names the crystal
        that a structure is a distortion of; its formula does otherwise.
    resolution : float
        See `TrainingSpace`.

    Raises
    ------
    TrainingError
        If there is nothing to describe, or the weights have no digest.
    """
    if not structures:
        raise TrainingError("there is no structure that a potential could have been trained on")
    if potential.info.sha256 is None:
        raise TrainingError(
            f"potential '{potential.info.name}' has no digest of its weights",
            "its training domain could not be told from that of another potential",
            "load it from its file or folder",
        )
    seen = environments_of(potential, structures)
    axes = principal_axes(seen.features, seen.numbers)
    counted = seen.count_crystals()
    kept = _thin(seen.features @ axes, seen.numbers, resolution)
    return _filled(_empty(axes, resolution, potential.info.sha256), kept, counted)


def principal_axes(features: np.ndarray, numbers: np.ndarray, n_axes: int = AXES) -> np.ndarray:
    """Return the axes along which environments of one element differ, in units of that.

    Parameters
    ----------
    features : ndarray, shape (n_atoms, n_features)
        Descriptors.
    numbers : ndarray of int, shape (n_atoms,)
        Atomic numbers.
    n_axes : int
        Most axes.

    Returns
    -------
    ndarray, shape (n_features, n_axes)
        All have the same spread, and all together one of 1 (root mean square).
    """
    within = features.copy()
    for number in np.unique(numbers):
        within[numbers == number] -= features[numbers == number].mean(axis=0)
    variances, vectors = np.linalg.eigh(within.T @ within / len(within))
    variances, vectors = variances[::-1][:n_axes], vectors[:, ::-1][:, :n_axes]
    if variances[0] <= ROUNDING * np.square(features).mean():
        raise TrainingError("all environments of an element are the same: no distance among them")
    told = variances > LEAST_VARIANCE * variances[0]
    variances, vectors = variances[told], vectors[:, told]
    return np.asarray(vectors / np.sqrt(variances * len(variances)))


def _empty(axes: np.ndarray, resolution: float, sha256: str) -> TrainingSpace:
    """Return a space without elements."""
    n_axes, none = axes.shape[1], np.empty(0, dtype=np.int32)
    return TrainingSpace(
        axes=axes.astype(np.float32),
        elements=none.astype(np.int16),
        crystals=none,
        counts=none,
        centres=np.empty((0, n_axes), dtype=np.float32),
        codes=np.empty((0, n_axes), dtype=np.int8),
        steps=np.ones(n_axes, dtype=np.float32),
        resolution=resolution,
        weights=(sha256,),
    )


def _thin(coordinates: np.ndarray, numbers: np.ndarray, resolution: float) -> dict[int, np.ndarray]:
    """Keep, of each element, the first of environments that are alike."""
    kept = {}
    for number in np.unique(numbers):
        mine = coordinates[numbers == number].astype(np.float32)
        kept[int(number)] = mine[_first_of_each(mine, resolution)].astype(float)
    return kept


def _first_of_each(points: np.ndarray, resolution: float) -> list[int]:
    """Return points so that each point is within the resolution of one, none of another."""
    kept: list[int] = []
    nearest = np.full(len(points), np.inf, dtype=np.float32)
    while (alone := nearest > resolution**2).any():
        at = int(np.argmax(alone))
        kept.append(at)
        nearest = np.minimum(nearest, np.square(points - points[at]).sum(axis=1))
        nearest[at] = 0.0
    return kept


def _filled(
    space: TrainingSpace, environments: dict[int, np.ndarray], crystals: dict[int, int]
) -> TrainingSpace:
    """Return a space with other environments on the same axes, rounded to a byte each."""
    elements = sorted(environments)
    centres = np.array([environments[z].mean(axis=0) for z in elements]).astype(np.float32)
    pairs = zip(elements, centres, strict=True)
    off = np.concatenate([environments[z] - centre for z, centre in pairs])
    largest = np.abs(off).max(axis=0)
    steps = np.where(largest > 0, largest / LARGEST_CODE, 1.0).astype(np.float32)
    return replace(
        space,
        elements=np.array(elements, dtype=np.int16),
        crystals=np.array([crystals[z] for z in elements], dtype=np.int32),
        counts=np.array([len(environments[z]) for z in elements], dtype=np.int32),
        centres=centres,
        codes=np.round(off / steps).astype(np.int8),
        steps=steps,
    )


def structures_of(data: TrainingData) -> list[Atoms]:
    """Return the structures of training data, crystals at rest first, named by their crystals."""
    named: Iterable[tuple[Atoms, str]] = [
        *((one.unitcell, one.crystal) for one in data.curvatures),
        *((frame.atoms, frame.crystal) for frame in data.frames),
    ]
    found = []
    for atoms, crystal in named:
        copied = atoms.copy()
        copied.info["material_id"] = crystal
        found.append(copied)
    return found


def drift(
    space: TrainingSpace,
    before: DescriptorPotential,
    after: DescriptorPotential,
    structures: Sequence[Atoms],
) -> float:
    """Measure how far descriptors have moved as a potential was trained further.

    Parameters
    ----------
    space : TrainingSpace
        Of the potential before.
    before, after : DescriptorPotential
        The potential before and after.
    structures : sequence of Atoms
        That both describe.

    Returns
    -------
    float
        Root mean square distance of an environment as the one and as the other sees it, in the
        unit of `TrainingSpace`.
    """
    one, two = environments_of(before, structures), environments_of(after, structures)
    moved = space.coordinates(two.features) - space.coordinates(one.features)
    return float(np.sqrt(np.square(moved).sum(axis=1).mean()))


def add_structures(
    space: TrainingSpace, potential: DescriptorPotential, structures: Sequence[Atoms]
) -> TrainingSpace:
    """Return a training space with more structures, on the same axes.

    Environments that are within the resolution of known ones add nothing. Old and new crystals
    may be the same, so of both numbers of crystals the larger is kept.
    """
    if not structures:
        return space
    seen = environments_of(potential, structures)
    coordinates = space.coordinates(seen.features)
    new = space.nearest(seen.features, seen.numbers) > space.resolution
    added = _thin(coordinates[new], seen.numbers[new], space.resolution)
    counted = seen.count_crystals()
    numbers = {int(z) for z in space.elements} | set(counted)
    nothing = np.empty((0, len(space.steps)))
    joined = {
        z: np.concatenate([space.environments(z), added.get(z, nothing)]) for z in sorted(numbers)
    }
    total = {z: max(space.n_crystals(z), counted.get(z, 0)) for z in numbers}
    return _filled(space, joined, total)
