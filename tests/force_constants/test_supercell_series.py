"""Supercells that grow until frequencies stand still, on springs whose reach is known."""

from __future__ import annotations

import numpy as np
import pytest

from mlphonon import compute_phonons
from mlphonon.errors import SettingsError
from mlphonon.force_constants.supercell_series import GROWTH
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from tests.helpers.crystals import rocksalt
from tests.helpers.springs import NetworkSprings

QUICK = {"relax": False, "mesh": 20, "projected_mesh": 20, "band_points": 11}


def test_springs_to_neighbours_need_one_supercell_more_than_the_first(
    rocksalt_springs: Potential,
) -> None:
    found = compute_phonons(rocksalt(), rocksalt_springs, supercell="converged", **QUICK)
    first, second = found.record.supercell_series
    assert first.change_THz is None
    assert second.change_THz is not None
    assert second.change_THz < 1e-5
    assert second.n_atoms == found.record.n_atoms_supercell > first.n_atoms
    assert second.height_A >= GROWTH * first.height_A


@pytest.fixture(scope="module")
def far_springs() -> Potential:
    """Springs to all atoms within 8.1 A; a cell less than twice as high folds them back."""
    return AsePotential(NetworkSprings(rocksalt(), reach=8.1))


def test_what_reaches_further_takes_more(far_springs: Potential) -> None:
    rough, fine = (
        compute_phonons(rocksalt(), far_springs, supercell="converged", tolerance=t, **QUICK)
        for t in (0.4, 0.003)
    )
    assert len(fine.record.supercell_series) > len(rough.record.supercell_series) >= 2
    changes = [step.change_THz for step in fine.record.supercell_series[1:]]
    assert changes == sorted(changes, reverse=True)
    assert changes[-1] < 0.003 < changes[-2]
    exact = compute_phonons(rocksalt(), far_springs, min_length=21, **QUICK)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    np.testing.assert_allclose(fine.frequencies(points), exact.frequencies(points), atol=0.003)
    assert np.abs(rough.frequencies(points) - exact.frequencies(points)).max() > 0.003


def test_a_series_that_may_not_go_on_says_how_far_it_came(far_springs: Potential) -> None:
    few = {"supercell": "converged", "tolerance": 1e-5, "max_atoms": 150}
    line = r"not converged to 1e-05 THz: \d+ atoms, .*changed by .*raise max_atoms"
    with pytest.raises(SettingsError, match=line):
        compute_phonons(rocksalt(), far_springs, **few, **QUICK)
    with pytest.raises(SettingsError, match="tolerance"):
        compute_phonons(rocksalt(), far_springs, tolerance=0, **QUICK)
