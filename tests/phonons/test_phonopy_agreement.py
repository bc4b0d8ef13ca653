"""What we save, other programs read, and they find the same phonons in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import phonopy
import pytest
import yaml
from ase import Atoms

from mlphonon import Phonons, compute_phonons
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from tests.helpers.crystals import corundum, pyrite, rocksalt, silicon, triclinic, wurtzite
from tests.helpers.programs import read_band_yaml, read_bands, read_yaml, run_phonopy
from tests.helpers.springs import NetworkSprings

TOLERANCE = 1e-4
"""THz."""

Q = np.random.default_rng(8).uniform(-0.5, 0.5, (6, 3))

SETTINGS = {"mesh": 30.0, "projected_mesh": 15.0, "band_points": 11}


def compute(atoms: Atoms, reach: float, min_length: float) -> Phonons:
    springs = AsePotential(NetworkSprings(atoms, reach))
    return compute_phonons(atoms, springs, min_length=min_length, **SETTINGS)


@pytest.fixture(scope="module")
def triclinic_phonons(embedded: Potential) -> Phonons:
    """P1 off the potential's minimum: forces at rest are subtracted."""
    return compute_phonons(triclinic(), embedded, relax=False, min_length=7.0, **SETTINGS)


@pytest.fixture(scope="module")
def phonons(request: pytest.FixtureRequest) -> Phonons:
    if request.param in ("quartz_phonons", "triclinic_phonons", "rocksalt_phonons"):
        return request.getfixturevalue(request.param)
    build, reach, min_length = {
        "rocksalt": (rocksalt, 4.3, 11.0),
        "silicon": (silicon, 4.2, 10.5),
        "wurtzite": (wurtzite, 3.5, 9.0),
        "corundum": (corundum, 3.0, 9.0),
        "pyrite": (pyrite, 3.5, 8.0),
    }[request.param]
    return compute(build(), reach, min_length)


EVERY = ["silicon", "wurtzite", "corundum", "quartz_phonons", "triclinic_phonons"]


def without_force_constants(phonons: Phonons, folder: Path) -> str:
    """Save, and take the force constants out: the program must solve for them itself."""
    phonons.save(folder / "result")
    loaded = phonopy.load(folder / "result" / "phonopy_params.yaml", log_level=0)
    loaded.save(folder / "params.yaml", settings={"force_constants": False})
    assert "\nforce_constants:" not in (folder / "params.yaml").read_text()
    return "params.yaml"


@pytest.mark.parametrize("phonons", EVERY, indirect=True)
def test_program_solves_the_same_forces(phonons: Phonons, tmp_path: Path) -> None:
    """Displacements, forces, cells and masses in the file give our frequencies, at any q."""
    name = without_force_constants(phonons, tmp_path)
    run_phonopy(tmp_path, name, "--qpoints", *[f"{x:.15f}" for x in Q.ravel()])
    found = read_band_yaml(tmp_path / "qpoints.yaml")
    np.testing.assert_allclose(phonons.frequencies(Q), found, atol=TOLERANCE)


def test_program_on_a_mesh(quartz_phonons: Phonons, tmp_path: Path) -> None:
    """Mesh, thermal properties and density of states by the program itself."""
    phonons = quartz_phonons
    name = without_force_constants(phonons, tmp_path)
    # Zero at Gamma is a small number of either sign: those modes are to be left out.
    heat = ["-t", "--tmax", "300", "--tstep", "100", "--cutoff-freq", "1e-3"]
    run_phonopy(tmp_path, name, "--mesh", "40", *heat)
    q_points = read_bands(tmp_path / "mesh.yaml")
    qpoints, frequencies, weights = phonons.mesh
    np.testing.assert_allclose([q["q-position"] for q in q_points], qpoints, atol=1e-7)
    np.testing.assert_allclose([q["weight"] for q in q_points], weights)
    found = read_band_yaml(tmp_path / "mesh.yaml")
    np.testing.assert_allclose(frequencies, found, atol=TOLERANCE)
    thermal = yaml.safe_load((tmp_path / "thermal_properties.yaml").read_text())
    rows = thermal["thermal_properties"]
    ours = phonons.thermal([row["temperature"] for row in rows])
    for theirs, mine in (
        ("free_energy", ours.free_energy),
        ("entropy", ours.entropy),
        ("heat_capacity", ours.heat_capacity),
    ):
        np.testing.assert_allclose([row[theirs] for row in rows], mine, atol=1e-4)


def test_program_along_our_path(triclinic_phonons: Phonons, tmp_path: Path) -> None:
    """The band structure of a triclinic crystal, from one end of the path to the other."""
    name = without_force_constants(triclinic_phonons, tmp_path)
    bands = triclinic_phonons.bands()
    q = np.concatenate([segment[[0, -1]] for segment in bands.segments])
    run_phonopy(tmp_path, name, "--qpoints", *[f"{x:.15f}" for x in q.ravel()])
    found = read_band_yaml(tmp_path / "qpoints.yaml")
    ours = np.concatenate([f[[0, -1]] for f in bands.frequencies])
    np.testing.assert_allclose(ours, found, atol=TOLERANCE)


