"""One signature: a crystal or its phonons, charges in every call, nothing computed twice."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

import mlphonon
from mlphonon import (
    Phonons,
    PhononSettings,
    compute_gruneisen,
    compute_phonons,
    compute_phonons_at_temperature,
    compute_thermal_conductivity,
    compute_thermal_expansion,
)
from mlphonon.anharmonic.harmonic import harmonic_start, with_born_charges
from mlphonon.anharmonic.strained import strained_phonons, volume_stretch
from mlphonon.errors import PotentialError, SettingsError
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from tests.conftest import Counting
from tests.helpers.crystals import rocksalt
from tests.helpers.springs import LatticeSprings, cubic_axes

QUICK = PhononSettings.make(min_length=5, mesh=15, projected_mesh=8, band_points=5)
CALLS = [
    compute_gruneisen,
    compute_thermal_expansion,
    compute_thermal_conductivity,
    compute_phonons_at_temperature,
]


def charges_of(atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    signs = [1 if symbol == "Na" else -1 for symbol in atoms.get_chemical_symbols()]
    return np.array([sign * np.eye(3) for sign in signs]), 2.4 * np.eye(3)


@pytest.fixture(scope="module")
def springs() -> Potential:
    return AsePotential(LatticeSprings(cubic_axes(2.845), along=3.0, across=0.5))


@pytest.fixture(scope="module")
def phonons(springs: Potential) -> Phonons:
    return compute_phonons(rocksalt(), springs, QUICK)


@pytest.mark.parametrize("call", [compute_phonons, *CALLS])
def test_signature(call: Any) -> None:
    names = ["structure", "potential", "settings", "born", "device", "allow_pickle", "reporter"]
    parameters = inspect.signature(call).parameters
    assert list(parameters) == [*names, "changes"]
    assert all(parameters[name].kind.name == "KEYWORD_ONLY" for name in names[3:])


@pytest.mark.parametrize("call", CALLS)
def test_a_command_carries_the_name_of_its_call(call: Any) -> None:
    from mlphonon.cli.app import app

    names = {command.name for command in app.registered_commands if not command.hidden}
    assert call.__name__.removeprefix("compute_").replace("_", "-") in names


def test_phonons_are_not_computed_again(phonons: Phonons) -> None:
    counting = Counting(LatticeSprings(cubic_axes(2.845), along=3.0, across=0.5))
    start = harmonic_start(phonons, AsePotential(counting), PhononSettings())
    assert start.phonons is phonons
    assert counting.calls == 0


def test_charges_reach_every_method(phonons: Phonons, springs: Potential) -> None:
    """The harmonic phonons that a method goes on from have LO and TO apart, given either way."""
    starts = (
        harmonic_start(rocksalt(), springs, QUICK, born=charges_of(rocksalt())),
        harmonic_start(phonons, springs, PhononSettings(), born=charges_of(phonons.atoms)),
    )
    for start in starts:
        assert start.phonons.record.born_charges
        near = start.phonons.frequencies([1e-4, 0, 1e-4])
        assert near[5] - near[4] > 1.0
    assert not phonons.record.born_charges


def test_strained_phonons_keep_their_charges_and_load(
    phonons: Phonons, springs: Potential, tmp_path: Path
) -> None:
    """Charges set on a finished result left a folder that did not load."""
    charged = with_born_charges(phonons, charges_of(phonons.atoms))
    strained = strained_phonons(charged, springs, volume_stretch(0.01))
    assert strained.record.born_charges
    again = Phonons.load(strained.save(tmp_path / "strained"))
    q = [[1e-4, 0, 1e-4], [0.1, 0.2, 0.3]]
    assert again.frequencies(q) == pytest.approx(strained.frequencies(q), abs=1e-6)
    assert again.frequencies(q[0])[5] - again.frequencies(q[0])[4] > 1.0


def test_what_is_handed_out_is_a_copy(phonons: Phonons) -> None:
    """Masses that were changed left half of the answers old."""
    before = phonons.frequencies([0.5, 0, 0])
    handed_out = phonons.phonopy
    handed_out.masses = [1.0, 1.0]
    handed_out.force_constants = 2 * handed_out.force_constants
    np.testing.assert_array_equal(phonons.frequencies([0.5, 0, 0]), before)
    assert handed_out.run_qpoints([[0.5, 0, 0]]).frequencies[0, -1] > 2 * before[-1]


def test_settings_of_given_phonons_are_their_own(phonons: Phonons, springs: Potential) -> None:
    with pytest.raises(SettingsError, match="and phonons that have their own"):
        compute_gruneisen(phonons, springs, phonons={"min_length": 20})


def test_another_potential_than_that_of_the_phonons_is_refused() -> None:
    made = compute_phonons(rocksalt(), "embedded", QUICK, relax=False)
    other = AsePotential(EMT(), name="emt")
    assert harmonic_start(made, other, PhononSettings()).potential is other
    changed = made.record.potential | {"sha256": "0" * 64}
    relabelled = Phonons(made.phonopy, made.record.model_copy(update={"potential": changed}))
    with pytest.raises(PotentialError, match="not the one of the phonons"):
        harmonic_start(relabelled, "embedded", PhononSettings())


def test_several_potentials_are_refused_where_one_is_used() -> None:
    for call in CALLS:
        with pytest.raises(PotentialError, match="2 potentials were given where one is used"):
            call(rocksalt(), ["embedded", EMT()])


def test_former_names_say_the_new_ones() -> None:
    with pytest.raises(AttributeError, match="'compute_thermal_expansion' now"):
        _ = mlphonon.quasi_harmonic
