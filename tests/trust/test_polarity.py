"""Screened charges of ions, against the splittings of DFT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from mlphonon.crystal.periodic_table import electronegativity
from mlphonon.evaluation.references.phonondb import NAC, PLAIN, read_phonondb
from mlphonon.trust.polarity import COULOMB, screened_charges
from mlphonon.units import THZ_OF_STIFFNESS


@pytest.mark.parametrize("formula", ["Si2", "FeAl", "CuAu", "Ne", "Ti2"])
def test_what_has_no_ions(formula: str) -> None:
    assert not screened_charges(Atoms(formula).numbers).any()


@pytest.mark.parametrize("formula", ["NaCl", "MgO", "CaTiO3", "Al2O3", "LiH", "BaFCl", "SiC"])
def test_ions_of_a_crystal_are_charged_and_in_any_order_alike(formula: str) -> None:
    atoms = Atoms(formula)
    charges = screened_charges(atoms.numbers)
    assert (charges > 0.3).all() and (charges < 1.6).all()
    order = np.random.default_rng(0).permutation(len(atoms))
    np.testing.assert_allclose(screened_charges(atoms.numbers[order]), charges[order])


def test_valence_counts() -> None:
    """Sodium chloride and magnesium oxide differ by the valence, to the power 0.372."""
    salt, oxide = (screened_charges(Atoms(f).numbers)[0] for f in ("KCl", "CaS"))
    difference = (electronegativity(16) - electronegativity(20)) - (
        electronegativity(17) - electronegativity(19)
    )
    assert oxide / salt == pytest.approx(2**0.372 * np.exp(0.217 * difference), rel=1e-6)


def test_splittings_of_dft(data: Path) -> None:
    """Of cubic crystals: the longest wave with the term, above the highest at Gamma without."""
    plain, polar = read_phonondb(PLAIN, data), read_phonondb(NAC, data)
    ratios = []
    for key, read in plain.items():
        without, with_term = read(), polar[key]()
        cell = np.asarray(without.primitive_matrix).T @ without.atoms.cell.array
        lengths = np.linalg.norm(
            (without.qpoints - np.rint(without.qpoints)) @ np.linalg.inv(cell).T, axis=1
        )
        gamma, nearest = np.argsort(lengths)[:2]
        frequencies = without.spectrum.frequencies[gamma]
        if len(frequencies) != 6:
            continue  # in wurtzite the highest mode at Gamma is not polar
        kinds = np.unique(without.atoms.numbers)
        masses = np.array([without.atoms[without.atoms.numbers == z][0].mass for z in kinds])
        charges = screened_charges(kinds)
        square = 4 * np.pi * COULOMB / abs(np.linalg.det(cell)) * (charges**2 / masses).sum()
        highest = max(frequencies.max(), 0)
        estimate = np.sqrt(highest**2 + square * THZ_OF_STIFFNESS**2) - highest
        ratios.append(estimate / (with_term.spectrum.frequencies[nearest].max() - highest))
    assert len(ratios) > 30
    assert np.median(ratios) == pytest.approx(1, abs=0.15)
    low, high = np.quantile(ratios, [0.05, 0.92])
    assert low > 0.5 and high < 2.1
