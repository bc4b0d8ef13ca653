"""phononDB-103 and the binaries of Alexandria: small files in their form, and what is here."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from mlphonon.errors import ResultError
from mlphonon.evaluation.references.alexandria import FILE
from mlphonon.evaluation.references.catalogue import find_reference, read_reference, select_crystals
from mlphonon.evaluation.references.files import check_files
from mlphonon.evaluation.references.phonondb import NAC, PLAIN, STRUCTURES
from mlphonon.units import GAS_CONSTANT


def pack(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(content).encode()))


def write_phonondb(folder: Path, **changes: object) -> None:
    """Two crystals of which one has frequencies: on a mesh of 8 q-points, two to a star."""
    columns = {
        "mp_id": {"7": "mp-1265"},
        "frequencies": {"7": [[0.0, 0, 0, 3, 3, 4], [1.0, 2, 3, 4, 5, 6]]},
        "qpoints": {"7": [[0, 0, 0], [0.5, 0, 0]]},
        "weights": {"7": [2, 6]},
        "q_mesh": {"7": [2, 2, 2]},
        "kappa_TOT_ave": {"7": [42.0]},
        "mode_kappa_TOT_ave": {"7": [np.full((2, 6), 28.0).tolist()]},
        **changes,
    }
    pack(folder / PLAIN.path, columns)
    cells = []
    for name, mp_id in (("MgO", "mp-1265"), ("NaCl", "mp-22862")):
        atoms = bulk(name, "rocksalt", a=4.3, cubic=True)
        atoms.info = {
            "name": name,
            "mp_id": mp_id,
            "fc2_supercell": (4 * np.eye(3, dtype=int)).tolist(),
            "fc3_supercell": (2 * np.eye(3, dtype=int)).tolist(),
            "primitive_matrix": [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]],
        }
        cells.append(atoms)
    write(folder / STRUCTURES.path, cells, format="extxyz")


def test_a_crystal_of_phonondb(tmp_path: Path) -> None:
    write_phonondb(tmp_path)
    found = find_reference("phonondb-103")
    assert len(select_crystals(found, tmp_path)) == 1
    (crystal,) = read_reference(found, tmp_path)
    assert crystal.key == "MgO_mp-1265"
    assert crystal.supercell_matrix.tolist() == (4 * np.eye(3)).tolist()
    assert crystal.spectrum.weights.tolist() == [2, 6]
    assert crystal.third_order_supercell.tolist() == (2 * np.eye(3)).tolist()
    assert crystal.q_mesh == (2, 2, 2)
    assert crystal.conductivity.n_mesh == 8
    assert crystal.conductivity.modes.sum() / 8 == crystal.conductivity.total == 42.0


def test_damaged_phonondb(tmp_path: Path) -> None:
    found = find_reference("phonondb-103")
    write_phonondb(tmp_path, weights={"7": [1]})
    with pytest.raises(ResultError, match=r"MgO_mp-1265 in .*noNAC\.json\.gz") as caught:
        list(read_reference(found, tmp_path))
    assert "\n" not in str(caught.value)
    write_phonondb(tmp_path, mp_id={"7": "mp-0"})
    with pytest.raises(ResultError, match="there is no crystal of phonondb-103"):
        read_reference(found, tmp_path)
    (tmp_path / STRUCTURES.path).write_text("8\nLattice=")
    with pytest.raises(ResultError, match=r"cannot read .*structures\.extxyz"):
        read_reference(found, tmp_path)
    pack(tmp_path / PLAIN.path, [])
    with pytest.raises(ResultError, match=r"cannot read .*noNAC\.json\.gz"):
        read_reference(found, tmp_path)


def test_phonondb_is_read_as_it_is(data: Path) -> None:
    found = find_reference("phonondb-103")
    assert check_files(found, data) == []
    crystals = list(read_reference(found, data))
    assert len(crystals) == len({crystal.key for crystal in crystals}) == 60
    for crystal in crystals:
        n_primitive = round(len(crystal.atoms) * np.linalg.det(crystal.primitive_matrix))
        assert crystal.spectrum.frequencies.shape[1] == 3 * n_primitive
        assert crystal.spectrum.weights.sum() in (19**3, 19 * 19 * 15)
        kappa = crystal.conductivity
        assert kappa.modes.shape == crystal.spectrum.frequencies.shape
        assert kappa.modes.sum() / kappa.n_mesh == pytest.approx(kappa.total, rel=1e-9)


def test_the_non_analytical_term_raises_longitudinal_modes(data: Path) -> None:
    """Near Gamma, one at least of every crystal; at Gamma, without a direction, none."""
    if not (data / NAC.path).is_file():
        pytest.skip(f"no {NAC.path} in {data}")
    assert check_files(find_reference("phonondb-103-nac"), data) == []
    crystals = zip(
        read_reference(find_reference("phonondb-103"), data),
        read_reference(find_reference("phonondb-103-nac"), data),
        strict=True,
    )
    for plain, term in crystals:
        assert plain.key == term.key
        np.testing.assert_array_equal(plain.qpoints, term.qpoints)
        primitive = plain.primitive_matrix.T @ plain.atoms.cell.array
        gamma, near = np.linalg.norm(plain.qpoints @ np.linalg.inv(primitive).T, axis=1).argsort()[
            :2
        ]
        without, raised = plain.spectrum.frequencies, term.spectrum.frequencies
        np.testing.assert_allclose(without[gamma], raised[gamma], atol=1e-5)
        assert (raised[near] / without[near]).max() > 1.02
        assert plain.conductivity.total != term.conductivity.total


def binary(heat_capacity: float = 40.0, formula: str = "NaCl") -> dict:
    site = {"occu": 1}
    sites = [
        {"species": [{"element": "Na", **site}], "abc": [0, 0, 0]},
        {"species": [{"element": "Cl", **site}], "abc": [0.5, 0.5, 0.5]},
    ]
    lattice = {"matrix": [[0, 2.8, 2.8], [2.8, 0, 2.8], [2.8, 2.8, 0]]}
    structure = {"lattice": lattice, "sites": sites}
    found = {"mp_id": "mp-22862", "formula": formula, "structure": structure}
    return {**found, "heat_capacity": heat_capacity}


def test_alexandria_is_per_atom(tmp_path: Path) -> None:
    pack(tmp_path / FILE.path, [binary(formula="Na(Cl)/1")])
    found = find_reference("alexandria-binary")
    (note,) = check_files(found, tmp_path)
    assert "alexandria-binary-pbe-phonon-2025.1.json.gz is not an edition" in note
    (crystal,) = read_reference(found, tmp_path)
    assert crystal.key == "Na_Cl__1_mp-22862"
    assert crystal.properties == {"heat_capacity": 20.0}
    assert crystal.supercell_matrix is None and crystal.spectrum is None
    assert crystal.atoms.get_distance(0, 1, mic=True) == pytest.approx(2.8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([binary(60.0)], r"NaCl_mp-22862 in .*no crystal has C_V = 30\.0"),
        ([binary(-1.0)], "no crystal has C_V"),
        ([binary(float("nan"))], "no crystal has C_V = nan"),
        ([{}], "KeyError"),
        ([binary(), binary()], "are called NaCl_mp-22862"),
        (7, "cannot read"),
    ],
)
def test_damaged_alexandria(tmp_path: Path, content: object, message: str) -> None:
    pack(tmp_path / FILE.path, content)
    with pytest.raises(ResultError, match=message) as caught:
        list(read_reference(find_reference("alexandria-binary"), tmp_path))
    assert "\n" not in str(caught.value)


def test_alexandria_is_read_as_it_is(data: Path) -> None:
    if not (data / FILE.path).is_file():
        pytest.skip(f"no {FILE.path} in {data}")
    found = find_reference("alexandria-binary")
    assert check_files(found, data) == []
    crystals = list(read_reference(found, data))
    assert len(crystals) == 519
    for crystal in crystals:
        assert 0 < crystal.properties["heat_capacity"] <= 3 * GAS_CONSTANT
        assert len(set(crystal.atoms.symbols)) == 2
