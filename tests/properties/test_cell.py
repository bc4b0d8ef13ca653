"""Mass, volume, density and gap of rock salt."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import constants

from mlphonon import Phonons, properties
from mlphonon.properties import acoustic_gap, density, mean_mass, volume_per_atom
from tests.helpers.springs import TO_THZ


def test_all_that_the_room_offers_is_there() -> None:
    assert all(callable(getattr(properties, name)) for name in properties.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = properties.nothing


def test_cell(rocksalt_phonons: Phonons) -> None:
    assert mean_mass(rocksalt_phonons) == pytest.approx((22.98977 + 35.453) / 2, rel=1e-4)
    assert volume_per_atom(rocksalt_phonons) == pytest.approx(5.69**3 / 8, rel=1e-6)
    # 58.44 g in a mole of NaCl, four of which fill a cube.
    by_hand = 4 * 58.443 / constants.N_A / (5.69e-8) ** 3
    assert density(rocksalt_phonons) == pytest.approx(by_hand, rel=1e-4)


def test_gap_of_rocksalt(rocksalt_phonons: Phonons) -> None:
    """At L the heavy and the light atoms move alone, each against all its springs."""
    heavy, light = (TO_THZ * np.sqrt(8.0 / mass) for mass in (35.453, 22.98977))
    assert acoustic_gap(rocksalt_phonons) == pytest.approx(light - heavy, rel=1e-4)


def test_no_gap_where_branches_overlap_or_are_acoustic_alone(
    quartz_phonons: Phonons, fcc: Phonons
) -> None:
    assert acoustic_gap(quartz_phonons) == 0
    assert acoustic_gap(fcc) is None
