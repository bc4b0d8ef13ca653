"""Mode Grueneisen parameters: those that were put in, those of phonopy's program, third order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.io import write
from phonopy.file_IO import write_FORCE_CONSTANTS

from mlphonon import Gruneisen, Phonons, compute_phonons
from mlphonon.anharmonic.strained import strained_phonons, volume_stretch
from mlphonon.errors import PotentialError, ResultError, SettingsError
from mlphonon.potentials.calculator import AsePotential
from mlphonon.settings import PhononSettings
from tests.helpers.growing_springs import CUBIC, QUICK
from tests.helpers.programs import read_yaml, run_program

COARSE = PhononSettings.make(QUICK, mesh=15)


@pytest.fixture(scope="module")
def argon() -> AsePotential:
    return AsePotential(LennardJones(sigma=3.4, epsilon=0.0104, rc=5.0, smooth=True), name="argon")


@pytest.fixture(scope="module")
def phonons(argon: AsePotential) -> Phonons:
    settings = PhononSettings.make(
        supercell="3 3 3", method="displacements", mesh=20, projected_mesh=8, band_points=11
    )
    return compute_phonons(bulk("Ar", a=5.25), argon, settings)


@pytest.fixture(scope="module")
def found(phonons: Phonons, argon: AsePotential) -> Gruneisen:
    """Argon, by volumes and by third order."""
    return phonons.gruneisen(argon, third_order=True)


def test_every_mode_has_the_gamma_that_was_put_in() -> None:
    potential = AsePotential(CUBIC)
    phonons = compute_phonons(CUBIC.crystal(), potential, COARSE)
    result = phonons.gruneisen(potential)
    stiff = result.frequencies > 0.05
    np.testing.assert_allclose(result.gamma[stiff], 1.8, rtol=2e-4)
    path = np.concatenate(result.path_gamma)
    # At Gamma there is none of the acoustic modes.
    assert np.isnan(path).sum() in (3, 6, 9, 12)
    np.testing.assert_allclose(path[np.isfinite(path)], 1.8, rtol=2e-4)
    assert not np.isinf(path).any()
    assert result.mean(300.0) == pytest.approx(1.8, rel=2e-4)
    assert result.record.nonlinearity < 1e-3


def test_third_order_is_the_derivative_of_the_second(found: Gruneisen) -> None:
    """Two computations that share no displacement."""
    assert found.third_order is not None
    assert found.mean(300.0, found.third_order) == pytest.approx(found.mean(300.0), rel=0.01)
    stiff = found.frequencies > 0.3
    np.testing.assert_allclose(found.third_order[stiff], found.gamma[stiff], atol=0.05)


def test_modes_of_argon_are_near_what_its_springs_say(found: Gruneisen) -> None:
    """Nearest neighbours alone: phi'' ~ r^-13.6 or so, gamma near 19/6 + ...; all above 2."""
    assert 2.5 < found.mean(300.0) < 4.0


def test_result_is_written_and_read_back(found: Gruneisen, tmp_path: Path) -> None:
    folder = found.save(tmp_path / "Ar")
    assert (folder / "gruneisen.png").stat().st_size > 20_000
    again = Gruneisen.load(folder)
    assert again.summary() == found.summary()
    np.testing.assert_array_equal(again.gamma, found.gamma)
    json.dumps(again.summary())
    with pytest.raises(ResultError):
        Gruneisen.load(tmp_path)


def test_phonopys_own_program_finds_the_same(
    phonons: Phonons, argon: AsePotential, found: Gruneisen, tmp_path: Path
) -> None:
    """phonopy-gruneisen on force constants of the three volumes."""
    for name, strain in (("orig", 0.0), ("plus", 0.005), ("minus", -0.005)):
        strained = strained_phonons(phonons, argon, volume_stretch(strain))
        (tmp_path / name).mkdir()
        write(tmp_path / name / "POSCAR", strained.atoms, format="vasp")
        write_FORCE_CONSTANTS(strained.phonopy.force_constants, tmp_path / name / "FORCE_CONSTANTS")
    _ = phonons.mesh
    numbers = " ".join(str(n) for n in phonons.phonopy.mesh.mesh_numbers)
    folders, options = ("orig", "plus", "minus"), ("--dim=3 3 3", "--readfc", "--gc")
    run_program("phonopy-gruneisen", tmp_path, *folders, *options, f"--mp={numbers}")
    theirs = read_yaml(tmp_path / "gruneisen_mesh.yaml")["phonon"]
    gamma = np.array([[mode["gruneisen"] for mode in q["band"]] for q in theirs])
    ours = {tuple(np.round(q, 5)): g for q, g in zip(found.qpoints, found.gamma, strict=True)}
    for q, expected in zip(theirs, gamma, strict=True):
        if any(q["q-position"]):
            mine = ours[tuple(np.round(q["q-position"], 5))]
            np.testing.assert_allclose(np.sort(mine), np.sort(expected), atol=1e-4)


def test_potentials_without_a_name_must_be_given(argon: AsePotential) -> None:
    phonons = compute_phonons(CUBIC.crystal(), AsePotential(CUBIC), COARSE)
    with pytest.raises(PotentialError, match="cannot be loaded by its name"):
        phonons.gruneisen()
    with pytest.raises(
        SettingsError, match="setting 'strain' of Grueneisen parameters cannot be -1"
    ):
        phonons.gruneisen(argon, strain=-1)
