"""What could be called the distance of an environment from those that were taught."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree

from mlphonon.potentials.training_space import TrainingSpace
from mlphonon.training.training_domain import Environments, principal_axes

SHRINKAGE = 5.0
"""Crystals whose weight the spread over all elements has in that of one (Mahalanobis)."""

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From descriptors and atomic numbers to a distance for each atom."""


def nearest_of_all(taught: Environments, axes: np.ndarray) -> Distance:
    """Return the distance from the nearest of all taught environments."""
    trees = {
        z: cKDTree(taught.features[taught.numbers == z] @ axes) for z in np.unique(taught.numbers)
    }
    return by_element(lambda z, found: trees[z].query(found @ axes)[0])


def mahalanobis(taught: Environments, axes: np.ndarray) -> Distance:
    """Return the distance from the mean environment, in units of the element's own spread."""
    counted, n_axes = taught.count_crystals(), axes.shape[1]

    def one(z: int, found: np.ndarray) -> np.ndarray:
        mine = taught.features[taught.numbers == z] @ axes
        weighted = counted[z] * np.cov(mine.T) + SHRINKAGE * np.eye(n_axes) / n_axes
        spread = np.linalg.cholesky(weighted / (counted[z] + SHRINKAGE))
        off = np.linalg.solve(spread, (found @ axes - mine.mean(axis=0)).T)
        return np.sqrt(np.square(off).mean(axis=0))

    return by_element(one)


def by_element(one: Callable[[int, np.ndarray], np.ndarray]) -> Distance:
    """Return a distance that is found element by element."""

    def distance(features: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        found = np.empty(len(numbers))
        for z in np.unique(numbers):
            found[numbers == z] = one(int(z), features[numbers == z])
        return found

    return distance


def definitions(taught: Environments, space: TrainingSpace) -> dict[str, Distance]:
    """Return what could be called the distance, by name."""
    axes = principal_axes(taught.features, taught.numbers)
    width = np.sqrt(np.square(taught.features - taught.features.mean(axis=0)).sum(axis=1).mean())
    plain = np.eye(taught.features.shape[1]) / width
    return {
        "nearest environment that is kept (in the file)": space.nearest,
        "nearest of all environments, same axes": nearest_of_all(taught, axes),
        "nearest of all, plain descriptors": nearest_of_all(taught, plain),
        "from the element's mean, its own spread (Mahalanobis)": mahalanobis(taught, axes),
    }
