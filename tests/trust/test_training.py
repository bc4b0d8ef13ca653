"""The check of how far a crystal is from what the potential was taught."""

from __future__ import annotations

from ase.build import bulk

from mlphonon import Phonons
from mlphonon.phonons.evidence import Evidence
from mlphonon.potentials.mace.mace_potential import MacePotential, WeightsInfo
from mlphonon.potentials.potential import Potential
from mlphonon.potentials.training_space import FEW
from mlphonon.training.training_domain import training_space_of
from mlphonon.trust.training import LIMIT, check_training, training_distance
from mlphonon.trust.verdict import Check, Unmeasured
from tests.helpers.crystals import rocksalt


def judged(phonons: Phonons, potential: Potential, atoms: object) -> Check | Unmeasured:
    """Let the check see a result whose evidence was measured on some crystal, and saved."""
    found = training_distance(potential, atoms)
    measured = (
        {}
        if found is None
        else {
            "training_distance": found.distance,
            "training_distance_of": found.of,
            "untrained_elements": found.untrained_elements,
        }
    )
    evidence = Evidence(step_to_rest_A=0.0, **measured)
    kept = Evidence.model_validate_json(evidence.model_dump_json())
    assert kept == evidence
    record = phonons.record.model_copy(update={"evidence": kept})
    return check_training(Phonons(phonons.phonopy, record))


def knowing(potential: MacePotential, *formulas: str) -> MacePotential:
    """The embedded potential as if it had been taught some rocksalts."""
    taught = [bulk(f, "rocksalt", a=5.5, cubic=True) for f in formulas]
    for seed, atoms in enumerate(taught):
        atoms.rattle(0.02, seed=seed)
    return MacePotential(
        potential.model,
        WeightsInfo(
            "pupil", potential.info.sha256, training_space=training_space_of(potential, taught)
        ),
        kernels="plain",
    )


def test_a_crystal_that_was_taught_is_trusted(
    rocksalt_phonons: Phonons, embedded: MacePotential
) -> None:
    check = judged(rocksalt_phonons, embedded, bulk("GaAs", "zincblende", a=5.65))
    assert isinstance(check, Check)
    assert check.verdict == "trusted"
    assert 0 <= check.measured < LIMIT == check.limit


def test_a_crystal_unlike_any_that_was_taught_is_to_be_used_with_care(
    rocksalt_phonons: Phonons, embedded: MacePotential
) -> None:
    check = judged(rocksalt_phonons, embedded, bulk("MgO", "rocksalt", a=4.21))
    assert isinstance(check, Check)
    assert check.verdict == "use with care"
    assert check.measured > LIMIT
    assert "atom Mg 1" in check.what or "atom O 2" in check.what
    assert "\n" not in check.describe()


def test_an_element_that_was_untrained_elements_is_not_to_be_used(
    rocksalt_phonons: Phonons, embedded: MacePotential
) -> None:
    """The same crystal, once with and once without its element in the training."""
    with_sodium = knowing(embedded, "NaCl", "KCl")
    without = knowing(embedded, "LiCl", "KCl")
    fine = judged(rocksalt_phonons, with_sodium, rocksalt())
    assert isinstance(fine, Check)
    assert fine.verdict != "do not use"
    check = judged(rocksalt_phonons, without, rocksalt())
    assert isinstance(check, Check)
    assert check.verdict == "do not use"
    assert "Na" in check.what and "Cl" not in check.what
    both = judged(rocksalt_phonons, knowing(embedded, "LiF", "KF"), rocksalt())
    assert isinstance(both, Check)
    assert both.measured == 2.0
    assert "Cl, Na" in both.what


def test_an_element_of_few_crystals_is_said_to_be_so(embedded: MacePotential) -> None:
    rare = training_distance(knowing(embedded, "NaCl", "KCl"), rocksalt())
    assert rare is not None and rare.of is not None
    assert "crystals only" in rare.of
    common = training_distance(embedded, rocksalt())
    assert common is not None and common.of is not None
    assert "crystals" not in common.of
    space = embedded.training_space
    assert space is not None
    assert {int(z) for z in space.elements if space.n_crystals(int(z)) < FEW} == {54}


def test_farther_when_stretched(embedded: MacePotential) -> None:
    found = []
    for factor in (1.0, 1.1, 1.2):
        atoms = bulk("GaAs", "zincblende", a=5.65 * factor)
        measured = training_distance(embedded, atoms)
        assert measured is not None and measured.distance is not None
        found.append(measured.distance)
    assert found == sorted(found)


def test_where_nothing_is_known_nothing_is_said(
    rocksalt_phonons: Phonons, rocksalt_springs: Potential, embedded: MacePotential
) -> None:
    assert training_distance(rocksalt_springs, rocksalt()) is None
    found = judged(rocksalt_phonons, rocksalt_springs, rocksalt())
    assert isinstance(found, Unmeasured)
    assert "not written down" in found.why
    nameless = MacePotential(embedded.model, WeightsInfo("nameless"), kernels="plain")
    assert isinstance(judged(rocksalt_phonons, nameless, rocksalt()), Unmeasured)
    old = rocksalt_phonons.record.model_copy(update={"evidence": None})
    assert isinstance(check_training(Phonons(rocksalt_phonons.phonopy, old)), Unmeasured)


def test_it_is_among_the_checks_of_a_result(rocksalt_phonons: Phonons) -> None:
    evidence = Evidence(
        step_to_rest_A=0.0, training_distance=2 * LIMIT, training_distance_of="Na 1"
    )
    record = rocksalt_phonons.record.model_copy(update={"evidence": evidence})
    check = Phonons(rocksalt_phonons.phonopy, record).trust.check("training")
    assert check is not None
    assert check.fired


def test_all_elements_can_be_unknown(embedded: MacePotential) -> None:
    found = training_distance(knowing(embedded, "NaCl"), bulk("Cu", a=3.6))
    assert found is not None
    assert (found.distance, found.of, found.untrained_elements) == (None, None, ("Cu",))
