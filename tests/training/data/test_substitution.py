"""New crystals from known ones."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from mlphonon.crystal.crystal import reduced_formula
from mlphonon.crystal.periodic_table import period_and_group
from mlphonon.potentials.calculator import AsePotential
from mlphonon.training.data.substitution import at_best_volume, substitute


def test_elements_are_exchanged_for_relatives_and_never_to_known_or_simplest_ones() -> None:
    fluorite = bulk("CaF2", "fluorite", a=5.46)
    salt = bulk("NaCl", "rocksalt", a=5.64)
    found = list(substitute([fluorite, salt], range(1, 57), 40, seed=3))
    formulas = [reduced_formula(atoms) for atoms in found]
    assert len(found) == len(set(formulas)) == 40
    assert "CaF2" not in formulas
    for atoms in found:
        # Nothing came of the salt: two elements in equal parts are what potentials are judged by.
        assert len(atoms) == 3
        period, group = period_and_group(int(atoms.numbers[0]))
        assert group == 2 or (period == 4 and group in (1, 3))
        assert 0.3 < atoms.get_volume() / fluorite.get_volume() < 5
    again = [reduced_formula(a) for a in substitute([fluorite, salt], range(1, 57), 40, seed=3)]
    assert again == formulas


def test_volumes_come_to_where_the_energy_is_lowest() -> None:
    squeezed = bulk("Cu", a=3.61 * 0.97)
    blown = bulk("Cu", a=3.61 * 1.4)
    (found,) = at_best_volume([squeezed, blown], AsePotential(EMT()))
    # EMT's own lattice constant of copper is 3.59 A.
    assert (4 * found.get_volume()) ** (1 / 3) == pytest.approx(3.59, rel=5e-3)
    np.testing.assert_allclose(found.get_scaled_positions(), squeezed.get_scaled_positions())
