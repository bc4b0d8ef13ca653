"""Several potentials on one crystal: means and deviations that are known, and one line for what
fails."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from matplotlib.collections import PolyCollection
from scipy import constants

from mlphonon import Phonons, compute_phonons, load_potential
from mlphonon.committee import Committee
from mlphonon.errors import MlphononError, PotentialError, RelaxationError, ResultError
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Evaluation, PotentialInfo
from mlphonon.potentials.several import distinct_names
from mlphonon.results import Spread
from mlphonon.screening.calculation import PotentialSource
from mlphonon.trust.committee import LIMIT, SEVERE, check_committee
from mlphonon.trust.verdict import Check, Unmeasured
from tests.crystals import rocksalt
from tests.springs import LatticeSprings, cubic_axes

QUICK: dict[str, Any] = {
    "min_length": 11.0,
    "mesh": 40.0,
    "projected_mesh": 15.0,
    "band_points": 11,
    "temperatures": (0.0, 400.0, 100.0),
}
X = 0.1
FACTORS = np.array([1.0, 1 + X, 1 - X])
# Frequencies go with the root of the stiffness.
MEAN, STD = np.sqrt(FACTORS).mean(), np.sqrt(FACTORS).std(ddof=1)


def springs(factor: float = 1.0, length: float = 2.845, name: str | None = None) -> AsePotential:
    calculator = LatticeSprings(cubic_axes(length), along=3.0 * factor, across=0.5 * factor)
    return AsePotential(calculator, name=name or f"springs {factor:g}")


@pytest.fixture(scope="module")
def phonons() -> Phonons:
    return compute_phonons(rocksalt(), [springs(f) for f in FACTORS], **QUICK)


@pytest.fixture(scope="module")
def committee(phonons: Phonons) -> Committee:
    assert phonons.committee is not None
    return phonons.committee


@pytest.fixture(scope="module")
def saved(phonons: Phonons, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return phonons.save(tmp_path_factory.mktemp("committee") / "NaCl")


def test_one_potential_is_no_committee() -> None:
    for potential in (springs(), [springs()], (springs(),)):
        assert compute_phonons(rocksalt(), potential, **QUICK).committee is None


def test_the_result_is_the_first(phonons: Phonons, committee: Committee) -> None:
    alone = compute_phonons(rocksalt(), springs(), **QUICK)
    np.testing.assert_array_equal(phonons.phonopy.force_constants, alone.phonopy.force_constants)
    assert committee.members[0] is phonons
    assert committee.names == ("springs 1", "springs 1.1", "springs 0.9")
    assert all(other.committee is None for other in committee.members[1:])
    with pytest.raises(AttributeError):
        committee.members = ()  # type: ignore[misc]


def test_mean_and_deviation_of_bands(phonons: Phonons, committee: Committee) -> None:
    bands, alone = committee.bands(), phonons.bands()
    assert bands.mean.labels == alone.labels
    for k, one in enumerate(alone.frequencies):
        np.testing.assert_allclose(bands.mean.frequencies[k], MEAN * one, atol=1e-5)
        np.testing.assert_allclose(bands.std[k], STD * np.abs(one), atol=1e-5)
        for member, factor in zip(bands.members, FACTORS, strict=True):
            np.testing.assert_allclose(member.frequencies[k], factor**0.5 * one, atol=1e-5)
            np.testing.assert_array_equal(member.distances[k], alone.distances[k])
    with pytest.raises(ValueError, match="read-only"):
        bands.std[0][:] = 0


def test_spread_and_highest_frequency(phonons: Phonons, committee: Committee) -> None:
    _, frequencies, weights = phonons.mesh
    rms = np.sqrt(np.average((frequencies**2).mean(axis=1), weights=weights))
    assert committee.frequency_spread == pytest.approx(STD * rms, rel=1e-6)
    # The mean of the squares is not the square of the mean.
    assert committee.rms_frequency == pytest.approx(rms * np.sqrt(FACTORS.mean()), rel=1e-6)
    # At Gamma, w^2 = (2 K + 4 K') (1/m + 1/M) whatever the polarisation.
    top = phonons.frequencies([0, 0, 0])[-1]
    assert committee.max_frequency.mean == pytest.approx(MEAN * top, rel=1e-6)
    assert committee.max_frequency.std == pytest.approx(STD * top, rel=1e-6)
    assert committee.volume.mean == pytest.approx(2.845**3)
    assert committee.volume.std == pytest.approx(0, abs=1e-6)
    assert committee.stable == (True, True, True)


def test_bars_on_thermal_properties(phonons: Phonons, committee: Committee) -> None:
    """Against the formulas of the oscillator, summed over the mesh."""
    _, frequencies, weights = phonons.mesh
    # Acoustic modes at Gamma, whose frequency is zero, are no oscillators.
    moving = frequencies > 1e-3
    share = np.broadcast_to(weights[:, None] / weights.sum(), frequencies.shape)[moving]
    t = 300.0

    def exact(factor: float) -> tuple[float, float, float]:
        energy = constants.h * 1e12 * factor**0.5 * frequencies[moving]
        x = energy / (constants.k * t)
        c = constants.R * (x / 2 / np.sinh(x / 2)) ** 2
        s = constants.R * (x / np.expm1(x) - np.log1p(-np.exp(-x)))
        f = constants.N_A * energy / 2 / 1e3 + constants.R * t * np.log1p(-np.exp(-x)) / 1e3
        return share @ c, share @ s, share @ f

    found = committee.thermal([t])
    expected = np.array([exact(factor) for factor in FACTORS]).T
    for name, values in zip(("heat_capacity", "entropy", "free_energy"), expected, strict=True):
        members = [getattr(member, name)[0] for member in found.members]
        np.testing.assert_allclose(members, values, rtol=1e-5)
        assert getattr(found.mean, name)[0] == pytest.approx(values.mean(), rel=1e-5)
        assert getattr(found.std, name)[0] == pytest.approx(values.std(ddof=1), rel=1e-4)
    assert found.mean.n_atoms == 2
    zero_points = [member.zero_point_energy for member in found.members]
    assert found.std.zero_point_energy == pytest.approx(np.std(zero_points, ddof=1))
    np.testing.assert_array_equal(committee.thermal().mean.temperatures, [0, 100, 200, 300, 400])


def test_two_members() -> None:
    both = [springs(1.0), springs(1.21)]
    committee = compute_phonons(rocksalt(), both, **QUICK).committee
    assert committee is not None
    top = committee.members[0].frequencies([0, 0, 0])[-1]
    assert committee.max_frequency.mean == pytest.approx(1.05 * top, rel=1e-6)
    # Of two numbers that differ by d, d / sqrt(2).
    assert committee.max_frequency.std == pytest.approx(0.1 * top / np.sqrt(2), rel=1e-6)


def test_one_member_twice_has_no_spread() -> None:
    potential = springs()
    committee = compute_phonons(rocksalt(), [potential, potential], **QUICK).committee
    assert committee is not None
    assert committee.names == ("springs 1", "springs 1 (2)")
    assert committee.frequency_spread == 0
    assert committee.max_frequency.std == committee.volume.std == 0
    assert not committee.thermal().std.heat_capacity.any()
    assert not np.concatenate(committee.bands().std).any()


def test_order_does_not_matter(committee: Committee) -> None:
    turned = compute_phonons(rocksalt(), [springs(f) for f in FACTORS[::-1]], **QUICK).committee
    assert turned is not None
    assert turned.names == committee.names[::-1]
    assert turned.frequency_spread == pytest.approx(committee.frequency_spread, rel=1e-9)
    assert turned.rms_frequency == pytest.approx(committee.rms_frequency, rel=1e-9)
    for one, other in zip(turned.bands().std, committee.bands().std, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    for part in ("mean", "std"):
        for name in ("heat_capacity", "entropy", "free_energy"):
            one, other = (getattr(getattr(c.thermal(), part), name) for c in (turned, committee))
            np.testing.assert_allclose(one, other, atol=1e-8)


def test_crystals_of_other_sizes_have_the_same_supercell() -> None:
    """Frequencies of rocksalt springs depend on q a alone: there is no spread but of volumes."""
    lengths = (2.845, 2.7, 2.95)
    potentials = [springs(length=x, name=f"{x}") for x in lengths]
    settings = QUICK | {"fmax": 1e-7}
    committee = compute_phonons(rocksalt(), potentials, **settings).committee
    assert committee is not None
    matrices = [member.record.supercell_matrix for member in committee.members]
    assert matrices[0] == matrices[1] == matrices[2]
    alone = compute_phonons(rocksalt(), potentials[1], **settings)
    # Left to itself, the smaller one needs more cells to be as high.
    assert alone.record.n_atoms_supercell > committee.members[1].record.n_atoms_supercell
    assert committee.members[1].record.settings == alone.record.settings
    np.testing.assert_allclose(committee.volume.members, np.power(lengths, 3), rtol=1e-6)
    assert committee.volume.std == pytest.approx(np.std(np.power(lengths, 3), ddof=1), rel=1e-5)
    assert committee.frequency_spread < 1e-4
    assert max(float(std.max()) for std in committee.bands().std) < 1e-4


def test_a_grown_supercell_is_that_of_the_first(committee: Committee) -> None:
    settings = QUICK | {"supercell": "converged", "tolerance": 0.5}
    grown = compute_phonons(rocksalt(), [springs(1.0), springs(1.1)], **settings).committee
    assert grown is not None
    first, second = (member.record for member in grown.members)
    assert first.supercell_matrix == second.supercell_matrix
    assert len(first.supercell_series) > 1 and second.supercell_series == ()


def strained(*lengths: float, stiff: int) -> AsePotential:
    """Rocksalt at rest at three lengths, springs along one axis twice as stiff."""
    calculator = LatticeSprings(cubic_axes(1.0) * lengths, along=3.0, across=0.5)
    calculator._stiffness[[stiff, stiff + 3]] *= 2
    return AsePotential(calculator, name=f"stiff along {'xyz'[stiff]}")


def test_mesh_where_members_gained_different_symmetries() -> None:
    """An orthorhombic crystal that one makes tetragonal about z, and one about x."""
    atoms = rocksalt()
    atoms.set_cell(atoms.cell.array * [1.0, 1.01, 1.02], scale_atoms=True)
    settings = QUICK | {"fmax": 1e-8, "mesh": 30.0}
    potentials = [
        strained(2.845, 2.845, 2.9, stiff=2),
        strained(2.9, 2.845, 2.845, stiff=0),
    ]
    committee = compute_phonons(atoms, potentials, **settings).committee
    assert committee is not None
    gained = [len(m.phonopy.primitive_symmetry.pointgroup_operations) for m in committee.members]
    assert gained == [16, 16], "else this tests nothing"
    numbers = committee.members[0]._run_mesh().mesh_numbers
    full = np.array(list(itertools.product(*map(range, numbers)))) / numbers
    one, other = (member.frequencies(full) for member in committee.members)
    expected = np.sqrt(((one - other) ** 2 / 2).mean())
    assert expected > 0.1
    assert committee.frequency_spread == pytest.approx(expected, rel=1e-6)
    naive = _spread_on(committee, committee.members[0].mesh)
    assert abs(naive / expected - 1) > 1e-4, "the symmetry of the first would have done"


def _spread_on(committee: Committee, mesh: tuple[np.ndarray, ...]) -> float:
    one, other = (member.frequencies(mesh[0]) for member in committee.members)
    return float(np.sqrt(np.average(((one - other) ** 2 / 2).mean(axis=1), weights=mesh[2])))


def test_non_analytical_term_reaches_all_members() -> None:
    charges = np.array([1.1 if z == 11 else -1.1 for z in rocksalt().numbers])
    born = charges[:, None, None] * np.eye(3), 2.4 * np.eye(3)
    pair = [springs(1.0), springs(1.0, name="same")]
    committee = compute_phonons(rocksalt(), pair, born=born, **QUICK).committee
    assert committee is not None
    # Along a direction to Gamma the longitudinal branch is higher, for the second member too.
    assert (
        committee.bands().members[1].frequencies[0][0, -1]
        > 1 + committee.members[1].frequencies([0, 0, 0]).max()
    )
    assert max(float(std.max()) for std in committee.bands().std) < 1e-9


def test_potentials_of_all_kinds_at_once(tmp_path: Path) -> None:
    settings = {"min_length": 6.0, "mesh": 10.0, "projected_mesh": 5.0, "band_points": 3}
    kinds = [EMT(), AsePotential(EMT(), name="wrapped")]
    committee = compute_phonons(bulk("Cu"), kinds, **settings).committee
    assert committee is not None
    assert committee.names == ("EMT", "wrapped")
    assert committee.frequency_spread < 1e-6


def test_trust() -> None:
    found = check_committee(compute_phonons(rocksalt(), springs(), **QUICK))
    assert found == Unmeasured(name="committee", why="one potential was given")
    for factor, verdict in ((1.02, "trusted"), (1.3, "use with care"), (3.0, "do not use")):
        phonons = compute_phonons(rocksalt(), [springs(1.0), springs(factor)], **QUICK)
        check = phonons.trust.check("committee")
        assert isinstance(check, Check) and phonons.committee is not None
        relative = (factor**0.5 - 1) / np.sqrt(1 + factor)  # std over root mean square
        assert check.measured / check.limit == pytest.approx(relative / LIMIT, rel=1e-5)
        assert check.severe == pytest.approx(check.limit * SEVERE / LIMIT)
        assert check.effect_THz == check.measured == phonons.committee.frequency_spread
        assert check.verdict == verdict


# What fails.


class Notebook:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str | Callable[[], str]) -> None:
        self.lines.append(text if isinstance(text, str) else text())

    @contextmanager
    def step(self, what: str, total: int | None):
        self.lines.append(what)
        yield lambda _done: None


class Watched(AsePotential):
    """Counts the structures it is asked about."""

    asked = 0

    def evaluate(self, structures: Any, progress: Any = None) -> list[Evaluation]:
        self.asked += len(structures)
        return super().evaluate(structures, progress)


def test_the_reporter_says_which() -> None:
    notebook = Notebook()
    compute_phonons(rocksalt(), [springs(1.0), springs(1.1)], reporter=notebook, **QUICK)
    told = [line for line in notebook.lines if "of 2" in line]
    assert [line.rpartition("(")[2] for line in told] == 3 * ["springs 1, 1 of 2)"] + 3 * [
        "springs 1.1, 2 of 2)"
    ]
    assert "supercell of 64 atoms" in told[1]


def line_of(error: type[MlphononError], potentials: Any, **changes: Any) -> str:
    with pytest.raises(error) as caught:
        compute_phonons(rocksalt(), potentials, **(QUICK | changes))
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_member_that_cannot_be_loaded_is_named_before_any_work() -> None:
    first = Watched(LatticeSprings(cubic_axes(2.845), 3.0, 0.5))
    assert "there is no file" in line_of(PotentialError, [first, "nowhere.model"])
    assert "'embeded'" in line_of(PotentialError, [first, "embeded"])
    assert "potential 'int'" in line_of(PotentialError, [first, 3])
    assert "the list is empty" in line_of(PotentialError, [])
    assert first.asked == 0


def test_a_member_that_does_not_know_an_element_is_named_before_any_work() -> None:
    first = Watched(LatticeSprings(cubic_axes(2.845), 3.0, 0.5))
    second = springs()
    second._info = PotentialInfo("metals", "ase", "float64", "cpu", elements=frozenset({29}))
    assert "'metals' does not know Na, Cl" in line_of(PotentialError, [first, second])
    assert first.asked == 0


def test_a_member_that_does_not_converge_is_named() -> None:
    text = line_of(RelaxationError, [springs(), springs(length=3.2, name="swollen")], relax_steps=2)
    assert text.startswith("potential 'swollen': ")


def test_a_calculator_that_fails_is_named() -> None:
    class Broken(LatticeSprings):
        def calculate(self, *_: Any, **__: Any) -> None:
            raise ZeroDivisionError

    broken = AsePotential(Broken(cubic_axes(2.845), 3.0, 0.5), name="broken")
    assert line_of(PotentialError, [springs(), broken]).startswith("potential 'broken': ")


def test_a_mistake_of_ours_is_not_hidden() -> None:
    class Broken(AsePotential):
        def evaluate(self, *_: Any, **__: Any) -> list[Evaluation]:
            raise ZeroDivisionError

    broken = Broken(LatticeSprings(cubic_axes(2.845), 3.0, 0.5), name="broken")
    with pytest.raises(ZeroDivisionError) as caught:
        compute_phonons(rocksalt(), [springs(), broken], **QUICK)
    assert caught.value.__notes__ == ["with potential 'broken'"]


def test_members_of_other_calculations_are_refused(phonons: Phonons) -> None:
    other = compute_phonons(rocksalt(), springs(), **(QUICK | {"min_length": 7.0}))
    with pytest.raises(ValueError, match=r"settings of springs 1 \(2\) is not that"):
        Committee((phonons, other))
    with pytest.raises(ValueError, match="two members"):
        Committee((phonons,))


def test_where_one_is_used_a_list_is_refused() -> None:
    for use in (load_potential, lambda several: PotentialSource(several).load()):
        with pytest.raises(PotentialError, match="2 potentials were given where one is used"):
            use([EMT(), EMT()])


def test_names_and_numbers() -> None:
    assert distinct_names(["a", "a", "a (2)", "b", "a"]) == (
        "a",
        "a (2)",
        "a (2) (2)",
        "b",
        "a (3)",
    )
    assert Spread.of([1.0, 3.0]) == Spread(2.0, np.sqrt(2.0), (1.0, 3.0))


# On disk.


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
    assert summary == json.loads(json.dumps(phonons.summary()))
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


# Figures.


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


# Real ones.


def perturbed(seed: int, name: str) -> Any:
    """The embedded potential with weights that are 1 % off."""
    import torch

    potential = load_potential("embedded", device="cpu")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in potential.model.parameters():
            noise = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
            weight.mul_(1 + 0.01 * noise)
    potential._info = replace(potential.info, name=name)
    return potential


def test_learned_potentials() -> None:
    atoms: Atoms = bulk("NaCl", "rocksalt", a=5.69)
    settings = {"min_length": 7.0, "mesh": 30.0, "projected_mesh": 10.0, "band_points": 5}
    potentials = ["embedded", perturbed(1, "one"), perturbed(2, "two")]
    phonons = compute_phonons(atoms, potentials, device="cpu", **settings)
    committee = phonons.committee
    assert committee is not None
    assert committee.names == ("embedded", "one", "two")
    assert committee.volume.std > 1e-4
    assert 1e-3 < committee.frequency_spread < committee.rms_frequency
    for member in committee.members:
        assert member.record.relaxation_converged
