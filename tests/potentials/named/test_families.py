"""Potentials of other programs beside MACE in one process, installed as a user would."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from ase.build import bulk

from mlphonon import compute_phonons
from mlphonon.errors import PotentialError
from mlphonon.potentials.isolated.isolated_potential import IsolatedPotential
from mlphonon.potentials.potential import Potential
from tests.helpers.families import installed

pytestmark = pytest.mark.slow

HIGHEST = {
    "sevennet-l3i5": 6.37,
    "chgnet": 5.22,
    "nequix-oam-1-pft": 6.87,
    "m3gnet-mp": 6.72,
}
"""Highest frequency of rock salt along the path, THz, at each potential's own minimum, without
the non-analytical term (measured here, 2026-11-21)."""


def test_phonons_of_rock_salt_side_by_side(embedded: Potential) -> None:
    salt = bulk("NaCl", "rocksalt", a=5.69)
    # All are loaded before any is used: their packages would not go together in one process.
    potentials = {name: installed(name) for name in HIGHEST}
    found = {name: compute_phonons(salt, one) for name, one in potentials.items()}
    assert compute_phonons(salt, embedded).stability.stable_by_threshold
    for name, phonons in found.items():
        record = phonons.record
        assert max(b.max() for b in phonons.bands().frequencies) == pytest.approx(
            HIGHEST[name], abs=0.01
        ), name
        assert record.potential["name"] == name
        assert record.potential["dtype"] == "float64"
        assert record.raw_force_constants.drift < 1e-11
        assert phonons.stability.stable_by_threshold


@pytest.mark.parametrize("name", ["m3gnet-mp", "tensornet-matpes-pbe"])
def test_swapped_messages_are_put_right(name: str) -> None:
    """As matgl 4.1.2 comes, compounds are wrong: 6.5 A for rock salt, 13 GPa at 5.69 A."""
    from ase.units import GPa

    potential = installed(name)
    crystals = [bulk("NaCl", "rocksalt", a=5.69), bulk("MgO", "rocksalt", a=4.25)]
    energies = (-6.735, -11.85)  # DFT (PBE), eV per formula unit
    for found, energy in zip(potential.evaluate(crystals), energies, strict=True):
        assert abs(np.trace(found.stress)) / 3 / GPa < 1.5
        assert found.energy == pytest.approx(energy, abs=0.15)


def test_a_worker_that_is_killed_in_its_work_is_one_line_and_comes_back() -> None:
    potential = installed("chgnet")
    assert isinstance(potential, IsolatedPotential)
    large = bulk("NaCl", "rocksalt", a=5.69, cubic=True) * (4, 4, 4)

    def kill() -> None:
        time.sleep(0.5)
        assert potential._worker is not None
        potential._worker.process.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(PotentialError, match=r"worker of potential 'chgnet' died.*fresh") as caught:
        potential.evaluate([large])
    killer.join()
    assert "\n" not in str(caught.value)
    assert potential.evaluate([bulk("Si")])[0].forces.shape == (2, 3)
