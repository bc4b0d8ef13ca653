"""Several crystals over one potential at once."""

import threading

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from mlphonon import compute_phonons, load_potential
from mlphonon.crystal.crystal import make_crystal
from mlphonon.errors import PotentialError
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from mlphonon.relaxation import relax
from mlphonon.screening.workers.sharing import do_together
from mlphonon.settings import PhononSettings

METALS = ("Cu", "Ag", "Au", "Ni", "Pd")


class Counting(AsePotential):
    """Notes how many structures come in each call, and that no two calls overlap."""

    def __init__(self) -> None:
        super().__init__(EMT())
        self.calls: list[int] = []
        self.busy = threading.Lock()

    def evaluate(self, structures, progress=None):
        assert self.busy.acquire(blocking=False)
        self.calls.append(len(structures))
        try:
            return super().evaluate(structures, progress)
        finally:
            self.busy.release()


def strained(symbol: str) -> Atoms:
    atoms = bulk(symbol, cubic=True)
    atoms.set_cell(atoms.cell * 1.03, scale_atoms=True)
    return atoms


def relaxed_cell(potential: Potential, atoms: Atoms) -> np.ndarray:
    return relax(make_crystal(atoms), potential, PhononSettings()).atoms.cell.array


def test_shared_relaxation_ends_at_the_same_minimum():
    crystals = [strained(symbol) for symbol in METALS]
    alone = [relaxed_cell(AsePotential(EMT()), atoms) for atoms in crystals]
    counting = Counting()
    shared = do_together(counting, crystals, relaxed_cell)
    np.testing.assert_allclose(shared, alone, atol=1e-12)
    # The first call holds all of them; as they end one by one, the calls become smaller.
    assert counting.calls[0] == len(METALS)
    assert len(counting.calls) < sum(counting.calls) / 3


def test_whole_calculations_share(embedded: Potential):
    crystals = [bulk("Cu"), bulk("NaCl", "rocksalt", a=5.7)]
    settings = PhononSettings(min_length=7.0, mesh=20)

    def highest(potential: Potential, atoms: Atoms) -> float:
        return float(compute_phonons(atoms, potential, settings).mesh[1].max())

    alone = [highest(embedded, atoms) for atoms in crystals]
    np.testing.assert_allclose(do_together(embedded, crystals, highest), alone, atol=1e-6)


def test_only_the_crystal_that_fails_fails():
    potential = AsePotential(EMT())

    def energy(shared: Potential, atoms: Atoms) -> float | str:
        try:
            return shared.evaluate([atoms])[0].energy
        except PotentialError as error:
            return str(error)

    copper, iron = bulk("Cu"), bulk("Fe")
    fine, bad, also = do_together(potential, [copper, iron, copper], energy)
    assert fine == also == potential.evaluate([copper])[0].energy
    assert "Fe" in str(bad)


def test_an_exception_of_a_thread_reaches_the_caller_and_stops_nobody():
    seen = []

    def work(shared: Potential, atoms: Atoms) -> None:
        if atoms.symbols[0] == "Ag":
            raise ValueError("silver")
        seen.append(shared.evaluate([atoms])[0].energy)

    with pytest.raises(ValueError, match="silver"):
        do_together(AsePotential(EMT()), [bulk("Ag"), bulk("Cu"), bulk("Au")], work)
    assert len(seen) == 2


def test_rows_of_the_hessian_are_those_of_the_potential_itself(embedded: Potential):
    atoms, moves = bulk("NaCl", "rocksalt", a=5.7), [(0, np.array([1.0, 0, 0]))]

    def rows(shared: Potential, _number: int) -> np.ndarray:
        return shared.in_precision("float32").hessian_rows(atoms, moves)

    first, second = do_together(load_potential(embedded), [1, 2], rows)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, embedded.hessian_rows(atoms, moves), atol=1e-4)
