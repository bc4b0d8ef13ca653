"""Training data: read from what programs write, checked, split by formula, stored."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.db import connect
from phonopy import Phonopy
from phonopy.file_IO import write_FORCE_SETS

from mlphonon.errors import TrainingError
from mlphonon.force_constants.cells import to_phonopy
from mlphonon.readers.folder import find_calculations
from mlphonon.training.data.checks import check_data, check_no_leak
from mlphonon.training.data.frame import Frame, Origin, TrainingData, join
from mlphonon.training.data.reading import read_sources
from mlphonon.training.data.store import digest, read_data, write_data

DATA = Path(os.environ.get("MLPHONON_DATA", Path(__file__).parents[4] / "shared" / "data"))
METALS = ("Cu", "Al", "Ni", "Pd")


def label(atoms: Atoms, kind: str) -> Atoms:
    """With what EMT says of it."""
    atoms.calc = EMT()
    atoms.get_forces(), atoms.get_stress()
    atoms.info |= {"config": kind, "material_id": atoms.get_chemical_formula(empirical=True)}
    return atoms


def distorted(symbol: str, number: int = 5) -> list[Atoms]:
    made = []
    for seed in range(number):
        random = np.random.default_rng(seed)
        atoms = bulk(symbol, cubic=True)
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.02 * random.normal(size=(3, 3))), True)
        atoms.positions += 0.05 * random.normal(size=(4, 3))
        made.append(label(atoms, "strained"))
    return made


@pytest.fixture
def metals(tmp_path: Path) -> Path:
    path = tmp_path / "metals.extxyz"
    ase.io.write(path, [atoms for symbol in METALS for atoms in distorted(symbol)])
    return path


@pytest.fixture
def data(metals: Path) -> TrainingData:
    return join(read_sources([metals], functional="EMT", code="ase"))


@pytest.fixture
def calculation(tmp_path: Path) -> Callable[[float], Path]:
    """A folder as phonopy leaves it, its forces times a factor."""

    def make(factor: float = 1.0) -> Path:
        folder = tmp_path / "Cu-fcc"
        folder.mkdir()
        phonopy = Phonopy(to_phonopy(bulk("Cu", cubic=True)), 2 * np.eye(3), "auto", log_level=0)
        phonopy.generate_displacements(distance=0.01)
        forces = []
        for cell in phonopy.supercells_with_displacements:
            atoms = Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True, calculator=EMT())
            forces.append(factor * atoms.get_forces())
        phonopy.save(folder / "phonopy_disp.yaml", settings={"force_sets": False})
        phonopy.forces = forces
        write_FORCE_SETS(phonopy.dataset, folder / "FORCE_SETS")
        return folder

    return make


def same(one: Frame, two: Frame) -> None:
    for name in ("positions", "numbers", "cell"):
        np.testing.assert_array_equal(getattr(one.atoms, name), getattr(two.atoms, name))
    np.testing.assert_array_equal(one.forces, two.forces)
    assert (one.energy, one.crystal, one.kind, one.origin) == (
        *(two.energy, two.crystal, two.kind, two.origin),
    )
    assert (one.stress is None) == (two.stress is None)
    if one.stress is not None:
        np.testing.assert_array_equal(one.stress, two.stress)


def test_what_is_stored_comes_back(
    data: TrainingData, calculation: Callable[[float], Path], tmp_path: Path
) -> None:
    whole = join([data, *read_sources([calculation(1.0)])]).hold_out(0.3, seed=1)
    assert whole.curvatures and any(frame.energy is None for frame in whole.frames)
    path = tmp_path / "data.h5"
    sha256 = write_data(whole, path)
    back = read_data(path)
    assert sha256 == digest(path) == write_data(back, tmp_path / "again.h5")
    assert back.held_out == whole.held_out
    for one, two in zip(whole.frames, back.frames, strict=True):
        same(one, two)
    (one,), (two,) = whole.curvatures, back.curvatures
    np.testing.assert_array_equal(one.force_constants, two.force_constants)
    np.testing.assert_array_equal(one.primitive_matrix, two.primitive_matrix)
    assert (one.crystal, one.origin) == (two.crystal, two.origin)
    (joined,) = read_sources([path])
    assert len(joined.frames) == len(whole.frames)


@pytest.mark.parametrize(("amplitude", "curvatures"), [(0.02, 1), (0.2, 0)])
def test_a_file_of_phonopy_by_itself_and_what_is_too_large_to_be_harmonic(
    tmp_path: Path, amplitude: float, curvatures: int
) -> None:
    phonopy = Phonopy(
        to_phonopy(bulk("Cu", cubic=True)), 2 * np.eye(3), primitive_matrix="auto", log_level=0
    )
    phonopy.generate_displacements(distance=amplitude, number_of_snapshots=4, random_seed=1)
    forces = []
    for cell in phonopy.supercells_with_displacements:
        atoms = Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True, calculator=EMT())
        forces.append(atoms.get_forces())
    phonopy.forces = forces
    phonopy.save(tmp_path / "mine.yaml")
    (data,) = read_sources([tmp_path / "mine.yaml"])
    assert [frame.kind for frame in data.frames] == ["random"] * 4
    assert {frame.crystal for frame in data.frames} == {"mine"}
    assert len(data.curvatures) == curvatures


def test_supercells_of_one_crystal_with_nothing_in_common_are_not_compared(
    data: TrainingData,
) -> None:
    """The mean of these two cells is flat."""
    turned = [
        replace(f, atoms=Atoms(f.atoms.numbers, f.atoms.positions, cell=-f.atoms.cell, pbc=True))
        for f in data.frames
    ]
    both = [f for pair in zip(data.frames, turned, strict=True) for f in pair]
    check_data(TrainingData(tuple(both)), mixed=True)


def test_second_derivatives_of_the_wrong_sign_are_refused(data: TrainingData) -> None:
    way = np.random.default_rng(1).normal(size=(1, 4, 3))
    curved = [replace(f, directions=way, responses=5.0 * way) for f in data.frames]
    check_data(TrainingData(tuple(curved)), mixed=True)
    wrong = [replace(f, directions=way, responses=-5.0 * way) for f in data.frames]
    with pytest.raises(TrainingError, match="negative along 20 of 20 directions"):
        check_data(TrainingData(tuple(wrong)))


def test_a_damaged_or_missing_file_is_said(data: TrainingData, tmp_path: Path) -> None:
    path = tmp_path / "data.h5"
    write_data(data, path)
    whole = path.read_bytes()
    for damaged in (whole[:2000], b"nothing"):
        path.write_bytes(damaged)
        with pytest.raises(TrainingError, match=r"cannot read training data .*make it again"):
            read_data(path)
    with pytest.raises(TrainingError, match="there is no file"):
        read_data(tmp_path / "none.h5")


def test_a_failed_write_leaves_what_was_there(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.h5"
    before = write_data(data, path)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mlphonon.training.data.store._write_frames", fail)
    with pytest.raises(OSError, match="No space"):
        write_data(data, path)
    assert digest(path) == before
    assert [p.name for p in tmp_path.glob(".*")] == []


def test_good_data_pass(data: TrainingData) -> None:
    assert check_data(data) == []
    assert data.formulas == tuple(sorted(METALS))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: replace(f, stress=-f.stress), "times what stresses say; wrong units, or a wro"),
        (lambda f: replace(f, stress=160.2 * f.stress), "times what stresses say"),
        (lambda f: replace(f, forces=f.forces / 51.42), "times what forces say"),
        (lambda f: replace(f, forces=-f.forces), "times what forces say"),
        (lambda f: replace(f, energy=23.06 * f.energy), "times what forces say"),
        (lambda f: replace(f, forces=f.forces + 0.2), "do not add up to zero"),
    ],
)
def test_wrong_units_and_signs_are_refused(
    change: Callable[[Frame], Frame], said: str, data: TrainingData
) -> None:
    wrong = replace(data, frames=tuple(change(frame) for frame in data.frames))
    with pytest.raises(TrainingError, match=said) as caught:
        check_data(wrong)
    assert "\n" not in str(caught.value)


def test_mixed_functionals_are_refused_unless_wanted(data: TrainingData) -> None:
    other = replace(data.frames[0], origin=Origin("other.xyz", "PBEsol", "vasp"))
    mixed = replace(data, frames=(*data.frames, other))
    with pytest.raises(TrainingError, match=r"EMT \(20\), PBEsol \(1\).*--mixed"):
        check_data(mixed)
    assert check_data(mixed, mixed=True) == ["1 frames are there more than once"]
    unsaid = replace(data.frames[0], origin=Origin("other.xyz"))
    notes = check_data(replace(data, frames=(*data.frames[1:], unsaid)))
    assert notes == ["the functional of 1 is not known; say it with --functional"]


def test_wild_forces_are_noted(data: TrainingData) -> None:
    first = data.frames[0]
    kick = np.zeros((4, 3))
    kick[0], kick[1] = 500.0, -500.0
    wild = replace(first, forces=first.forces + kick, energy=None)
    many = replace(data, frames=(wild, *200 * data.frames[1:]))
    (note,) = [note for note in check_data(many) if "above" in note]
    assert "forces of 1 frames" in note


def test_wild_second_derivatives_are_noted(data: TrainingData) -> None:
    """Springs to the lattice: all frequencies of a metal are 15.633 sqrt(k / m)."""
    way = np.random.default_rng(1).choice([-1.0, 1.0], size=(1, 4, 3))
    curved = [replace(f, directions=way, responses=5.0 * way) for f in data.frames]
    assert not [note for note in check_data(replace(data, frames=tuple(curved))) if "say" in note]
    curved[0] = replace(curved[0], responses=400.0 * way)
    (note,) = [note for note in check_data(replace(data, frames=tuple(curved))) if "say" in note]
    expected = 15.633302 * np.sqrt(400.0 / curved[0].atoms.get_masses()[0])
    assert "of 1 frames" in note
    assert f"the largest, {expected:.3g}, of {curved[0].formula}" in note


def test_a_formula_is_on_one_side_only(data: TrainingData) -> None:
    split = data.hold_out(0.25, seed=3)
    assert len(split.held_out) == 1
    assert split.held_out == data.hold_out(0.25, seed=3).held_out
    held, kept = split.part(held_out=True), split.part(held_out=False)
    assert len(held.frames) == 5 and len(kept.frames) == 15
    assert not set(held.formulas) & set(kept.formulas)
    check_no_leak(kept, held)
    with pytest.raises(TrainingError, match=r"Cu is both held out and not.*near relatives"):
        check_no_leak(data, replace(held, frames=(data.frames[0],)))
    # As many as there are shares, one at least on each side.
    assert [len(data.hold_out(f, 0).held_out) for f in (0.01, 0.5, 0.99)] == [1, 2, 3]


def test_a_phonopy_calculation_gives_frames_and_curvature(
    calculation: Callable[[float], Path],
) -> None:
    folder = calculation(1.0)
    (found,) = read_sources([folder, folder / "FORCE_SETS"], "PBE")
    (frame,) = found.frames
    assert (frame.crystal, frame.kind, frame.formula) == ("Cu-fcc", "finite", "Cu")
    assert frame.origin.functional == "PBE"
    frame.atoms.calc = EMT()
    np.testing.assert_allclose(frame.atoms.get_forces(), frame.forces, atol=1e-8)
    (curvature,) = found.curvatures
    moved = np.linalg.norm(frame.forces, axis=1).max() / 0.01
    assert np.linalg.norm(curvature.force_constants[0, 0] / np.sqrt(3)) == pytest.approx(
        moved, rel=0.02
    )


def test_calculations_are_found_at_any_depth(
    calculation: Callable[[float], Path], tmp_path: Path
) -> None:
    folder = calculation(1.0)
    for place in ("all/one/Cu", "all/two/deeper/Cu", "all/.hidden/Cu"):
        shutil.copytree(folder, tmp_path / place)
    (tmp_path / "all" / "again").symlink_to(tmp_path / "all" / "one")
    (tmp_path / "all" / "nothing").mkdir()
    assert [place.relative_to(tmp_path).as_posix() for place in find_calculations(tmp_path)] == [
        "Cu-fcc",
        "all/one/Cu",
        "all/two/deeper/Cu",
    ]
    found = read_sources([tmp_path / "all", tmp_path / "all" / "one"])
    names = [curvature.crystal for data in found for curvature in data.curvatures]
    assert names == ["one/Cu", "two/deeper/Cu"]
    assert [len(data.frames) for data in found] == [1, 1]


@pytest.mark.parametrize("factor", [-1.0, 1000.0])
def test_forces_that_push_on_are_refused(
    factor: float, calculation: Callable[[float], Path]
) -> None:
    with pytest.raises(TrainingError, match=r"pulled back by .* units or signs are wrong"):
        read_sources([calculation(factor)])


def test_a_database_of_ase_is_read(tmp_path: Path) -> None:
    path = tmp_path / "metals.db"
    with connect(path) as database:
        for atoms in distorted("Cu", 3):
            database.write(atoms)
    (found,) = read_sources([path])
    assert len(found.frames) == 3
    expected = distorted("Cu", 1)[0]
    np.testing.assert_allclose(found.frames[0].stress, expected.get_stress(voigt=False))
    assert found.frames[0].energy == pytest.approx(expected.get_potential_energy())


def test_what_has_no_labels_is_refused(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "bare.extxyz", bulk("Cu"))
    with pytest.raises(TrainingError, match=r"structure of Cu in .* has no forces; label it"):
        read_sources([tmp_path / "bare.extxyz"])
    (tmp_path / "text.vasp").write_text("nothing")
    with pytest.raises(TrainingError, match=r"cannot read .*text.vasp"):
        read_sources([tmp_path / "text.vasp"])
    with pytest.raises(TrainingError, match="holds no phonopy calculation"):
        read_sources([tmp_path])
    with pytest.raises(TrainingError, match="there is no file"):
        read_sources([tmp_path / "none.xyz"])
    with pytest.raises(TrainingError, match="there are no labelled structures"):
        check_data(TrainingData())


@pytest.mark.skipif(not DATA.exists(), reason="no folder of data")
def test_published_calculations_are_read_and_pass() -> None:
    examples = DATA / "phonopy-examples"
    names = ("NaCl", "MgO", "Al2O3", "ZnO", "Si")
    data = join(read_sources([examples / name for name in names], "PBE", "vasp"))
    assert len(data.curvatures) == len(names)
    assert {frame.kind for frame in data.frames} == {"finite"}
    assert check_data(data) == []


@pytest.mark.skipif(not DATA.exists(), reason="no folder of data")
def test_labels_of_a_teacher_follow_from_each_other(tmp_path: Path) -> None:
    """Energies, forces and stresses of strained crystals of many kinds."""
    import gzip
    import itertools

    path = tmp_path / "some.extxyz"
    with gzip.open(DATA / "distill" / "nequix-oam-1-pft.extxyz.gz", "rt") as file:
        path.write_text("".join(itertools.islice(file, 6000)))
    text = path.read_text().splitlines(keepends=True)
    whole, at = [], 0
    while at < len(text) and at + int(text[at]) + 2 <= len(text):
        whole += text[at : at + int(text[at]) + 2]
        at += int(text[at]) + 2
    path.write_text("".join(whole))
    data = join(read_sources([path], "PBE", "nequix"))
    assert len(data.frames) > 200
    assert not [note for note in check_data(data) if "functional" in note]
