"""A potential judged by references that were made of it: zero errors, or those put in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from mlphonon.evaluation.metrics.spectrum import Spectrum
from mlphonon.evaluation.protocol import Protocol
from mlphonon.evaluation.references.reference import ReferenceCrystal
from mlphonon.evaluation.scoring import score_crystal
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from tests.helpers.crystals import quartz
from tests.helpers.potentials import declare
from tests.helpers.springs import (
    LatticeSprings,
    NetworkSprings,
    cubic_axes,
    fcc_neighbours,
    simple_cubic,
    simple_cubic_frequencies,
)

from .conftest import PROTOCOL, make_reference

RATIOS = {"slope", "highest_ratio"}


class Softer(AsePotential):
    """All forces 0.81 of what they were."""

    def evaluate(self, structures, progress=None):
        return [
            replace(found, forces=0.81 * found.forces)
            for found in super().evaluate(structures, progress)
        ]


def test_a_potential_has_no_error_against_its_own_phonons(
    reference: ReferenceCrystal, springs: Potential
) -> None:
    """Zero at every q-point means that wave vectors, weights, atoms and cells were matched."""
    score, curves = score_crystal(reference, springs, PROTOCOL)
    assert score.relaxed is None
    assert score.dft is not None
    assert score.dft.failure is None
    errors = score.dft.errors
    for name in RATIOS:
        assert errors[name] == pytest.approx(1.0, abs=1e-5)
    limits = {"bulk_modulus_GPa": 0.05, "shear_modulus_GPa": 0.05, "velocity_percent": 0.05}
    for name in errors.keys() - RATIOS - {"density"}:
        assert abs(errors[name]) < limits.get(name, 5e-3 if "cell" in name or "K" in name else 2e-4)
    assert errors["mae_by_eigenvector_THz"] == pytest.approx(errors["mae_THz"], abs=1e-6)
    assert score.dft.stable == score.stable_dft == dict.fromkeys(score.stable_dft, True)
    assert curves is not None
    np.testing.assert_allclose(curves.ours.frequencies, curves.dft.frequencies, atol=1e-4)
    assert (score.formula, score.elements) == ("SiO2", ("Si", "O"))


def test_dispersion_of_dft_follows_the_path_of_ours(
    reference: ReferenceCrystal, springs: Potential
) -> None:
    """From force constants at each point, from a mesh where it meets the path."""
    _, whole = score_crystal(reference, springs, PROTOCOL)
    assert whole is not None
    assert whole.points is not None
    path = np.concatenate(whole.bands.distances)
    ours = np.concatenate(whole.bands.frequencies)
    np.testing.assert_array_equal(whole.points.distances, path)
    np.testing.assert_allclose(whole.points.frequencies, ours, atol=2e-4)

    _, sparse = score_crystal(replace(reference, force_constants=None), springs, PROTOCOL)
    assert sparse is not None
    assert sparse.points is not None
    found = sparse.points
    assert 5 < len(found.distances) < len(path)
    assert (np.diff(found.distances) >= 0).all()
    for distance, frequencies in zip(found.distances, found.frequencies, strict=True):
        near = np.abs(path - distance).argmin()
        step = np.abs(np.diff(ours, axis=0)).max()
        np.testing.assert_allclose(frequencies, ours[near], atol=step)
    off = []
    for distance, frequencies in zip(found.distances, found.frequencies, strict=True):
        # Where pieces meet, one distance may be that of two q-points.
        here = ours[np.isclose(path, distance, atol=1e-6)]
        off += [np.abs(here - frequencies).max(axis=1).min()] if len(here) else []
    assert len(off) > 5
    assert max(off) < 2e-4


def test_softer_springs_have_the_slope_of_their_root(reference: ReferenceCrystal) -> None:
    score, _ = score_crystal(reference, Softer(NetworkSprings(quartz(), reach=3.2)), PROTOCOL)
    assert score.dft is not None
    errors = score.dft.errors
    highest = reference.spectrum.frequencies.max()
    assert errors["slope"] == pytest.approx(0.9, abs=1e-5)
    assert errors["highest_ratio"] == pytest.approx(0.9, abs=1e-5)
    assert errors["bias_THz"] == pytest.approx(-errors["mae_THz"], abs=1e-6)
    assert errors["mae_by_eigenvector_THz"] == pytest.approx(errors["mae_THz"], abs=1e-5)
    assert errors["highest_THz"] == pytest.approx(-0.1 * highest, abs=1e-4)
    assert errors["velocity_percent"] == pytest.approx(-10, abs=0.05)
    assert errors["entropy"] > 0.5
    assert errors["entropy_per_cell"] == pytest.approx(9 * errors["entropy"])


def test_bands_that_have_changed_places_are_paired_by_eigenvector() -> None:
    """Simple cubic: DFT's longitudinal modes are its hardest, the potential's its softest."""
    a, atoms = 3.0, simple_cubic(3.0)
    hard = AsePotential(LatticeSprings(cubic_axes(a), along=3.0, across=1.0))
    soft = AsePotential(LatticeSprings(cubic_axes(a), along=1.0, across=2.0))
    theirs = make_reference(atoms, hard, np.diag([4, 4, 4]), np.eye(3), "cubic")
    score, _ = score_crystal(theirs, soft, PROTOCOL)
    assert score.dft is not None
    waves, weights = 2 * np.pi * theirs.qpoints / a, theirs.spectrum.weights
    mass = theirs.force_constants.primitive.masses[0]
    dft = simple_cubic_frequencies(waves, a, 3.0, 1.0, mass)
    ours = simple_cubic_frequencies(waves, a, 1.0, 2.0, mass)
    # In the analytic solution the columns are polarisations along x, y and z.
    paired = np.abs(ours - dft).mean(axis=1) @ weights / weights.sum()
    ordered = np.abs(np.sort(ours) - np.sort(dft)).mean(axis=1) @ weights / weights.sum()
    assert score.dft.errors["mae_THz"] == pytest.approx(ordered, abs=1e-3)
    assert score.dft.errors["mae_by_eigenvector_THz"] == pytest.approx(paired, abs=1e-3)
    assert paired > ordered + 0.1


def test_shuffled_crystals_score_badly(reference: ReferenceCrystal, springs: Potential) -> None:
    order = np.random.default_rng(0).permutation(len(reference.spectrum.weights))
    wrong = Spectrum(1.5 * reference.spectrum.frequencies[order], reference.spectrum.weights)
    score, _ = score_crystal(
        replace(reference, spectrum=wrong, force_constants=None), springs, PROTOCOL
    )
    assert score.dft is not None
    assert score.dft.errors["mae_THz"] > 1
    assert score.dft.errors["spectrum_THz"] > 1


def test_only_what_dft_says_is_compared(reference: ReferenceCrystal, springs: Potential) -> None:
    """A heat capacity alone, and a density of states alone."""
    bare = ReferenceCrystal("bare", reference.atoms, properties={"heat_capacity": 10.0})
    score, curves = score_crystal(bare, springs, PROTOCOL)
    assert curves is None
    assert score.stable_dft == {}
    assert score.dft is not None
    full, _ = score_crystal(reference, springs, PROTOCOL)
    assert full.dft is not None
    assert set(score.dft.errors) == {
        "heat_capacity", "heat_capacity_per_cell", "volume_percent"
    }  # fmt: skip
    assert score.dft.errors["heat_capacity_per_cell"] == pytest.approx(
        18 * score.dft.errors["heat_capacity"]
    )

    cold, _ = score_crystal(bare, springs, PROTOCOL.model_copy(update={"temperature": 100.0}))
    assert cold.dft is not None
    assert "heat_capacity" not in cold.dft.errors, "DFT's is of 300 K"

    density = Spectrum.of_density(
        reference.spectrum.frequencies.ravel(), np.repeat(reference.spectrum.weights, 27)
    )
    only = replace(bare, properties={}, spectrum=density)
    score, curves = score_crystal(only, springs, PROTOCOL)
    assert score.dft is not None
    assert set(score.stable_dft) == {"share"}
    assert "mae_THz" not in score.dft.errors
    assert score.dft.errors["spectrum_THz"] < 0.1, "another mesh, the same crystal"
    assert abs(score.dft.errors["heat_capacity"]) < 0.1


def test_known_moduli_are_compared(springs: Potential) -> None:
    bare = ReferenceCrystal("bare", quartz(), moduli={"bulk_modulus": 30.0})
    score, _ = score_crystal(bare, springs, PROTOCOL)
    doubled, _ = score_crystal(
        replace(bare, moduli={"bulk_modulus": 60.0}), springs, PROTOCOL
    )  # fmt: skip
    assert score.dft is not None
    assert doubled.dft is not None
    gained = score.dft.errors["bulk_modulus_GPa"] - doubled.dft.errors["bulk_modulus_GPa"]
    assert gained == pytest.approx(30.0)


def test_both_structures_are_compared(reference: ReferenceCrystal, springs: Potential) -> None:
    """The springs are at rest elsewhere than where quartz was written down."""
    score, _ = score_crystal(reference, springs, Protocol(displacement=1e-3))
    assert score.relaxed is not None
    assert score.dft is not None
    assert score.dft.errors["volume_percent"] == 0.0
    assert score.relaxed.errors["mae_THz"] > score.dft.errors["mae_THz"]


@pytest.mark.parametrize("stretch", [0.99, 1.01])
def test_volume_is_that_of_the_potential_over_dfts(stretch: float) -> None:
    """Springs at rest in a cell that is longer by a hundredth make the volume 3 % larger."""
    atoms = bulk("Cu", a=3.6)
    springs = LatticeSprings(fcc_neighbours(3.6 * stretch), along=2.0, across=0.0)
    dft = ReferenceCrystal("bare", atoms, properties={"heat_capacity": 10.0})
    score, _ = score_crystal(dft, AsePotential(springs), Protocol(min_length=6.0))
    assert score.relaxed is not None
    assert score.dft is not None
    assert score.relaxed.errors["volume_percent"] == pytest.approx(100 * (stretch**3 - 1), rel=1e-3)
    assert score.dft.errors["volume_percent"] == 0.0


def test_what_cannot_be_computed_is_a_row_with_a_reason() -> None:
    spectrum = Spectrum(np.ones((1, 3)), np.ones(1))
    copper = ReferenceCrystal(
        "Cu_x", bulk("Cu"), 2 * np.eye(3, dtype=int), np.eye(3), np.zeros((1, 3)), spectrum
    )
    knows = AsePotential(NetworkSprings(quartz(), reach=3.2))
    declare(knows, elements=frozenset({8, 14}))
    score, curves = score_crystal(copper, knows)
    assert curves is None
    assert score.failed
    for one in (score.relaxed, score.dft):
        assert one is not None
        assert one.failure is not None
        assert "does not know Cu" in one.failure
        assert one.errors == {}
    wrong = replace(copper, primitive_matrix=np.zeros((3, 3)))
    broken, _ = score_crystal(wrong, AsePotential(NetworkSprings(bulk("Cu"), reach=3.0)), PROTOCOL)
    assert broken.dft is not None
    assert broken.dft.failure is not None
    assert broken.dft.failure.startswith("unexpected LinAlgError")