@pytest.fixture(scope="module")
def saved(quartz_phonons: Phonons, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quartz_phonons.save(tmp_path_factory.mktemp("agreement") / "quartz")


def test_phonopy_load(saved: Path, quartz_phonons: Phonons) -> None:
    loaded = phonopy.load(saved / "phonopy_params.yaml", log_level=0)
    np.testing.assert_allclose(
        loaded.run_qpoints(Q).frequencies, quartz_phonons.frequencies(Q), atol=1e-9
    )
    solved = phonopy.load(saved / "phonopy_params.yaml", log_level=0)
    solved.produce_force_constants()
    solved.symmetrize_force_constants()
    np.testing.assert_allclose(
        solved.run_qpoints(Q).frequencies, quartz_phonons.frequencies(Q), atol=TOLERANCE
    )


def test_band_yaml(saved: Path, quartz_phonons: Phonons) -> None:
    bands = quartz_phonons.bands()
    found = read_band_yaml(saved / "band.yaml")
    np.testing.assert_allclose(np.concatenate(bands.frequencies), found, atol=1e-6)
    positions = [q["q-position"] for q in read_bands(saved / "band.yaml")]
    np.testing.assert_allclose(np.concatenate(bands.segments), positions, atol=1e-7)
    labels = read_yaml(saved / "band.yaml")["labels"]
    assert [tuple(pair) for pair in labels] == list(bands.labels)
    distances = [q["distance"] for q in read_bands(saved / "band.yaml")]
    np.testing.assert_allclose(np.concatenate(bands.distances), distances, atol=1e-6)


def test_thermal_properties_yaml(saved: Path, quartz_phonons: Phonons) -> None:
    rows = yaml.safe_load((saved / "thermal_properties.yaml").read_text())["thermal_properties"]
    ours = quartz_phonons.thermal()
    np.testing.assert_allclose([row["temperature"] for row in rows], ours.temperatures)
    np.testing.assert_allclose(
        [row["heat_capacity"] for row in rows], ours.heat_capacity, atol=1e-5
    )
    np.testing.assert_allclose([row["free_energy"] for row in rows], ours.free_energy, atol=1e-5)


def test_density_files(saved: Path, quartz_phonons: Phonons) -> None:
    total = np.loadtxt(saved / "total_dos.dat")
    np.testing.assert_allclose(total[:, 0], quartz_phonons.dos().frequencies, atol=1e-6)
    np.testing.assert_allclose(total[:, 1], quartz_phonons.dos().total, atol=1e-6)
    projected = np.loadtxt(saved / "projected_dos.dat")
    expected = quartz_phonons.dos(projected=True).projected
    np.testing.assert_allclose(projected[:, 1:].T, expected, atol=1e-6)


def test_pymatgen(saved: Path, quartz_phonons: Phonons) -> None:
    from pymatgen.io.phonopy import get_ph_bs_symm_line, get_ph_dos, get_pmg_structure

    bands = get_ph_bs_symm_line(str(saved / "band.yaml"), has_nac=False)
    ours = np.concatenate(quartz_phonons.bands().frequencies)
    np.testing.assert_allclose(np.sort(bands.bands.T, axis=1), np.sort(ours, axis=1), atol=1e-6)
    lattice = bands.lattice_rec.matrix
    expected = np.linalg.inv(quartz_phonons.atoms.cell.array).T
    np.testing.assert_allclose(lattice, expected, atol=1e-5)
    dos = get_ph_dos(str(saved / "total_dos.dat"))
    np.testing.assert_allclose(dos.densities, quartz_phonons.dos().total, atol=1e-6)
    # An integral over our density by their formula.
    temperature = 300.0
    heat_capacity = quartz_phonons.thermal([temperature]).heat_capacity[0]
    assert dos.cv(temperature) == pytest.approx(heat_capacity, rel=1e-2)
    structure = get_pmg_structure(quartz_phonons.phonopy.primitive)
    assert structure.composition.reduced_formula == "SiO2"
    assert structure.volume == pytest.approx(quartz_phonons.atoms.get_volume())


@pytest.mark.parametrize(
    "phonons", ["quartz_phonons", "rocksalt_phonons", "corundum"], indirect=True
)
def test_euphonic(phonons: Phonons, tmp_path: Path) -> None:
    """Diagonal and skewed supercells."""
    euphonic = pytest.importorskip("euphonic")
    matrix = phonons.phonopy.supercell_matrix
    np.testing.assert_array_equal(matrix, matrix.T)
    phonons.save(tmp_path / "result")
    constants = euphonic.ForceConstants.from_phonopy(
        path=str(tmp_path / "result"), summary_name="phonopy_params.yaml"
    )
    modes = constants.calculate_qpoint_phonon_modes(Q, asr=None)
    found = modes.frequencies.to("THz", "spectroscopy").magnitude
    np.testing.assert_allclose(np.sort(found), phonons.frequencies(Q), atol=TOLERANCE)


def test_euphonic_with_born_charges(rocksalt_springs: Potential, tmp_path: Path) -> None:
    """Two programs' own Ewald sums, at the q-points that the supercell samples and near Gamma.

    In between, springs without a dipole part are interpolated by each in its own way.
    """
    euphonic = pytest.importorskip("euphonic")
    charges = np.array([1.1 if z == 11 else -1.1 for z in rocksalt().numbers])
    born = charges[:, None, None] * np.eye(3), 2.4 * np.eye(3)
    settings = {"min_length": 11.0, "mesh": 10.0, "projected_mesh": 5.0, "band_points": 3}
    phonons = compute_phonons(rocksalt(), rocksalt_springs, born=born, **settings)
    phonons.save(tmp_path / "salt")
    constants = euphonic.ForceConstants.from_phonopy(
        path=str(tmp_path / "salt"), summary_name="phonopy_params.yaml"
    )
    assert constants.born is not None
    sampled = np.linalg.inv(phonons.phonopy.supercell_matrix.T) @ [[1, 2, 0], [0, 1, -1], [3, 1, 1]]
    q = np.concatenate([[[1e-4, 0, 0], [0, 2e-4, 1e-4]], sampled.T])
    modes = constants.calculate_qpoint_phonon_modes(q, asr=None)
    found = modes.frequencies.to("THz", "spectroscopy").magnitude
    np.testing.assert_allclose(np.sort(found), phonons.frequencies(q), atol=1e-3)
