"""What is taken for a crystal, what is refused, and how it is standardised."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, make_supercell
from ase.spacegroup import crystal as space_group_crystal
from pymatgen.core import Lattice, Structure

from mlphonon.crystal.crystal import make_crystal, read_crystals, reduced_formula
from mlphonon.errors import CrystalError
from tests.helpers.crystals import (
    VIEWS,
    corundum,
    pyrite,
    quartz,
    rocksalt,
    silicon,
    triclinic,
    wurtzite,
)

CIF = """data_{name}
_cell_length_a 5.69
_cell_length_b 5.69
_cell_length_c 5.69
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'F m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
{sites}
"""


def write_cif(path: Path, *sites: str) -> Path:
    path.write_text(CIF.format(name=path.stem, sites="\n".join(sites)))
    return path


@pytest.mark.parametrize(
    ("build", "spacegroup", "n_atoms"),
    [
        (rocksalt, "Fm-3m (225)", 2),
        (silicon, "Fd-3m (227)", 2),
        (wurtzite, "P6_3mc (186)", 4),
        (corundum, "R-3c (167)", 10),
        (quartz, "P3_221 (154)", 9),
        (pyrite, "Pa-3 (205)", 12),
        (triclinic, "P1 (1)", 4),
    ],
)
def test_standardised_to_the_primitive_cell(build, spacegroup: str, n_atoms: int) -> None:
    given = build()
    crystal = make_crystal(given)
    assert crystal.spacegroup == spacegroup
    assert len(crystal.atoms) == n_atoms
    per_atom = given.get_volume() / len(given)
    assert crystal.atoms.get_volume() / n_atoms == pytest.approx(per_atom)
    assert np.linalg.det(crystal.atoms.cell.array) > 0
    assert crystal.notes == ()


def test_name_and_formula() -> None:
    assert make_crystal(rocksalt()).name == "NaCl"
    named = make_crystal(quartz(), name="alpha")
    assert (named.name, named.formula) == ("alpha", "SiO2")
    assert make_crystal(named) is named


@pytest.mark.parametrize("build", [rocksalt, wurtzite, corundum, quartz, triclinic])
@pytest.mark.parametrize("view", VIEWS)
def test_given_and_standard_cell_are_the_same_points_in_space(build, view: str) -> None:
    """Cell vectors, positions and species of the given crystal, turned and shifted, fit."""
    given = VIEWS[view](build())
    crystal = make_crystal(given)
    turn = crystal.to_standard
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-7)
    assert np.linalg.det(turn) == pytest.approx(1)
    vectors = crystal.given_matrix @ crystal.atoms.cell.array
    np.testing.assert_allclose(vectors, given.cell.array @ turn.T, atol=1e-6)
    moved = given.positions @ turn.T + crystal.origin_shift
    off = moved[:, None, :] - crystal.atoms.positions
    fractional = off @ np.linalg.inv(crystal.atoms.cell.array)
    off = (fractional - np.rint(fractional)) @ crystal.atoms.cell.array
    distance = np.linalg.norm(off, axis=2)
    assert distance.min(axis=1).max() < 1e-5
    like = crystal.atoms.numbers[distance.argmin(axis=1)]
    np.testing.assert_array_equal(like, given.numbers)


TELLING = ("rotated", "permuted", "left-handed", "sheared")
"""Views between which spglib's standardised settings were seen to differ."""


def assert_same_setting(found: Atoms, expected: Atoms) -> None:
    """Same vectors, same species in the same order, same positions but for the origin."""
    np.testing.assert_allclose(found.cell.array, expected.cell.array, atol=1e-6)
    np.testing.assert_array_equal(found.numbers, expected.numbers)
    off = found.get_scaled_positions() - expected.get_scaled_positions()
    off -= off[0]
    off -= np.rint(off)
    np.testing.assert_allclose(off @ expected.cell.array, 0, atol=1e-4)


@pytest.mark.parametrize("number", [1, 5, 8, 9, 19, 26, 33, 43, 79, 82, 92, 119, 146, 152, 160])
@pytest.mark.parametrize("view", TELLING)
def test_one_setting_however_a_low_crystal_is_given(number: int, view: str) -> None:
    check_random_crystal(number, view)


@pytest.mark.parametrize("number", [161, 169, 173, 174, 186, 188, 195, 198, 204, 205, 216, 219])
@pytest.mark.parametrize("view", TELLING)
def test_one_setting_however_a_high_crystal_is_given(number: int, view: str) -> None:
    check_random_crystal(number, view)


