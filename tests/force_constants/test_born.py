"""Born charges turn with the crystal, and split its modes as in phonopy's own program."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import ase.io
import numpy as np
import phonopy
import pytest
from ase import Atoms
from phonopy import Phonopy
from phonopy.harmonic.force_constants import compact_fc_to_full_fc

from mlphonon import Phonons, compute_phonons
from mlphonon.crystal.crystal import Crystal, make_crystal
from mlphonon.errors import CrystalError
from mlphonon.force_constants.born import read_born
from mlphonon.force_constants.cells import to_ase
from mlphonon.potentials.calculator import AsePotential
from tests.helpers.crystals import TURN, VIEWS, rotated, turn_of, wurtzite
from tests.helpers.programs import read_band_yaml, run_phonopy
from tests.helpers.springs import TabulatedHarmonic


@dataclass(frozen=True)
class Example:
    """One of phonopy's examples: forces and Born charges by DFT."""

    folder: Path
    given: Atoms
    phonopy: Phonopy
    supercell: str

    def phonons(self, given: Atoms, turn: np.ndarray, born: object) -> Phonons:
        """Our own phonons from forces that these force constants exert."""
        crystal = make_crystal(given)
        full = compact_fc_to_full_fc(self.phonopy.primitive, self.phonopy.force_constants)
        springs = TabulatedHarmonic(
            to_ase(self.phonopy.supercell), full, crystal.to_standard @ turn, crystal.origin_shift
        )
        return compute_phonons(
            crystal,
            AsePotential(springs),
            born=born,
            supercell=self.supercell,
            relax=False,
            mesh=10,
            projected_mesh=5,
            band_points=11,
        )

    def all_charges(self) -> tuple[np.ndarray, np.ndarray]:
        """Born charges of every atom of the unit cell, and the dielectric tensor."""
        primitive, supercell = self.phonopy.primitive, self.phonopy.supercell
        like = [primitive.p2p_map[primitive.s2p_map[s]] for s in supercell.u2s_map]
        params = self.phonopy.nac_params
        return np.array(params["born"])[like], np.array(params["dielectric"])


REFERENCE = Path(__file__).parents[1] / "reference" / "born"


def load_example(folder: Path, supercell: str) -> Example:
    given = ase.io.read(folder / "POSCAR-unitcell", format="vasp")
    loaded = phonopy.load(
        unitcell_filename=folder / "POSCAR-unitcell",
        supercell_matrix=np.diag([int(n) for n in supercell.split()]),
        primitive_matrix="auto",
        force_sets_filename=folder / "FORCE_SETS",
        born_filename=folder / "BORN",
        log_level=0,
    )
    return Example(folder, given, loaded, supercell)


@pytest.fixture(scope="module")
def rock_salt() -> Example:
    return load_example(REFERENCE / "NaCl", "2 2 2")


@pytest.fixture(scope="module")
def corundum() -> Example:
    """Uniaxial, with tensors that are not symmetric."""
    return load_example(REFERENCE / "Al2O3", "2 2 1")


@pytest.fixture(scope="module")
def zinc_oxide(phonopy_examples: Path) -> Example:
    return load_example(phonopy_examples / "ZnO", "2 2 2")


def in_space(phonons: Phonons, waves: np.ndarray, to_standard: np.ndarray) -> np.ndarray:
    """q-points of wave vectors (1/A, no 2 pi) in the axes of the crystal as it was given."""
    return waves @ to_standard.T @ phonons.atoms.cell.array.T


WAVES = np.concatenate(
    [
        1e-4 * np.array([[1, 0, 0], [0, 0, 1], [1, 0, 1], [0.3, 0.8, -0.5]]),
        np.random.default_rng(2).normal(scale=0.1, size=(5, 3)),
    ]
)
"""The first are next to Gamma, where direction matters."""


def theirs(example: Example, waves: np.ndarray) -> np.ndarray:
    q = waves @ example.phonopy.primitive.cell.T
    return np.asarray(example.phonopy.run_qpoints(q).frequencies)


