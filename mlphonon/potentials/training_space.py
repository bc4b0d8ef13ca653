"""The environments that a potential was trained on, and how far from them an atom is."""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.errors import PotentialError, first_line
from mlphonon.io.atomic_files import write_whole
from mlphonon.io.npz import read_npz

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.potentials.potential import DescriptorPotential

FILE = "training_space.npz"
"""Name of the file beside the weights."""

FEW = 20
"""An element that was in fewer crystals of the training set is known by name only."""


@dataclass(frozen=True)
class TrainingSpace:
    """Environments of atoms that a potential was trained on, in its own descriptor space.

    Descriptors are projected on the axes along which environments of one element differ most,
    each axis in units of that spread: 1 is the distance of an environment from the mean of its
    element's (root mean square over the training). Of environments nearer to one another than
    `resolution` one stands for all, so distances below it mean nothing.

    Attributes
    ----------
    axes : ndarray of float32, shape (n_features, n_axes)
        From descriptors to coordinates.
    elements : ndarray of int16, shape (n_elements,)
        Atomic numbers of the training set, ascending.
    crystals : ndarray of int32, shape (n_elements,)
        In how many crystals each was.
    counts : ndarray of int32, shape (n_elements,)
        How many environments stand for each.
    centres : ndarray of float32, shape (n_elements, n_axes)
        Coordinates of the mean environment of each.
    codes : ndarray of int8, shape (n_environments, n_axes)
        How far from that mean the environments are, in units of `steps`, element after element.
    steps : ndarray of float32, shape (n_axes,)
        What one is in `codes`.
    resolution : float
        See above.
    weights : tuple of str
        SHA-256 of the files of weights that it belongs to (as `PotentialInfo.sha256`).
    """

    axes: np.ndarray
    elements: np.ndarray
    crystals: np.ndarray
    counts: np.ndarray
    centres: np.ndarray
    codes: np.ndarray
    steps: np.ndarray
    resolution: float
    weights: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.axes.ndim != 2 or self.elements.ndim != 1 or self.counts.ndim != 1:
            raise ValueError("axes, elements or counts have a wrong number of dimensions")
        n_axes, n_elements = self.axes.shape[1], len(self.elements)
        shapes = {
            "crystals": (n_elements,),
            "counts": (n_elements,),
            "centres": (n_elements, n_axes),
            "codes": (int(self.counts.sum()), n_axes),
            "steps": (n_axes,),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype.kind not in "iuf":
                raise ValueError(f"{name} has shape {array.shape} of {array.dtype}, not {shape}")
        if (self.counts < 0).any() or (np.diff(self.elements) <= 0).any():
            raise ValueError("counts are negative, or elements not in ascending order")
        parts = (self.axes, self.centres, self.steps)
        if not all(np.isfinite(part).all() for part in parts):
            raise ValueError("a coordinate is not a number")

    def distances(self, potential: DescriptorPotential, atoms: Atoms) -> np.ndarray:
        """Return how far each atom is from the nearest environment of its element.

        Parameters
        ----------
        potential : DescriptorPotential
            The one that this belongs to.
        atoms : Atoms
            A periodic structure.

        Returns
        -------
        ndarray, shape (n_atoms,)
            No unit (see above); infinite for an element that was not trained on.
        """
        return self.nearest(potential.descriptors(atoms), atoms.numbers)

    def nearest(self, descriptors: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Return the distances of descriptors, shape (n_atoms, n_features); see `distances`."""
        from scipy.spatial import cKDTree

        found = np.full(len(numbers), np.inf)
        coordinates = self.coordinates(descriptors)
        for number in np.unique(numbers):
            mine = numbers == number
            if len(known := self.environments(int(number))):
                found[mine] = cKDTree(known).query(coordinates[mine])[0]
        return found

    def coordinates(self, descriptors: np.ndarray) -> np.ndarray:
        """Project descriptors, shape (n_atoms, n_features), on the axes."""
        return np.asarray(descriptors @ self.axes.astype(float))

    def environments(self, number: int) -> np.ndarray:
        """Return the coordinates that stand for an element, shape (n, n_axes); none if unknown."""
        at = int(np.searchsorted(self.elements, number))
        if at == len(self.elements) or self.elements[at] != number:
            return np.empty((0, self.axes.shape[1]))
        end = int(self.counts[: at + 1].sum())
        codes = self.codes[end - int(self.counts[at]) : end]
        return self.centres[at].astype(float) + codes * self.steps.astype(float)

    def n_crystals(self, number: int) -> int:
        """Return in how many crystals of the training set an element was."""
        return int(self.crystals[self.elements == number].sum())

    def require(self, sha256: str | None, name: str) -> None:
        """Raise `PotentialError` unless this belongs to weights of this digest."""
        if sha256 not in self.weights:
            raise PotentialError(
                f"{FILE} belongs to other weights than those of potential '{name}'",
                f"their SHA-256 is {' or '.join(self.weights)}, and that of these {sha256}",
                f"make it again, or delete {FILE} to go without",
            )


def save_training_space(space: TrainingSpace, path: Path) -> None:
    """Write it as plain arrays; no pickle.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    buffer = io.BytesIO()
    arrays = {field.name: np.asarray(getattr(space, field.name)) for field in fields(space)}
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_whole(path, buffer.getvalue())


def load_training_space(path: Path) -> TrainingSpace:
    """Read what `save_training_space` wrote.

    Raises
    ------
    PotentialError
        If it cannot be read, is damaged, or holds anything but plain arrays.
    """
    try:
        arrays = read_npz(path)
        weights = tuple(str(one) for one in arrays.pop("weights"))
        resolution = float(arrays.pop("resolution"))
        return TrainingSpace(**arrays, resolution=resolution, weights=weights)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PotentialError(
            f"cannot read {path}", first_line(error), "make it again, or delete it to go without"
        ) from error
