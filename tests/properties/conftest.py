"""Crystals of springs whose properties follow by hand."""

from __future__ import annotations

import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from mlphonon import Phonons, compute_phonons
from mlphonon.potentials.calculator import AsePotential
from tests.helpers.fcc import LATTICE_CONSTANT, STIFFNESS
from tests.helpers.springs import LatticeSprings, fcc_neighbours


@pytest.fixture(scope="package")
def fcc() -> Phonons:
    """fcc with central springs to nearest neighbours: C_11 = 2 K/a, C_12 = C_44 = K/a."""
    springs = LatticeSprings(fcc_neighbours(LATTICE_CONSTANT), STIFFNESS, 0.0)
    crystal = bulk("Cu", a=LATTICE_CONSTANT)
    return compute_phonons(crystal, AsePotential(springs), min_length=10, mesh=250)


@pytest.fixture(scope="package")
def metal() -> Phonons:
    return compute_phonons(bulk("Cu"), EMT(), min_length=12, mesh=40, projected_mesh=60)
