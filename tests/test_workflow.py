"""The steps in order, refusals before the work, and a record of what was done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from pymatgen.core import Structure

import mlphonon
from mlphonon import Phonons, PhononSettings, compute_phonons, make_crystal
from mlphonon.errors import (
    CrystalError,
    MlphononError,
    PotentialError,
    RelaxationError,
    SettingsError,
)
from mlphonon.phonons.record import Record
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Evaluation
from tests.helpers.crystals import rocksalt, silicon, wurtzite
from tests.helpers.potentials import declare
from tests.helpers.springs import LatticeSprings, NetworkSprings, cubic_axes

QUICK = {"min_length": 6.0, "mesh": 10.0, "projected_mesh": 5.0, "band_points": 3}


class Watched(AsePotential):
    """Counts the structures it is asked about."""

    def __init__(self, calculator, elements: frozenset[int] | None = None) -> None:
        super().__init__(calculator)
        self.asked = 0
        if elements is not None:
            declare(self, name="watched", dtype="float64", elements=elements)

    def evaluate(self, structures, progress=None) -> list[Evaluation]:
        self.asked += len(structures)
        return super().evaluate(structures, progress)


class Notebook:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[tuple[str, int | None, list[int]]] = []

    def say(self, text: str | Callable[[], str]) -> None:
        self.lines.append(text if isinstance(text, str) else text())

    @contextmanager
    def step(self, what: str, total: int | None):
        done: list[int] = []
        self.steps.append((what, total, done))
        yield done.append


@pytest.fixture
def copper() -> Watched:
    return Watched(EMT())


def test_public_face_is_complete() -> None:
    for name in mlphonon.__all__:
        assert getattr(mlphonon, name) is not None
    assert set(mlphonon.__all__) <= set(dir(mlphonon))
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        mlphonon.magic  # noqa: B018


def test_calculator_structure_and_settings_by_name() -> None:
    phonons = compute_phonons(bulk("Cu", cubic=True), EMT(), **QUICK)
    assert isinstance(phonons, Phonons)
    assert phonons.record.settings.min_length == 6.0
    # EMT's copper: 7.9 THz at X; the measured 7.2 is no business of this test.
    assert 6 < phonons.frequencies([0.5, 0.5, 0])[-1] < 9


def test_settings_and_changes_together() -> None:
    base = PhononSettings(**QUICK, displacement=0.02)
    phonons = compute_phonons(bulk("Cu"), EMT(), base, mesh=12)
    assert phonons.record.settings.mesh == 12
    assert phonons.record.settings.displacement == 0.02
    moved = np.linalg.norm(phonons.phonopy.displacements, axis=-1)
    assert moved.max() == pytest.approx(0.02)


def test_path_crystal_and_pymatgen_agree(tmp_path: Path) -> None:
    atoms = bulk("Cu", cubic=True)
    path = tmp_path / "copper.vasp"
    ase.io.write(path, atoms)
    structure = Structure(atoms.cell.array, ["Cu"] * 4, atoms.get_scaled_positions())
    q = [0.1, 0.2, 0.4]
    expected = compute_phonons(atoms, EMT(), **QUICK).frequencies(q)
    for given in (path, str(path), make_crystal(atoms), structure):
        found = compute_phonons(given, EMT(), **QUICK)
        np.testing.assert_allclose(found.frequencies(q), expected, atol=1e-6)
    assert compute_phonons(path, EMT(), **QUICK).record.name == "copper"


def test_file_of_several_structures_is_refused(tmp_path: Path, copper: Watched) -> None:
    path = tmp_path / "two.extxyz"
    ase.io.write(path, [bulk("Cu"), bulk("Cu", a=3.7)])
    with pytest.raises(MlphononError, match="holds 2 structures"):
        compute_phonons(path, copper)
    assert copper.asked == 0


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"min_length": -1}, SettingsError),
        ({"minimum": 12}, SettingsError),
        ({"min_length": 25, "max_atoms": 50}, SettingsError),
        ({"supercell": "9 9 9", "max_atoms": 100}, SettingsError),
        ({"born": "no/such/BORN"}, CrystalError),
        ({"born": (np.zeros((7, 3, 3)), np.eye(3))}, CrystalError),
    ],
)
def test_refused_before_any_work(copper: Watched, changes: dict, error: type) -> None:
    with pytest.raises(error):
        compute_phonons(bulk("Cu"), copper, **changes)
    assert copper.asked == 0


def test_unknown_element_is_refused_before_any_work() -> None:
    potential = Watched(EMT(), elements=frozenset({29}))
    with pytest.raises(PotentialError, match="does not know Na, Cl"):
        compute_phonons(rocksalt(), potential)
    assert potential.asked == 0


def test_unconverged_relaxation_stops_before_the_displacements(copper: Watched) -> None:
    with pytest.raises(RelaxationError):
        compute_phonons(bulk("Cu", a=3.9), copper, relax_steps=1, **QUICK)
    assert copper.asked < 6
    phonons = compute_phonons(
        bulk("Cu", a=3.9), copper, relax_steps=1, allow_unconverged=True, **QUICK
    )
    assert not phonons.record.relaxation_converged
    assert phonons.record.residual_stress_GPa > 0.1


def test_no_relaxation_keeps_the_cell() -> None:
    phonons = compute_phonons(bulk("Cu", a=3.7), EMT(), relax=False, **QUICK)
    assert phonons.atoms.get_volume() == pytest.approx(3.7**3 / 4)
    assert not phonons.record.relaxed
    relaxed = compute_phonons(bulk("Cu", a=3.7), EMT(), **QUICK)
    assert relaxed.record.relaxed
    assert relaxed.record.volume_change == pytest.approx(
        relaxed.atoms.get_volume() / phonons.atoms.get_volume() - 1
    )


def test_potential_without_stress_needs_no_relaxation() -> None:
    class Stressless(EMT):
        implemented_properties = ["energy", "forces"]  # noqa: RUF012

    phonons = compute_phonons(bulk("Cu", a=3.6), Stressless(), relax=False, **QUICK)
    assert phonons.record.residual_stress_GPa is None
    assert Record.model_validate_json(phonons.record.model_dump_json()) == phonons.record


def test_record_says_what_was_done() -> None:
    springs = AsePotential(LatticeSprings(cubic_axes(2.845), 3.0, 0.5), name="springs")
    phonons = compute_phonons(rocksalt(), springs, **(QUICK | {"min_length": 11.0}))
    record = phonons.record
    assert (record.name, record.formula, record.spacegroup) == ("NaCl", "NaCl", "Fm-3m (225)")
    assert (record.n_atoms_primitive, record.n_atoms_supercell) == (2, 64)
    assert (record.method, record.displacement_A, record.n_displacements) == (
        "displacements",
        0.01,
        2,
    )
    assert min(record.supercell_heights_A) == pytest.approx(11.38)
    assert round(abs(np.linalg.det(record.supercell_matrix))) == 32
    assert record.settings_sha256 == record.settings.digest()
    assert record.structure_sha256 == make_crystal(rocksalt()).structure_hash()
    assert record.potential["name"] == "springs"
    assert record.residual_force_eV_per_A < 1e-9
    assert record.energy_eV_per_atom == pytest.approx(0, abs=1e-9)
    assert record.raw_force_constants.drift < 1e-9
    assert not record.born_charges
    assert {"phonopy", "spglib", "numpy", "ase", "python"} <= record.versions.keys()
    assert {"crystal", "relaxation", "displacements", "forces"} <= record.seconds.keys()
    assert all(seconds >= 0 for seconds in record.seconds.values())
    assert Record.model_validate_json(record.model_dump_json()) == record


def test_left_handed_cell_is_in_the_record() -> None:
    atoms = silicon()
    atoms.set_cell(atoms.cell.array[[1, 0, 2]])
    phonons = compute_phonons(atoms, NetworkSprings(silicon(), 4.2), **QUICK)
    assert any("left-handed" in note for note in phonons.record.notes)


def test_reporter_is_told_sizes_before_the_work() -> None:
    notebook = Notebook()
    compute_phonons(
        wurtzite(),
        NetworkSprings(wurtzite(), 3.5),
        reporter=notebook,
        **(QUICK | {"min_length": 9.0}),
    )
    (line,) = [line for line in notebook.lines if "supercell" in line]
    assert "96 atoms, 4 displacements of 0.01 A" in line
    what, total, done = notebook.steps[-1]
    assert "forces" in what
    assert total == sum(done) == 5


def test_born_charges_are_in_the_record() -> None:
    charges = np.array([1.1 if z == 11 else -1.1 for z in rocksalt().numbers])
    born = charges[:, None, None] * np.eye(3), 2.4 * np.eye(3)
    springs = AsePotential(LatticeSprings(cubic_axes(2.845), 3.0, 0.5))
    phonons = compute_phonons(rocksalt(), springs, born=born, **QUICK)
    assert phonons.record.born_charges
    near, at = phonons.frequencies([[1e-4, 0, 1e-4], [0, 0, 0]])
    assert near[-1] > at[-1] + 1


def test_same_input_gives_the_same_numbers() -> None:
    first, second = (compute_phonons(bulk("Cu", a=3.7), EMT(), **QUICK) for _ in range(2))
    np.testing.assert_array_equal(first.phonopy.force_constants, second.phonopy.force_constants)
