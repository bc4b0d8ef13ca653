"""The error that is expected of a result, from that of others."""

from __future__ import annotations

import numpy as np
import pytest

from mlphonon import Phonons
from mlphonon.potentials.potential import Potential
from mlphonon.trust.calibration import Calibration, find_calibration


def test_frequencies_are_relative_and_the_others_are_not() -> None:
    calibration = Calibration(
        frequency=0.1, heat_capacity=1.0, entropy=2.0, free_energy=0.3, crystals=30, source="x"
    )
    soft, hard = calibration.expect(3.0), calibration.expect(30.0)
    assert (soft.frequency_THz, hard.frequency_THz) == (pytest.approx(0.3), pytest.approx(3.0))
    for name in ("heat_capacity", "entropy", "free_energy"):
        assert getattr(soft, name) == getattr(hard, name) == getattr(calibration, name)


def test_it_is_scaled_by_the_crystals_own_frequencies(
    quartz_phonons: Phonons, rocksalt_phonons: Phonons, embedded: Potential
) -> None:
    """Phonons of springs that pass for those of the embedded potential."""
    potential = embedded.info.as_dict()
    calibration = find_calibration(potential)
    assert calibration is not None
    stated = []
    for phonons in (quartz_phonons, rocksalt_phonons):
        record = phonons.record.model_copy(update={"potential": potential})
        _, frequencies, stars = phonons.mesh
        rms = np.sqrt(np.average((frequencies**2).mean(axis=1), weights=stars))
        expected = Phonons(phonons.phonopy, record).trust.expected_error
        assert expected is not None
        assert expected.frequency_THz == pytest.approx(calibration.frequency * rms, rel=1e-6)
        stated.append(expected.frequency_THz)
    assert stated[0] > 1.1 * stated[1]
