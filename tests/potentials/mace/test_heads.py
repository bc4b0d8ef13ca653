"""A head is part of a potential's identity: chosen at load, recorded, and loaded again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms

from mlphonon import compute_phonons, load_potential, with_dispersion
from mlphonon.errors import PotentialError, UntrustedFileError
from mlphonon.potentials.cached_answers import cache_answers
from mlphonon.potentials.loading import reload
from mlphonon.potentials.mace.mace_potential import MacePotential, WeightsInfo
from mlphonon.potentials.potential import Potential
from mlphonon.screening.calculation import PotentialSource, make_calculation
from mlphonon.settings import PhononSettings
from tests.helpers.crystals import rocksalt
from tests.helpers.two_heads import HEADS, two_head_model


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("heads") / "two.model"
    torch.save(two_head_model(), path)
    return path


def loaded(path: Path, head: str | None, **options: Any) -> Potential:
    return load_potential(path, head=head, allow_pickle=True, device="cpu", **options)


def salt() -> Atoms:
    atoms = rocksalt()
    atoms.rattle(0.1, seed=2)
    return atoms


def forces(potential: Potential) -> np.ndarray:
    return potential.evaluate([salt()])[0].forces


def test_a_file_with_several_heads_needs_one(file: Path) -> None:
    for head, message in ((None, "has several heads"), ("omol", "has no head 'omol'")):
        with pytest.raises(PotentialError, match=message) as caught:
            loaded(file, head)
        assert "pbe, r2scan" in str(caught.value) and "\n" not in str(caught.value)


def test_not_even_a_head_called_default_is_taken_unasked() -> None:
    model = two_head_model()
    model.heads = ["Default", "replayed"]
    with pytest.raises(PotentialError, match="has several heads"):
        MacePotential(model, WeightsInfo("two"))


def test_each_head_gives_its_own_answers_and_says_which_it_is(file: Path) -> None:
    both = {head: loaded(file, head) for head in HEADS}
    for head, potential in both.items():
        plain = MacePotential(two_head_model(), WeightsInfo("two"), head=head, kernels="plain")
        assert potential.info.head == potential.info.as_dict()["head"] == head
        np.testing.assert_allclose(forces(potential), forces(plain), atol=1e-10)
    assert np.abs(forces(both["pbe"]) - forces(both["r2scan"])).max() > 1e-3
    assert both["pbe"].info.identity != both["r2scan"].info.identity


def test_the_head_stays_in_other_precision_and_with_plain_kernels(file: Path) -> None:
    potential = loaded(file, "r2scan")
    assert isinstance(potential, MacePotential)
    for other, atol in (
        (potential.in_precision("float32"), 1e-4),
        (potential.with_plain_kernels(), 1e-10),
    ):
        assert other.info.head == "r2scan"
        np.testing.assert_allclose(forces(other), forces(potential), atol=atol)


def test_an_only_head_need_not_be_named(embedded: Potential) -> None:
    """It is no part of the identity, so that what was computed before heads were noted stays."""
    assert embedded.info.head is None


def test_cached_answers_of_one_head_are_not_those_of_another(file: Path, tmp_path: Path) -> None:
    for head in HEADS:
        potential = loaded(file, head)
        found = forces(cache_answers(potential, tmp_path / "work"))
        np.testing.assert_array_equal(found, forces(potential))


def test_a_campaign_tells_heads_apart(file: Path) -> None:
    digests = set()
    for head in HEADS:
        source = PotentialSource(str(file), "cpu", "float64", head, allow_pickle=True)
        calculation = make_calculation(source, PhononSettings(), (300.0,))
        assert calculation.head == head
        digests.add(calculation.digest())
    assert len(digests) == 2


def test_the_record_of_phonons_names_the_head_and_reload_takes_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reloaded by its name from where it lies."""
    monkeypatch.chdir(file.parent)
    potential = loaded(file, "r2scan")
    phonons = compute_phonons(
        rocksalt(), potential, relax=False, supercell=(1, 1, 1), mesh=10, band_points=11
    )
    assert phonons.record.potential["head"] == "r2scan"
    again = reload(phonons.record.potential, device="cpu", allow_pickle=True)
    assert again.info == potential.info
    np.testing.assert_array_equal(forces(again), forces(potential))


def record_of(potential: Potential, **changes: Any) -> Mapping[str, Any]:
    return potential.info.as_dict() | changes


def test_reload_brings_back_precision_kernels_and_dispersion() -> None:
    pytest.importorskip("dftd3")
    first = load_potential("embedded", device="cpu", dtype="float32", kernels="plain")
    for potential in (first, with_dispersion(first, "d3:r2scan")):
        again = reload(record_of(potential), device="cpu")
        assert again.info == potential.info
        np.testing.assert_array_equal(forces(again), forces(potential))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": None}, "does not say which weights"),
        ({"sha256": "0" * 64}, "the weights of potential 'embedded' are others"),
        ({"name": "no-such-potential"}, "cannot be loaded again.*there is no potential called"),
        ({"head": "left"}, "cannot be loaded again.*no head 'left'"),
    ],
)
def test_what_cannot_be_reloaded_is_one_line(
    embedded: Potential, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(PotentialError, match=message) as caught:
        reload(record_of(embedded, **changes), device="cpu")
    assert "give the potential" in str(caught.value) and "\n" not in str(caught.value)


def test_a_record_without_a_head_is_not_guessed_at(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As older versions wrote them: a head that somebody chose then must not become another."""
    monkeypatch.chdir(file.parent)
    record = dict(record_of(loaded(file, "pbe")))
    with pytest.raises(UntrustedFileError, match="cannot be loaded again"):
        reload(record, device="cpu")
    del record["head"]
    with pytest.raises(PotentialError, match="has several heads"):
        reload(record, device="cpu", allow_pickle=True)
    # A name of the catalogue would have a default.
    monkeypatch.setattr(
        "mlphonon.potentials.loading.load_potential", lambda *_, **__: loaded(file, "pbe")
    )
    with pytest.raises(PotentialError, match="does not say which was used"):
        reload(record, device="cpu", allow_pickle=True)


def test_dispersion_of_another_functional_is_another_potential(tmp_path: Path) -> None:
    pytest.importorskip("dftd3")
    bare = load_potential("embedded", device="cpu")
    assert bare.info.dispersion is None
    first, second = (with_dispersion(bare, kind) for kind in ("d3:pbe", "d3:r2scan"))
    assert first.info.name == second.info.name
    found = [forces(cache_answers(one, tmp_path)) for one in (first, second)]
    assert np.abs(found[0] - found[1]).max() > 1e-5
    assert len({one.info.identity for one in (bare, first, second)}) == 3
