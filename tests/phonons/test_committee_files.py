"""A committee on disk and in figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from matplotlib.collections import PolyCollection

from mlphonon import Phonons, compute_phonons
from mlphonon.errors import ResultError
from mlphonon.phonons.committee import Committee
from tests.helpers.committees import QUICK, springs, three
from tests.helpers.crystals import rocksalt


@pytest.fixture(scope="module")
def phonons() -> Phonons:
    return three()


@pytest.fixture(scope="module")
def committee(phonons: Phonons) -> Committee:
    assert phonons.committee is not None
    return phonons.committee


@pytest.fixture(scope="module")
def saved(phonons: Phonons, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phonons.save(tmp_path_factory.mktemp("committee") / "NaCl")


def test_read_back_to_the_digit(saved: Path, committee: Committee, tmp_path: Path) -> None:
    loaded = Phonons.load(saved).committee
    assert loaded is not None
    assert [m.record for m in loaded.members] == [m.record for m in committee.members]
    assert loaded.names == committee.names
    for one, other in zip(loaded.members, committee.members, strict=True):
        kept, expected = one.phonopy.force_constants, other.phonopy.force_constants
        np.testing.assert_allclose(kept, expected, atol=1e-12)
    # phonopy writes masses with six decimals.
    assert loaded.frequency_spread == pytest.approx(committee.frequency_spread, rel=1e-8)
    for one, other in zip(loaded.bands().std, committee.bands().std, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(
        loaded.thermal().std.heat_capacity, committee.thermal().std.heat_capacity, atol=1e-7
    )
    again = Phonons.load(loaded.members[0].save(tmp_path / "again")).committee
    assert again is not None and again.describe() == committee.describe()


def test_files_of_the_members(saved: Path) -> None:
    there = sorted(str(p.relative_to(saved)) for p in (saved / "committee").rglob("*.*"))
    assert [name for name in there if name.endswith((".json", "params.yaml"))] == [
        "committee/2-springs_1.1/phonons.json",
        "committee/2-springs_1.1/phonopy_params.yaml",
        "committee/3-springs_0.9/phonons.json",
        "committee/3-springs_0.9/phonopy_params.yaml",
    ]
    alone = Phonons.load(saved / "committee/2-springs_1.1")
    assert alone.committee is None
    assert alone.record.potential["name"] == "springs 1.1"


def test_a_result_of_one_that_replaces_a_committee_leaves_no_member(tmp_path: Path) -> None:
    settings = {"min_length": 6.0, "mesh": 10.0, "projected_mesh": 5.0, "band_points": 3}
    compute_phonons(bulk("Cu"), [EMT(), EMT()], **settings).save(tmp_path / "out")
    compute_phonons(bulk("Cu"), EMT(), **settings).save(tmp_path / "out")
    assert not (tmp_path / "out" / "committee").exists()
    assert Phonons.load(tmp_path / "out").committee is None
    assert "committee" not in json.loads((tmp_path / "out" / "phonons.json").read_text())


def test_summary(saved: Path, phonons: Phonons, committee: Committee) -> None:
    summary = json.loads((saved / "phonons.json").read_text())
    assert json.loads(json.dumps(phonons.summary())).items() <= summary.items()
    assert set(summary["files_sha256"]) == {
        "phonopy_params.yaml",
        "committee/2-springs_1.1/phonons.json",
        "committee/3-springs_0.9/phonons.json",
    }
    block = summary["committee"]
    assert block["names"] == list(committee.names)
    assert block["stable_by_threshold"] == [True, True, True]
    assert block["frequency_spread_THz"] == committee.frequency_spread
    assert block["max_frequency_THz"]["members"][0] == summary["max_frequency_THz"]
    assert block["max_frequency_THz"]["std"] == committee.max_frequency.std
    assert block["volume_A3_per_atom"]["mean"] == pytest.approx(2.845**3)
    room = committee.thermal([300.0])
    for key, name in (
        ("C_V_J_per_K_mol_atoms", "heat_capacity"),
        ("S_J_per_K_mol_atoms", "entropy"),
        ("F_kJ_per_mol_atoms", "free_energy"),
    ):
        bars = block["thermal_300K"][key]
        assert bars["mean"] == pytest.approx(getattr(room.mean, name)[0] / 2)
        assert bars["std"] == pytest.approx(getattr(room.std, name)[0] / 2)
        assert bars["members"][0] == pytest.approx(summary["thermal_300K"][key])


def cut_a_file(folder: Path) -> None:
    path = folder / "committee/3-springs_0.9/phonopy_params.yaml"
    path.write_bytes(path.read_bytes()[:4000])


def lose_a_file(folder: Path) -> None:
    (folder / "committee/2-springs_1.1/phonons.json").unlink()


def lose_a_member(folder: Path) -> None:
    shutil.rmtree(folder / "committee/2-springs_1.1")


def lose_all(folder: Path) -> None:
    shutil.rmtree(folder / "committee")


def forget_the_committee(folder: Path) -> None:
    rewrite(folder / "phonons.json", lambda summary: summary.pop("committee"))


def rename_a_member(folder: Path) -> None:
    path = folder / "committee/2-springs_1.1/phonons.json"
    rewrite(path, lambda summary: summary["record"]["potential"].update(name="other"))


def change_a_supercell(folder: Path) -> None:
    path = folder / "committee/2-springs_1.1/phonons.json"
    matrix = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    rewrite(path, lambda summary: summary["record"].update(supercell_matrix=matrix))


def rewrite(path: Path, change: Callable[[dict], Any]) -> None:
    summary = json.loads(path.read_text())
    change(summary)
    path.write_text(json.dumps(summary))


@pytest.mark.parametrize(
    "damage",
    [
        cut_a_file,
        lose_a_file,
        lose_a_member,
        lose_all,
        forget_the_committee,
        rename_a_member,
        change_a_supercell,
    ],
)
def test_damaged_members_are_refused(
    saved: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(saved, folder)
    damage(folder)
    with pytest.raises(ResultError) as caught:
        Phonons.load(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


def shades(ax: Any) -> list[PolyCollection]:
    return [c for c in ax.collections if isinstance(c, PolyCollection)]


def test_bands_are_shaded(phonons: Phonons, committee: Committee) -> None:
    ax = phonons.plot().axes[0]
    bands = committee.bands()
    drawn = shades(ax)
    assert len(drawn) == sum(f.shape[1] for f in bands.mean.frequencies)
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "first potential",
        "mean ± 1 std of 3 potentials",
    ]
    highest = max(float(shade.get_paths()[0].vertices[:, 1].max()) for shade in drawn)
    edge = max(float((m + s).max()) for m, s in zip(bands.mean.frequencies, bands.std, strict=True))
    assert highest == pytest.approx(edge)
    assert ax.get_ylim()[1] > edge
    alone = compute_phonons(rocksalt(), springs(), **QUICK).plot().axes[0]
    assert not shades(alone) and alone.get_legend() is None


def test_thermal_properties_are_shaded(phonons: Phonons, committee: Committee) -> None:
    figure = phonons.plot_thermal()
    assert [len(shades(ax)) for ax in figure.axes] == [2, 1]
    heat = committee.thermal()
    corners = shades(figure.axes[0])[0].get_paths()[0].vertices[:, 1]
    expected = (heat.mean.heat_capacity + heat.std.heat_capacity).max() / 2
    assert float(corners.max()) == pytest.approx(expected)