def check_random_crystal(number: int, view: str) -> None:
    """Compare a view of a random crystal of a space group with the crystal as it was made."""
    rng = np.random.default_rng(number)
    a, b, c = 7.1, 8.3, 9.7
    cells = (
        (2, [a, b, c, 83, 97, 101]),
        (15, [a, b, c, 90, 104, 90]),
        (74, [a, b, c, 90, 90, 90]),
        (142, [a, a, c, 90, 90, 90]),
        (194, [a, a, c, 90, 90, 120]),
        (230, [c, c, c, 90, 90, 90]),
    )
    cell = next(cell for last, cell in cells if number <= last)
    while True:
        sites = rng.uniform(0, 1, (2, 3))
        atoms = space_group_crystal(["Na", "Cl"], sites, spacegroup=number, cellpar=cell)
        try:
            expected = make_crystal(atoms)
        except CrystalError:
            # Two atoms came too close.
            continue
        break
    assert expected.spacegroup.endswith(f"({number})")
    found = make_crystal(VIEWS[view](atoms))
    assert found.spacegroup == expected.spacegroup
    assert_same_setting(found.atoms, expected.atoms)


def test_setting_of_a_polar_crystal_keeps_its_direction() -> None:
    """Upside down, wurtzite is the same crystal turned; its given axes know."""
    atoms = wurtzite()
    flipped = atoms.copy()
    flipped.positions *= [1, -1, -1]
    flipped.set_cell(atoms.cell.array * [1, -1, -1])
    up, down = make_crystal(atoms), make_crystal(flipped)
    assert_same_setting(down.atoms, up.atoms)
    assert down.to_standard[2, 2] == pytest.approx(-up.to_standard[2, 2])


def test_left_handed_cell_is_noted() -> None:
    crystal = make_crystal(VIEWS["left-handed"](rocksalt()))
    assert any("left-handed" in note for note in crystal.notes)
    assert crystal.spacegroup == "Fm-3m (225)"


def test_magnetic_moments_are_set_aside() -> None:
    iron = bulk("Fe", cubic=True)
    iron.set_initial_magnetic_moments([2.2, -2.2])
    crystal = make_crystal(iron)
    assert crystal.spacegroup == "Im-3m (229)"
    assert len(crystal.atoms) == 1
    assert not crystal.atoms.get_initial_magnetic_moments().any()
    assert any("magnetic" in note for note in crystal.notes)


def test_isotope_masses_are_set_aside() -> None:
    heavy = bulk("Li", cubic=True)
    heavy.set_masses([6.015, 7.016])
    crystal = make_crystal(heavy)
    assert any("isotope" in note for note in crystal.notes)
    assert len(crystal.atoms) == 1


def test_few_digits_are_noted() -> None:
    """Written with four digits, 1/3 breaks the symmetry at 1e-5 A but not at 1e-3 A."""
    atoms = wurtzite()
    atoms.set_scaled_positions(np.round(atoms.get_scaled_positions(), 4))
    crystal = make_crystal(atoms)
    assert crystal.spacegroup != "P6_3mc (186)"
    assert any("1e-3" in note or "0.001" in note for note in crystal.notes)
    assert any("P6_3mc (186)" in note for note in crystal.notes)
    loose = make_crystal(atoms, symprec=1e-3)
    assert loose.spacegroup == "P6_3mc (186)"
    assert loose.notes == ()
    exact = make_crystal(wurtzite())
    np.testing.assert_allclose(loose.atoms.cell.array, exact.atoms.cell.array, atol=1e-3)


def test_supergroup_with_a_smaller_number_is_noted() -> None:
    """P4/mbm (127) is a subgroup of P4/mmm (123)."""
    sites = [(0, 0, 0), (0.25 + 1e-5, 0.75 + 1e-5, 0.5), (0, 0, 0.5)]
    cell = [6.0, 6.0, 4.1, 90, 90, 90]
    atoms = space_group_crystal(["Na", "Cl", "Cl"], sites, spacegroup=127, cellpar=cell)
    crystal = make_crystal(atoms)
    assert crystal.spacegroup == "P4/mbm (127)"
    assert any("P4/mmm (123)" in note for note in crystal.notes)


def test_structure_hash_tells_structures_apart() -> None:
    hashes = [make_crystal(a).structure_hash() for a in (rocksalt(), rocksalt(), silicon())]
    assert hashes[0] == hashes[1] != hashes[2]
    strained = rocksalt()
    strained.set_cell(strained.cell * 1.00001, scale_atoms=True)
    assert make_crystal(strained).structure_hash() != hashes[0]


def refused(structure: object, *words: str) -> None:
    with pytest.raises(CrystalError) as caught:
        make_crystal(structure)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_no_atoms() -> None:
    refused(Atoms(cell=np.eye(3), pbc=True), "no atoms")


def test_no_cell() -> None:
    refused(Atoms("NaCl", positions=[[0, 0, 0], [0, 0, 2.8]]), "periodic", "cell")


def test_two_periodic_directions() -> None:
    slab = rocksalt()
    slab.pbc = (True, True, False)
    refused(slab, "[True, True, False]")


def test_flat_cell() -> None:
    flat = rocksalt()
    flat.set_cell([[5, 0, 0], [0, 5, 0], [5, 5, 0]])
    refused(flat, "volume of the cell: 0 A^3")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_a_number(value: float) -> None:
    broken = rocksalt()
    broken.positions[3, 1] = value
    refused(broken, "finite")
    broken = rocksalt()
    broken.cell.array[1, 1] = value
    refused(broken, "finite")


