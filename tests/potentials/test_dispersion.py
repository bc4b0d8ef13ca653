"""D3 dispersion: the numbers of simple-dftd3, on top of the potential's, where they belong."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mlphonon import compute_phonons, load_potential, with_dispersion
from mlphonon.errors import PotentialError
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.dispersion import DispersionPotential, parameters_for
from mlphonon.potentials.potential import Potential, PotentialInfo
from tests.helpers.potentials import declare
from tests.helpers.springs import LatticeSprings, cubic_axes


@pytest.fixture(scope="module")
def nothing() -> Potential:
    """No force at all, taught PBE."""
    potential = AsePotential(LatticeSprings(cubic_axes(1.0), along=0.0, across=0.0))
    declare(potential, functional="PBE(+U)")
    return potential


def test_another_program_gives_the_same(nothing: Potential) -> None:
    """torch-dftd 0.5.3 (xc="pbe", damping="bj", float64) on the same crystal; its cutoff of
    50 A in place of 32 A accounts for the last digits."""
    atoms = bulk("NaCl", "rocksalt", a=5.69, cubic=True)
    atoms.rattle(0.05, seed=1)
    (found,) = with_dispersion(nothing, "d3").evaluate([atoms])
    assert found.energy == pytest.approx(-1.6690218, rel=2e-3)
    np.testing.assert_allclose(found.forces[0], [-1.52489e-3, 7.003e-5, 1.59289e-3], atol=2e-7)
    expected = [9.45636e-3, 9.45565e-3, 9.45937e-3, -1.6275e-6, -1.0862e-6, -2.6809e-6]
    np.testing.assert_allclose(found.stress.ravel()[[0, 4, 8, 5, 2, 1]], expected, atol=2e-5)


def test_pairs_of_argon_follow_the_formula() -> None:
    """Far apart, two atoms feel -C6/r^6 - s8 C8/r^8; the published C6 of argon is 64.65 a.u."""
    from ase.units import Bohr, Hartree
    from dftd3.interface import DispersionModel, RationalDampingParam

    distance = 12.0 / Bohr
    model = DispersionModel(np.array([18, 18]), np.array([[0, 0, 0], [0, 0, distance]]))
    energy = model.get_dispersion(RationalDampingParam(method="pbe", atm=False), grad=False)
    sixth = -64.6462 / distance**6
    assert energy["energy"] == pytest.approx(sixth, rel=0.12)
    pair = Atoms("Ar2", positions=[[0, 0, 0], [0, 0, 12.0]], cell=[90] * 3, pbc=True)
    flat = AsePotential(LatticeSprings(cubic_axes(1.0), along=0.0, across=0.0))
    found = DispersionPotential(flat, "pbe").evaluate([pair])[0]
    assert found.energy == pytest.approx(energy["energy"] * Hartree, rel=1e-3)


@pytest.mark.parametrize(
    ("functional", "parameters"),
    [
        ("PBE(+U)", "pbe"),
        ("PBE", "pbe"),
        ("PBEsol", "pbesol"),
        ("r2SCAN", "r2scan"),
        ("PBE(+U), VASP 54 potentials", "pbe"),
    ],
)
def test_parameters_are_those_of_the_functional(functional: str, parameters: str) -> None:
    assert parameters_for(PotentialInfo("x", "y", "z", "w", functional=functional)) == parameters


@pytest.mark.parametrize("functional", ["PBE with D3", "r2SCAN-D4", "wB97M-V", "vdW-DF2"])
def test_dispersion_is_not_counted_twice(functional: str) -> None:
    with pytest.raises(PotentialError, match="dispersion already"):
        parameters_for(PotentialInfo("x", "y", "z", "w", functional=functional))


def test_what_cannot_be_is_refused(
    nothing: Potential, embedded: Potential, monkeypatch: pytest.MonkeyPatch
) -> None:
    springs = AsePotential(LatticeSprings(cubic_axes(1.0), along=1.0, across=0.0))
    with pytest.raises(PotentialError, match=r"not known.*d3:pbe"):
        with_dispersion(springs, "d3")
    assert with_dispersion(springs, "D3:PBE").info.functional == "unknown + D3(BJ, pbe)"
    with pytest.raises(PotentialError, match="dispersion 'd5' is unknown"):
        with_dispersion(embedded, "d5")
    with pytest.raises(PotentialError, match="no D3 parameters for functional 'lda'"):
        with_dispersion(embedded, "d3:lda")
    monkeypatch.setitem(sys.modules, "dftd3.ase", None)
    with pytest.raises(PotentialError, match=r"mlphonon\[dispersion\]"):
        with_dispersion(embedded, "d3")


def test_info_no_longer_promises_a_short_reach(embedded: Potential) -> None:
    info = with_dispersion(embedded, "d3").info
    assert (info.cutoff, info.receptive_field, info.differentiable) == (None, None, False)
    assert info.name == "embedded+D3"
    assert info.functional == "PBE(+U) + D3(BJ, pbe)"
    assert info.elements == embedded.info.elements


def test_phonons_of_a_crystal_held_by_dispersion_alone(nothing: Potential) -> None:
    """Solid argon of D3 alone would collapse; its imaginary modes are those of attraction."""
    argon = Atoms("Ar", cell=np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 2.65, pbc=True)
    found = compute_phonons(
        argon, with_dispersion(nothing, "d3"), relax=False, min_length=9, mesh=20
    )
    assert not found.stability.stable_by_threshold
    assert found.record.potential["functional"].endswith("D3(BJ, pbe)")
    reloaded = load_potential(with_dispersion(nothing, "d3"))
    assert reloaded.info.name.endswith("+D3")
