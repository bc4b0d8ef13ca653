"""A potential judged by references that were made of it: zero errors, or those put in."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from phonopy import Phonopy

from mlphonon.errors import ResultError, SettingsError
from mlphonon.evaluation.metrics import Spectrum
from mlphonon.evaluation.protocol import Protocol, make_protocol
from mlphonon.evaluation.reference import ReferenceCrystal, ReferenceSet
from mlphonon.evaluation.references import find_reference, read_reference
from mlphonon.evaluation.runner import make_manifest, read_scores, run
from mlphonon.evaluation.scores import score_crystal
from mlphonon.evaluation.table import compare, read_runs
from mlphonon.force_constants.displacements import to_ase, to_phonopy
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from tests.crystals import quartz
from tests.springs import NetworkSprings

STEP = 1e-3
"""A; small, since directions of displacement differ between cells and these springs are not
quite linear."""

NAMES = ("threshold", "kelvin", "share")


def make_reference(atoms, potential: Potential, matrix, primitive, key: str) -> ReferenceCrystal:
    """Compute a reference with phonopy alone, in the cell as it is given."""
    phonopy = Phonopy(to_phonopy(atoms), matrix, primitive_matrix=primitive, log_level=0)
    phonopy.generate_displacements(distance=STEP)
    found = potential.evaluate([to_ase(c) for c in phonopy.supercells_with_displacements])
    phonopy.forces = np.array([one.forces for one in found])
    phonopy.produce_force_constants(show_drift=False)
    phonopy.symmetrize_force_constants(level=3, show_drift=False)
    phonopy.run_mesh([4, 3, 5], is_gamma_center=True)
    mesh = phonopy.mesh
    spectrum = Spectrum(mesh.frequencies, mesh.weights)
    return ReferenceCrystal(
        key, atoms, np.array(matrix), np.array(primitive), mesh.qpoints, spectrum
    )


@pytest.fixture(scope="module")
def springs() -> Potential:
    return AsePotential(NetworkSprings(quartz(), reach=3.2), name="springs")


@pytest.fixture(scope="module")
def reference(springs: Potential) -> ReferenceCrystal:
    """Quartz in a sheared, rotated, doubled cell, so that no axis is where ours is."""
    from ase.build import make_supercell

    atoms = make_supercell(quartz(), [[1, 1, 0], [0, 1, 0], [0, 1, 2]])
    atoms.rotate(37, (1, 2, 3), rotate_cell=True)
    primitive = np.linalg.inv(np.array([[1, 1, 0], [0, 1, 0], [0, 1, 2]]).T)
    return make_reference(atoms, springs, np.diag([2, 2, 1]), primitive, "quartz_sheared")


PROTOCOL = Protocol(relax=False, displacement=STEP)


def test_a_potential_has_no_error_against_its_own_phonons(
    reference: ReferenceCrystal, springs: Potential
) -> None:
    """Zero at every q-point means that wave vectors, weights and cells were matched."""
    score = score_crystal(reference, springs, PROTOCOL)
    assert score.failure is None
    assert score.errors.pop("slope") == pytest.approx(1.0, abs=1e-6)
    assert max(abs(value) for name, value in score.errors.items() if "K" not in name) < 2e-4
    np.testing.assert_allclose(score.frequencies, reference.spectrum.frequencies, atol=1e-4)
    assert score.stable == score.stable_dft == dict.fromkeys(NAMES, True)


def test_softer_springs_have_the_slope_of_their_root(reference: ReferenceCrystal) -> None:
    class Softer(AsePotential):
        def evaluate(self, structures, progress=None):
            return [
                replace(found, forces=0.81 * found.forces)
                for found in super().evaluate(structures, progress)
            ]

    soft = Softer(NetworkSprings(quartz(), reach=3.2))
    errors = score_crystal(reference, soft, PROTOCOL).errors
    assert errors["slope"] == pytest.approx(0.9, abs=1e-5)
    assert errors["bias_THz"] == pytest.approx(-errors["mae_THz"], abs=1e-6)
    assert errors["max_THz"] == pytest.approx(-0.1 * reference.spectrum.frequencies.max(), abs=1e-4)
    assert errors["entropy"] > 0.5


def test_shuffled_crystals_score_badly(reference: ReferenceCrystal, springs: Potential) -> None:
    order = np.random.default_rng(0).permutation(len(reference.spectrum.weights))
    wrong = Spectrum(1.5 * reference.spectrum.frequencies[order], reference.spectrum.weights)
    errors = score_crystal(replace(reference, spectrum=wrong), springs, PROTOCOL).errors
    assert errors["mae_THz"] > 1


def test_what_cannot_be_computed_is_a_row_with_a_reason(springs: Potential) -> None:
    copper = bulk("Cu")
    spectrum = Spectrum(np.ones((1, 3)), np.ones(1))
    reference = ReferenceCrystal(
        "Cu_x", copper, 2 * np.eye(3, dtype=int), np.eye(3), np.zeros((1, 3)), spectrum
    )
    knows = AsePotential(NetworkSprings(quartz(), reach=3.2))
    knows._info = replace(knows.info, elements=frozenset({8, 14}))
    score = score_crystal(reference, knows, PROTOCOL)
    assert score.failure is not None
    assert "does not know Cu" in score.failure
    assert score.errors == {}


@pytest.fixture
def quartz_set(reference: ReferenceCrystal) -> ReferenceSet:
    crystals = [reference, replace(reference, key="again")]
    return ReferenceSet(
        "quartz-2", "two", "here", "MIT", "springs", {}, lambda _folder: iter(crystals)
    )


def test_a_run_is_resumed_and_never_mixed(
    quartz_set: ReferenceSet, springs: Potential, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    manifest = make_manifest(quartz_set, springs, PROTOCOL)
    crystals = list(read_reference(quartz_set, tmp_path))
    first = run(crystals[:1], springs, manifest, folder)
    kept = (folder / "crystals" / "quartz_sheared.json").stat().st_mtime_ns
    seen: list[str] = []
    both = run(crystals, springs, manifest, folder, lambda score: seen.append(score.key))
    assert both[0] == first[0]
    assert seen == ["quartz_sheared", "again"]
    assert (folder / "crystals" / "quartz_sheared.json").stat().st_mtime_ns == kept
    assert both[1].frequencies == both[0].frequencies, "to the last digit"
    assert sorted(read_scores(folder), key=lambda s: s.key) == sorted(both, key=lambda s: s.key)
    other = make_manifest(quartz_set, springs, Protocol(relax=False, displacement=0.01))
    with pytest.raises(ResultError, match="another run; protocol differ"):
        run(crystals, springs, other, folder)
    (folder / "crystals" / "again.json").write_text("{")
    with pytest.raises(ResultError, match=r"cannot read .*again\.json.*delete it"):
        run(crystals, springs, manifest, folder)


def test_a_table_is_of_one_set_under_one_protocol(
    quartz_set: ReferenceSet, springs: Potential, tmp_path: Path
) -> None:
    crystals = list(read_reference(quartz_set, tmp_path))
    folders = []
    for name, protocol in {"a": PROTOCOL, "b": Protocol(relax=False, displacement=0.01)}.items():
        folders.append(tmp_path / name)
        run(crystals, springs, make_manifest(quartz_set, springs, protocol), folders[-1])
    text = compare(read_runs([folders[0], folders[0]]))
    head, _, row, again, *_ = text.splitlines()
    assert row == again
    cells = dict(zip(head.split(" | "), row.split(" | "), strict=True))
    assert cells["crystals"] == "2"
    assert cells["failed"] == "0"
    assert cells["slope"] == "1.000"
    assert cells["MAE (THz)"] == "0.000 [0.000, 0.000]"
    assert "relax False" in text
    with pytest.raises(ResultError, match="protocol differs"):
        read_runs(folders)
    with pytest.raises(ResultError, match="holds no results"):
        read_runs([tmp_path])


def test_reference_files_are_checked(tmp_path: Path) -> None:
    found = find_reference("phonondb-103", Path())
    with pytest.raises(ResultError, match=r"there is no file.*--data"):
        read_reference(found, tmp_path)
    for name in found.files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    with pytest.raises(ResultError, match="SHA-256"):
        read_reference(found, tmp_path)
    with pytest.raises(ResultError, match="spelt alike are phonondb-103"):
        find_reference("phonondb", tmp_path)


def test_protocol_is_validated_and_told_apart() -> None:
    assert make_protocol().digest() == Protocol().digest()
    assert make_protocol(displacement=0.01).digest() != Protocol().digest()
    with pytest.raises(SettingsError, match="displacement"):
        make_protocol(displacement=-1)


def test_phonondb_is_read_as_it_is(data: Path) -> None:
    crystals = list(read_reference(find_reference("phonondb-103", Path()), data))
    assert len(crystals) == 60
    assert len({crystal.key for crystal in crystals}) == 60
    for crystal in crystals:
        n_primitive = round(len(crystal.atoms) * np.linalg.det(crystal.primitive_matrix))
        assert crystal.spectrum.frequencies.shape[1] == 3 * n_primitive
        assert crystal.spectrum.weights.sum() in (19**3, 19 * 19 * 15)


def test_published_frequencies_of_a_mace_give_its_published_distance(data: Path) -> None:
    """mace-mp-0b-medium over all 103 crystals: distance 0.564 THz, ratio of highest frequencies
    0.908, their error 65.8 K. The 60 that are here do better: 0.439, 0.917 and 53.0."""
    import gzip

    from mlphonon.evaluation.metrics import spectrum_distance
    from mlphonon.units import KELVIN_PER_THZ

    file = data / "phonondb103" / "mace-mp-0b-medium-frequencies.json.gz"
    published = json.loads(gzip.decompress(file.read_bytes()))
    distances, ratios, errors = [], [], []
    for crystal in read_reference(find_reference("phonondb-103", Path()), data):
        frequencies = np.array(published[crystal.key.split("_")[1]]["frequencies_19mesh_THz"])
        ours = Spectrum(frequencies, np.ones(len(frequencies)))
        distances.append(spectrum_distance(ours, crystal.spectrum))
        highest = crystal.spectrum.frequencies.max()
        ratios.append(frequencies.max() / highest)
        errors.append(abs(frequencies.max() - highest) * KELVIN_PER_THZ)
    assert np.mean(distances) == pytest.approx(0.439, abs=0.001)
    assert np.mean(ratios) == pytest.approx(0.917, abs=0.001)
    assert np.mean(errors) == pytest.approx(53.0, abs=0.1)