def test_atoms_too_close() -> None:
    close = rocksalt()
    close.positions[1] = close.positions[0] + [0.3, 0, 0]
    refused(close, "0.300 A apart", "(Na)", "(Cl)")


def test_atoms_too_close_through_the_cell_wall() -> None:
    close = Atoms(
        "Li2", scaled_positions=[[0.01, 0.5, 0.5], [0.98, 0.5, 0.5]], cell=[9] * 3, pbc=True
    )
    refused(close, "0.270 A apart")


def test_no_element() -> None:
    refused(Atoms("X", cell=np.eye(3) * 4, pbc=True), "without an element")


def test_no_structure_at_all() -> None:
    refused(42, "int")
    refused("NaCl", "there is no file NaCl")


def test_partial_occupancy_names_the_site(tmp_path: Path) -> None:
    path = write_cif(tmp_path / "leaky.cif", "Na1 Na 0 0 0 0.85", "Cl1 Cl 0.5 0.5 0.5 1.0")
    with pytest.raises(CrystalError, match=r"partly occupied \(Na 0.85\)") as caught:
        read_crystals(path)
    assert "[0.0, 0.0, 0.0]" in str(caught.value)


def test_shared_site_names_both_elements(tmp_path: Path) -> None:
    path = write_cif(
        tmp_path / "mixed.cif", "Na1 Na 0 0 0 0.5", "K1 K 0 0 0 0.5", "Cl1 Cl 0.5 0.5 0.5 1.0"
    )
    with pytest.raises(CrystalError, match="partly occupied") as caught:
        read_crystals(path)
    assert "Na 0.5" in str(caught.value)
    assert "K 0.5" in str(caught.value)


def test_whole_occupancy_is_fine(tmp_path: Path) -> None:
    path = write_cif(tmp_path / "salt.cif", "Na1 Na 0 0 0 1.0", "Cl1 Cl 0.5 0.5 0.5 1.0")
    (crystal,) = read_crystals(path)
    assert (crystal.name, crystal.spacegroup) == ("salt", "Fm-3m (225)")


@pytest.mark.parametrize("text", ["", "data_\n_cell_length_a banana\n", "{'not': 'a crystal'}"])
def test_unreadable_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.cif"
    path.write_text(text)
    with pytest.raises(CrystalError, match=r"broken\.cif"):
        read_crystals(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CrystalError, match="there is no file"):
        read_crystals(tmp_path / "nowhere.cif")


def test_several_structures_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "pair.extxyz"
    ase.io.write(path, [rocksalt(), silicon()])
    assert [c.name for c in read_crystals(path)] == ["pair-1", "pair-2"]
    assert [c.formula for c in read_crystals(path)] == ["NaCl", "Si"]


def test_file_without_suffix_is_named_after_it(tmp_path: Path) -> None:
    path = tmp_path / "POSCAR"
    ase.io.write(path, rocksalt(), format="vasp")
    assert read_crystals(path)[0].name == "POSCAR"


def test_pymatgen_structure() -> None:
    lattice = Lattice.cubic(5.69)
    structure = Structure.from_spacegroup(
        "Fm-3m", lattice, ["Na+", "Cl-"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    assert_same_setting(make_crystal(structure).atoms, make_crystal(rocksalt()).atoms)


def test_disordered_pymatgen_structure_names_the_site() -> None:
    sites = [{"Na": 0.5, "K": 0.5}, "Cl"]
    structure = Structure(Lattice.cubic(4.0), sites, [[0, 0, 0], [0.5, 0.5, 0.5]])
    refused(structure, "disordered", "Na:0.5", "[0.0, 0.0, 0.0]")


def test_input_is_left_alone() -> None:
    atoms = make_supercell(wurtzite(), [[2, 0, 0], [0, 1, 0], [0, 0, 1]])
    before = atoms.copy()
    make_crystal(atoms)
    assert atoms == before


@pytest.mark.parametrize(
    "formula",
    ["BeSe", "SiO2", "LiH", "H2O", "NH3", "SiC", "GaAs", "CaTiO3", "LaH10", "Al2O3", "CuH", "SO2"],
)
def test_formulas_are_written_as_people_write_them(formula: str) -> None:
    backwards = Atoms(formula)[::-1]
    assert reduced_formula(backwards) == formula
    assert reduced_formula(backwards + backwards) == formula


def test_paths_may_be_text_and_stand_for_their_crystal(tmp_path: Path) -> None:
    path = tmp_path / "table salt.cif"
    ase.io.write(path, bulk("NaCl", "rocksalt", a=5.69))
    (found,) = read_crystals(str(path))
    for same in (make_crystal(path), make_crystal(str(path))):
        assert same.name == found.name == "table salt"
        assert same.structure_hash() == found.structure_hash()
    assert make_crystal(path, name="NaCl").name == "NaCl"
    with pytest.raises(CrystalError, match="there is no file"):
        make_crystal(tmp_path / "none.cif")