@pytest.mark.parametrize("name", ["rock_salt", "corundum", "zinc_oxide"])
def test_file_gives_phonopys_frequencies(name: str, request: pytest.FixtureRequest) -> None:
    example: Example = request.getfixturevalue(name)
    phonons = example.phonons(example.given, np.eye(3), example.folder / "BORN")
    q = in_space(phonons, WAVES, make_crystal(example.given).to_standard)
    np.testing.assert_allclose(phonons.frequencies(q), theirs(example, WAVES), atol=2e-4)
    assert phonons.record.born_charges


@pytest.mark.parametrize("name", ["rock_salt", "corundum"])
def test_splitting_at_gamma_agrees_with_the_program(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    example: Example = request.getfixturevalue(name)
    phonons = example.phonons(example.given, np.eye(3), example.folder / "BORN")
    bands = phonons.bands()
    assert bands.labels[0][0] == "GAMMA"
    ends = bands.segments[0][[0, -1]] @ np.linalg.inv(phonons.atoms.cell.array).T
    q = ends @ make_crystal(example.given).to_standard @ example.phonopy.primitive.cell.T
    bare = {"force_sets": False, "born_effective_charge": False, "dielectric_constant": False}
    example.phonopy.save(tmp_path / "phonopy_disp.yaml", settings=bare)
    for file in ("FORCE_SETS", "BORN"):
        shutil.copy(example.folder / file, tmp_path)
    path = " ".join(f"{x:.12f}" for x in q.ravel())
    points = str(len(bands.segments[0]))
    run_phonopy(tmp_path, "phonopy_disp.yaml", "--band", path, "--band-points", points)
    found = read_band_yaml(tmp_path / "band.yaml")
    np.testing.assert_allclose(bands.frequencies[0], found, atol=1e-4)
    transverse = phonons.frequencies([0, 0, 0])
    assert bands.frequencies[0][0].max() > transverse.max() + 0.5


def test_longitudinal_branch_of_rock_salt(rock_salt: Example) -> None:
    """w_LO^2 = w_TO^2 + e^2 Z^2 / (epsilon_0 epsilon V mu), to first order in q."""
    phonons = rock_salt.phonons(rock_salt.given, np.eye(3), rock_salt.folder / "BORN")
    transverse = phonons.frequencies([0, 0, 0])[3:]
    np.testing.assert_allclose(transverse, transverse[0], rtol=1e-6)
    charges = read_born(rock_salt.folder / "BORN", make_crystal(rock_salt.given), 1e-5)
    masses = phonons.phonopy.primitive.masses
    # Two charges that do not quite add up to zero: each over its own mass.
    z_over_root_m = charges.charges[:, 0, 0] / np.sqrt(masses)
    from scipy import constants

    plasma = (z_over_root_m**2).sum() * constants.e**2 / constants.epsilon_0
    plasma /= phonons.atoms.get_volume() * 1e-30 * constants.atomic_mass
    plasma /= charges.dielectric[0, 0] * (2 * np.pi * 1e12) ** 2
    q = in_space(phonons, np.array([[1e-4, 0, 0]]), make_crystal(rock_salt.given).to_standard)
    longitudinal = phonons.frequencies(q)[0, -1]
    assert longitudinal**2 == pytest.approx(transverse[0] ** 2 + plasma, rel=2e-3)


def test_transposed_charges_are_other_charges(corundum: Example) -> None:
    """The first index is that of the field; corundum's oxygen tells."""
    charges, dielectric = corundum.all_charges()
    transposed = charges.transpose(0, 2, 1), dielectric
    phonons = corundum.phonons(corundum.given, np.eye(3), transposed)
    q = in_space(phonons, WAVES, make_crystal(corundum.given).to_standard)
    assert np.abs(phonons.frequencies(q) - theirs(corundum, WAVES)).max() > 0.02


@pytest.mark.parametrize("name", ["corundum", "zinc_oxide"])
def test_arrays_and_file_agree(name: str, request: pytest.FixtureRequest) -> None:
    example: Example = request.getfixturevalue(name)
    crystal = make_crystal(example.given)
    from_file = read_born(example.folder / "BORN", crystal, 1e-5)
    from_arrays = read_born(example.all_charges(), crystal, 1e-5)
    np.testing.assert_allclose(from_arrays.charges, from_file.charges, atol=1e-6)
    np.testing.assert_allclose(from_arrays.dielectric, from_file.dielectric, atol=1e-6)


@pytest.mark.parametrize("view", VIEWS)
def test_charges_stay_with_their_atoms(corundum: Example, view: str) -> None:
    """However corundum is given, each atom of the standard cell has the tensor of its site."""
    given = corundum.given
    charges, dielectric = corundum.all_charges()
    tagged = given.copy()
    tagged.set_array("site", np.arange(len(given)))
    seen = VIEWS[view](tagged) if view in ("permuted", "supercell", "shifted") else None
    turn = turn_of(view)
    order = np.arange(len(given)) if seen is None else seen.arrays["site"]
    crystal = make_crystal(VIEWS[view](given))
    source = turn @ charges[order] @ turn.T, turn @ dielectric @ turn.T
    found = read_born(source, crystal, 1e-5)
    expected = read_born((charges, dielectric), make_crystal(given), 1e-5)
    np.testing.assert_allclose(found.charges, expected.charges, atol=1e-6)
    np.testing.assert_allclose(found.dielectric, expected.dielectric, atol=1e-6)


@pytest.mark.parametrize("name", ["corundum", "zinc_oxide"])
def test_frequencies_of_a_rotated_crystal(name: str, request: pytest.FixtureRequest) -> None:
    """Crystal, charges and wave vectors turned together: nothing changes next to Gamma."""
    example: Example = request.getfixturevalue(name)
    charges, dielectric = example.all_charges()
    born = TURN @ charges @ TURN.T, TURN @ dielectric @ TURN.T
    given = rotated(example.given)
    phonons = example.phonons(given, TURN, born)
    q = in_space(phonons, WAVES @ TURN.T, make_crystal(given).to_standard)
    np.testing.assert_allclose(phonons.frequencies(q), theirs(example, WAVES), atol=2e-4)


def test_charges_that_do_not_add_up_are_mended_and_noted(rock_salt: Example) -> None:
    charges, dielectric = rock_salt.all_charges()
    crystal = make_crystal(rock_salt.given)
    assert read_born((charges, dielectric), crystal, 1e-5).notes == ()
    charges[crystal.given.numbers == 17] += 0.3 * np.eye(3)
    found = read_born((charges, dielectric), crystal, 1e-5)
    np.testing.assert_allclose(found.charges.sum(axis=0), 0, atol=1e-12)
    (note,) = found.notes
    assert "up to 0.15 e was taken from each atom" in note
    charges[crystal.given.numbers == 17] += 0.3 * np.eye(3)
    with pytest.raises(CrystalError, match=r"do not add up to zero; up to 0\.3"):
        read_born((charges, dielectric), crystal, 1e-5)


def test_charges_in_the_wrong_order_are_noted(rock_salt: Example) -> None:
    crystal = make_crystal(rock_salt.given)
    charges, dielectric = rock_salt.all_charges()
    assert read_born((charges, dielectric), crystal, 1e-5).notes == ()
    notes = read_born((charges[::-1], dielectric), crystal, 1e-5).notes
    assert [note.split(", of the other sign")[0] for note in notes] == [
        "the Born charges of Na are -1.1 e",
        "the Born charges of Cl are +1.1 e",
    ]


def test_charges_in_other_axes_are_refused(corundum: Example) -> None:
    with pytest.raises(CrystalError, match="symmetry"):
        read_born(corundum.all_charges(), make_crystal(rotated(corundum.given)), 1e-5)


def test_slightly_unsymmetric_charges_are_averaged(zinc_oxide: Example) -> None:
    charges, dielectric = zinc_oxide.all_charges()
    noise = np.random.default_rng(0).normal(scale=0.01, size=charges.shape)
    found = read_born((charges + noise, dielectric), make_crystal(zinc_oxide.given), 1e-5)
    off_diagonal = found.charges[:, ~np.eye(3, dtype=bool)]
    np.testing.assert_allclose(off_diagonal, 0, atol=1e-12)
    np.testing.assert_allclose(found.charges[:, 0, 0], found.charges[:, 1, 1], atol=1e-12)


def shapes(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [
        (np.zeros((n - 1, 3, 3)), np.eye(3)),
        (np.zeros((n, 3)), np.eye(3)),
        (np.zeros((n, 3, 3)), np.ones(3)),
        (np.zeros((3, 3)), np.eye(3)),
    ]


@pytest.mark.parametrize("source", shapes(4))
def test_wrong_shapes_are_refused(source: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(CrystalError, match=r"expected \(4, 3, 3\) and \(3, 3\)"):
        read_born(source, make_crystal(wurtzite()), 1e-5)


@pytest.fixture(scope="module")
def crystal() -> Crystal:
    return make_crystal(wurtzite())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "14.4\n",
        "14.4\n5.97 0 0 0 5.97 0 0 0 4.5\n",
        "14.4\n5.97 0 0 0 5.97 0 0 0 4.5\n2.1 0 0 0 2.1 0 0 0 2.1\n",
        "14.4\n5.97 0 0 0 5.97 0 0 0 4.5\n2.1 0 0\n-2.1 0 0\n",
        "this is no BORN file\nat all\n",
    ],
)
def test_unusable_file_is_named(tmp_path: Path, crystal: Crystal, text: str) -> None:
    path = tmp_path / "BORN"
    path.write_text(text)
    with pytest.raises(CrystalError, match="BORN file") as caught:
        read_born(path, crystal, 1e-5)
    assert "\n" not in str(caught.value)


GOOD = [
    "14.4",
    "5.97 0 0 0 5.97 0 0 0 4.5",
    "2.1 0 0 0 2.1 0 0 0 2.1",
    "-2.1 0 0 0 -2.1 0 0 0 -2.1",
]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (1, "nan 0 0 0 5.97 0 0 0 4.5"),
        (1, "inf 0 0 0 inf 0 0 0 inf"),
        (1, "0 0 0 0 0 0 0 0 0"),
        (1, "-5.97 0 0 0 -5.97 0 0 0 -4.5"),
        (1, "5.97 0 0 0 5.97 0 0 0 0.5"),
        (1, "1e300 0 0 0 1e300 0 0 0 1e300"),
        (2, "nan 0 0 0 2.1 0 0 0 2.1"),
        (3, "-inf 0 0 0 -inf 0 0 0 -inf"),
        (2, "1e9 0 0 0 1e9 0 0 0 1e9"),
    ],
)
def test_numbers_that_cannot_be(tmp_path: Path, crystal: Crystal, line: int, text: str) -> None:
    path = tmp_path / "BORN"
    path.write_text("\n".join(GOOD))
    read_born(path, crystal, 1e-5)
    path.write_text("\n".join(text if i == line else good for i, good in enumerate(GOOD)))
    with pytest.raises(CrystalError, match=r"cannot be; ") as caught:
        read_born(path, crystal, 1e-5)
    assert "\n" not in str(caught.value)


def test_pipe_is_not_waited_for(tmp_path: Path, crystal: Crystal) -> None:
    os.mkfifo(tmp_path / "BORN")
    with pytest.raises(CrystalError, match="no file"):
        read_born(tmp_path / "BORN", crystal, 1e-5)


def test_missing_file_is_named(tmp_path: Path, crystal: Crystal) -> None:
    with pytest.raises(CrystalError, match="nowhere"):
        read_born(tmp_path / "nowhere", crystal, 1e-5)
