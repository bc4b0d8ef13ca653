"""What a crystal will cost, against what it did cost."""

from __future__ import annotations

import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from mlphonon import Phonons, compute_phonons
from mlphonon.crystal.crystal import make_crystal
from mlphonon.potentials.calculator import AsePotential
from mlphonon.screening.crystals import prediction
from mlphonon.screening.crystals.prediction import atoms_per_second, predicted_cost
from mlphonon.settings import PhononSettings
from tests.helpers.crystals import quartz
from tests.screening.conftest import QUICK


def spent(phonons: Phonons) -> int:
    record = phonons.record
    displaced = record.n_atoms_supercell * (1 + record.n_displacements)
    return displaced + record.relaxation_steps * record.n_atoms_primitive


def test_low_symmetry(quartz_phonons: Phonons) -> None:
    predicted = predicted_cost(make_crystal(quartz()), PhononSettings(min_length=8.5))
    assert predicted == pytest.approx(spent(quartz_phonons), rel=0.5)


@pytest.mark.parametrize("supercell", ["auto", "3 3 3"])
def test_high_symmetry(supercell: str) -> None:
    settings = PhononSettings.make(QUICK, supercell=supercell)
    phonons = compute_phonons(bulk("Cu"), EMT(), settings)
    predicted = predicted_cost(make_crystal(bulk("Cu")), settings)
    assert predicted == pytest.approx(spent(phonons), rel=0.5)


def test_larger_supercells_and_lower_symmetry_cost_more() -> None:
    settings = PhononSettings()
    copper = bulk("Cu")
    askew = Atoms("Cu2Au", [(0, 0, 0), (1.8, 1.7, 0.2), (0.1, 1.9, 2.2)], cell=[4, 3.9, 4.2])
    askew.pbc = True
    price = predicted_cost(make_crystal(copper), settings)
    assert predicted_cost(make_crystal(copper), PhononSettings(min_length=25)) > 2 * price
    assert predicted_cost(make_crystal(askew), settings) > 3 * price


class Measured(AsePotential):
    """Takes 2 s for each atom the first time, 20 ms later, by a clock of its own."""

    now, calls = 0.0, 0

    def evaluate(self, structures: list[Atoms], progress: object = None) -> list:
        self.calls += 1
        self.now += (2.0 if self.calls == 1 else 0.02) * sum(map(len, structures))
        return []


def test_rate_is_that_of_a_potential_that_is_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    potential = Measured(EMT())
    monkeypatch.setattr(prediction.time, "perf_counter", lambda: potential.now)
    structure = {"numbers": [29], "positions": [[0, 0, 0]], "cell": bulk("Cu").cell.tolist()}
    assert atoms_per_second(potential, structure) == pytest.approx(50)


def test_sites_of_low_symmetry_cost_six_displacements_and_of_high_symmetry_one() -> None:
    """Nothing but them is counted where the supercell is the cell and nothing is relaxed."""
    settings = PhononSettings.make(supercell="1 1 1", relax=False)
    low = Atoms("Cu2Au", [(0, 0, 0), (1.8, 1.7, 0.2), (0.1, 1.9, 2.2)], cell=[4, 3.9, 4.2])
    low.pbc = True
    for atoms, n_displacements in ((bulk("NaCl", "rocksalt", a=5.6), 2), (low, 18)):
        cost = predicted_cost(make_crystal(atoms), settings)
        assert cost == len(atoms) * (2 + n_displacements)
