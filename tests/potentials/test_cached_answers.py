"""Answers that are kept: found again, told apart, and never those of another potential."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlphonon.potentials.cached_answers import cache_answers
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import DescriptorPotential, DifferentiablePotential, Potential
from tests.helpers.crystals import rocksalt


class Asked:
    """A potential that counts the structures it is asked, and fails after so many."""

    def __init__(self, inner: Potential, limit: int = 10**6) -> None:
        self.inner, self.limit, self.asked = inner, limit, 0
        self.info = replace(inner.info, sha256="0" * 64)

    def evaluate(self, structures, progress=None):
        self.asked += len(structures)
        if self.asked > self.limit:
            raise KeyboardInterrupt
        return self.inner.evaluate(structures, progress)

    def calculator(self):
        return self.inner.calculator()


def rattled(number: int) -> list:
    crystals = [rocksalt() for _ in range(number)]
    for seed, atoms in enumerate(crystals):
        atoms.rattle(0.01, seed=seed)
    return crystals


def test_goes_on_where_it_was_ended(rocksalt_springs: Potential, tmp_path: Path) -> None:
    structures = rattled(40)
    expected = rocksalt_springs.evaluate(structures)
    cut_off = Asked(rocksalt_springs, limit=20)
    with pytest.raises(KeyboardInterrupt):
        cache_answers(cut_off, tmp_path / "work").evaluate(structures)
    again, counted = Asked(rocksalt_springs), []
    found = cache_answers(again, tmp_path / "work").evaluate(structures, counted.append)
    assert again.asked == 40 - 8
    assert sum(counted) == 40
    for one, other in zip(found, expected, strict=True):
        assert one.energy == other.energy
        np.testing.assert_array_equal(one.forces, other.forces)
        np.testing.assert_array_equal(one.stress, other.stress)


def test_another_potential_is_asked_anew(rocksalt_springs: Potential, tmp_path: Path) -> None:
    first, second = Asked(rocksalt_springs), Asked(rocksalt_springs)
    second.info = replace(second.info, sha256="1" * 64)
    for one in (first, second):
        cache_answers(one, tmp_path).evaluate(rattled(3))
    assert (first.asked, second.asked) == (3, 3)


def test_without_a_digest_nothing_is_kept(rocksalt_springs: AsePotential, tmp_path: Path) -> None:
    assert cache_answers(rocksalt_springs, tmp_path) is rocksalt_springs


def test_rows_are_kept_with_their_precision(embedded: Potential, tmp_path: Path) -> None:
    assert isinstance(embedded, DifferentiablePotential)
    atoms = rattled(1)[0]
    directions = [(0, np.array([0.01, 0, 0])), (1, np.array([0, 0.01, 0.01]))]
    kept = cache_answers(embedded, tmp_path)
    assert isinstance(kept, DifferentiablePotential)
    assert isinstance(kept, DescriptorPotential)
    first = kept.hessian_rows(atoms, directions)
    np.testing.assert_allclose(first, embedded.hessian_rows(atoms, directions), atol=1e-13)
    n_files = len(list(tmp_path.glob("*.npz")))
    np.testing.assert_array_equal(
        cache_answers(embedded, tmp_path).hessian_rows(atoms, directions), first
    )
    assert len(list(tmp_path.glob("*.npz"))) == n_files
    coarse = kept.in_precision("float32").hessian_rows(atoms, directions)
    assert 0 < np.abs(coarse - first).max() < 1e-4
