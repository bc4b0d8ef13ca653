"""Descriptors, and the distance from what a potential was taught."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mlphonon import load_potential
from mlphonon.errors import PotentialError
from mlphonon.potentials.dispersion import with_dispersion
from mlphonon.potentials.mace.architecture import MaceArchitecture, save_weights
from mlphonon.potentials.mace.mace_potential import MacePotential, WeightsInfo
from mlphonon.potentials.named.store import EMBEDDED_FOLDER, sha256_of
from mlphonon.potentials.potential import DescriptorPotential, Potential
from mlphonon.potentials.training_space import (
    FILE,
    TrainingSpace,
    load_training_space,
    save_training_space,
)
from mlphonon.training.training_domain import training_space_of
from mlphonon.trust.training import LIMIT
from tests.helpers.crystals import VIEWS, quartz, rocksalt
from tests.helpers.tiny_mace import TINY


def rattled(atoms: Atoms) -> Atoms:
    moved = atoms.copy()
    moved.rattle(0.05, seed=1)
    return moved


@pytest.fixture(scope="module")
def space(embedded: MacePotential) -> TrainingSpace:
    """What the embedded potential was taught."""
    assert embedded.training_space is not None
    return embedded.training_space


@pytest.fixture(scope="module")
def salts(embedded: MacePotential) -> TrainingSpace:
    """What a potential would know that was taught two halides and an oxide."""
    taught = [
        rattled(bulk(formula, "rocksalt", a=a, cubic=True))
        for formula, a in (("NaCl", 5.6), ("KCl", 6.3), ("MgO", 4.2))
    ]
    return training_space_of(embedded, taught, resolution=0.05)


@pytest.mark.parametrize("view", VIEWS)
def test_descriptors_are_of_the_crystal_and_not_of_its_description(
    view: str, embedded: MacePotential
) -> None:
    def sorted_rows(atoms: Atoms, times: int) -> np.ndarray:
        rows = np.repeat(embedded.descriptors(atoms), times, axis=0)
        return rows[np.lexsort(np.round(rows, 5).T)]

    atoms = rattled(quartz())
    seen = VIEWS[view](atoms)
    times = len(seen) // len(atoms)
    np.testing.assert_allclose(sorted_rows(atoms, times), sorted_rows(seen, 1), atol=1e-9)


def test_descriptors_are_in_the_order_of_the_atoms(embedded: MacePotential) -> None:
    atoms = rattled(quartz())
    order = np.random.default_rng(1).permutation(len(atoms))
    found = embedded.descriptors(atoms)
    np.testing.assert_allclose(embedded.descriptors(atoms[order]), found[order], atol=1e-10)
    assert np.abs(found - found[0]).max() > 0.1


def model_of(irreps: str, layers: int) -> MacePotential:
    shape = {"hidden_irreps": irreps, "num_interactions": layers, "max_ell": 2}
    architecture = MaceArchitecture(**(TINY.model_dump() | shape))
    return MacePotential(architecture.build(), WeightsInfo(irreps))


@pytest.mark.parametrize(
    ("irreps", "layers", "features"),
    [("4x0e", 2, 8), ("4x0e+4x1o", 2, 8), ("6x0e+6x1o+6x2e", 3, 18), ("4x0e+4x1o", 1, 4)],
)
def test_descriptors_are_those_of_mace_itself(irreps: str, layers: int, features: int) -> None:
    potential = model_of(irreps, layers)
    atoms = rattled(rocksalt())
    expected = potential.calculator().get_descriptors(atoms, invariants_only=True)
    found = potential.descriptors(atoms)
    assert found.dtype == np.float64
    assert found.shape == (8, features)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_embedded_potential_describes_as_mace_does(embedded: MacePotential) -> None:
    atoms = rattled(quartz())
    expected = load_potential("embedded", kernels="plain").calculator().get_descriptors(atoms)
    np.testing.assert_allclose(embedded.descriptors(atoms), expected, atol=1e-10)


def test_an_atom_without_neighbours_is_described_and_feels_nothing(
    embedded: MacePotential,
) -> None:
    alone = bulk("Cs", a=14.0)
    assert np.isfinite(embedded.descriptors(alone)).all()
    assert np.abs(embedded.evaluate([alone])[0].forces).max() == 0


def test_the_embedded_potential_knows_what_it_was_taught(
    embedded: MacePotential, space: TrainingSpace
) -> None:
    assert embedded.info.elements == frozenset(space.elements.tolist())
    assert space.weights == (embedded.info.sha256,) == (sha256_of(EMBEDDED_FOLDER),)
    assert (EMBEDDED_FOLDER / FILE).stat().st_size < 700_000
    assert 200 < space.n_crystals(8) < 4561
    assert space.n_crystals(2) == 0


def test_a_crystal_that_was_taught_is_near(embedded: MacePotential, space: TrainingSpace) -> None:
    """ZnO is in the training, as all of phonondb-103."""
    atoms = bulk("ZnO", "wurtzite", a=3.25, c=5.207, u=0.3825)
    assert space.distances(embedded, atoms).max() < space.resolution + 0.05


def test_a_crystal_that_was_not_taught_is_farther(
    embedded: MacePotential, space: TrainingSpace
) -> None:
    magnesia = bulk("MgO", "rocksalt", a=4.21)
    assert space.distances(embedded, magnesia).max() > LIMIT


@pytest.mark.parametrize("formula", ["ZnO", "CaS"])
def test_stretching_leads_away(formula: str, embedded: MacePotential, space: TrainingSpace) -> None:
    """Of crystals that were taught; where another was, the way there leads nearer."""
    taught = {
        "ZnO": bulk("ZnO", "wurtzite", a=3.25, c=5.207),
        "CaS": bulk("CaS", "rocksalt", a=5.72),
    }
    atoms = taught[formula]
    found = []
    for factor in (1.0, 1.1, 1.2):
        stretched = atoms.copy()
        stretched.set_cell(factor * atoms.cell.array, scale_atoms=True)
        found.append(space.distances(embedded, stretched).max())
    assert found == sorted(found)
    assert found[2] > 2 * found[0]


def test_environments_of_the_training_are_at_no_distance(
    embedded: MacePotential, salts: TrainingSpace
) -> None:
    """Within the resolution, and the rounding to a byte."""
    taught = rattled(bulk("KCl", "rocksalt", a=6.3, cubic=True))
    assert salts.distances(embedded, taught).max() < salts.resolution + 0.05
    assert {int(z): salts.n_crystals(int(z)) for z in salts.elements} == {
        8: 1,
        11: 1,
        12: 1,
        17: 2,
        19: 1,
    }


def test_an_element_that_was_never_taught_is_infinitely_far(
    embedded: MacePotential, salts: TrainingSpace
) -> None:
    found = salts.distances(embedded, bulk("LiCl", "rocksalt", a=5.1))
    assert np.isinf(found[0])
    assert np.isfinite(found[1])


def test_distances_are_of_the_crystal(embedded: MacePotential, salts: TrainingSpace) -> None:
    atoms = rattled(rocksalt())
    order = np.random.default_rng(2).permutation(len(atoms))
    found = salts.distances(embedded, atoms)
    np.testing.assert_allclose(salts.distances(embedded, atoms[order]), found[order], atol=1e-9)
    np.testing.assert_allclose(
        salts.distances(embedded, atoms.repeat((2, 1, 1))), np.tile(found, 2), atol=1e-9
    )
    single = embedded.in_precision("float32")
    np.testing.assert_allclose(salts.distances(single, atoms), found, atol=1e-3)


def test_units_are_the_spread_of_the_environments_of_an_element() -> None:
    """By hand: two elements, one axis along which they differ by nothing but their means."""
    from mlphonon.training.training_domain import principal_axes

    rng = np.random.default_rng(0)
    features = rng.normal(size=(4000, 3)) * [2.0, 0.5, 0.0]
    numbers = np.repeat([1, 6], 2000)
    features[numbers == 6] += 10.0
    axes = principal_axes(features, numbers)
    assert axes.shape == (3, 2)
    spread = (features[numbers == 1] @ axes).std(axis=0)
    np.testing.assert_allclose(spread, 0.5**0.5, rtol=0.05)
    assert np.abs(axes[2]).max() < 1e-6


def test_a_file_gives_back_what_was_saved(tmp_path: Path, salts: TrainingSpace) -> None:
    save_training_space(salts, tmp_path / FILE)
    loaded = load_training_space(tmp_path / FILE)
    for field in fields(TrainingSpace):
        one, two = getattr(salts, field.name), getattr(loaded, field.name)
        assert np.array_equal(one, two), field.name
        if isinstance(one, np.ndarray):
            assert one.dtype == two.dtype


def test_what_is_no_plain_array_is_not_read(tmp_path: Path, salts: TrainingSpace) -> None:
    bad = tmp_path / FILE
    arrays = {field.name: np.asarray(getattr(salts, field.name)) for field in fields(salts)}
    np.savez(bad, **(arrays | {"weights": np.array([{"runs": "code"}], dtype=object)}))
    with pytest.raises(PotentialError, match="allow_pickle=False"):
        load_training_space(bad)
    bad.write_bytes(pickle.dumps(arrays))
    with pytest.raises(PotentialError, match="cannot read"):
        load_training_space(bad)
    np.savez(bad, **(arrays | {"steps": np.ones(3)}))
    with pytest.raises(PotentialError, match="steps has shape"):
        load_training_space(bad)
    save_training_space(salts, bad)
    bad.write_bytes(bad.read_bytes()[:-100])
    with pytest.raises(PotentialError, match="cannot read") as caught:
        load_training_space(bad)
    assert "\n" not in str(caught.value)


def test_a_folder_brings_it_and_other_weights_refuse_it(
    tmp_path: Path, salts: TrainingSpace
) -> None:
    save_weights(TINY.build(), TINY, tmp_path)
    assert load_potential(tmp_path, device="cpu").training_space is None
    own = replace(salts, weights=("something else", sha256_of(tmp_path)))
    save_training_space(own, tmp_path / FILE)
    loaded = load_potential(tmp_path, device="cpu")
    assert isinstance(loaded, DescriptorPotential)
    assert loaded.training_space is not None
    assert loaded.training_space.weights == own.weights
    save_training_space(salts, tmp_path / FILE)
    with pytest.raises(PotentialError, match="belongs to other weights") as caught:
        load_potential(tmp_path, device="cpu")
    assert "\n" not in str(caught.value)


def test_the_training_domain_is_that_of_the_wrapped_potential(
    rocksalt_springs: Potential, embedded: MacePotential, space: TrainingSpace
) -> None:
    assert not isinstance(rocksalt_springs, DescriptorPotential)
    assert embedded.in_precision("float32").training_space is space
    pytest.importorskip("dftd3")
    with_d3 = with_dispersion(embedded, "d3:pbe")
    assert isinstance(with_d3, DescriptorPotential)
    assert with_d3.training_space is space
    magnesia = bulk("MgO", "rocksalt", a=4.21)
    np.testing.assert_array_equal(
        space.distances(with_d3, magnesia), space.distances(embedded, magnesia)
    )
    assert not isinstance(with_dispersion(rocksalt_springs, "d3:pbe"), DescriptorPotential)
