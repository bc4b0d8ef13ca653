"""Fixtures that several rooms share.

Tests run side by side, each process with one thread: what they and the programs that they start
load (torch, BLAS, phonopy's Rust) would otherwise fight for the cores.
"""

from __future__ import annotations

import os

# Before numpy and torch are imported, which read them once.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["RAYON_NUM_THREADS"] = "1"

from collections.abc import Iterator
from pathlib import Path

import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator

from mlphonon import Phonons, compute_phonons, load_potential
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from tests.helpers.crystals import quartz, rocksalt
from tests.helpers.skips import pytest_addoption, pytest_sessionfinish  # noqa: F401
from tests.helpers.springs import LatticeSprings, NetworkSprings, cubic_axes

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests of one process out of the user's cache, and out of each other's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLPHONON_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("MLPHONON_CATALOGUE", raising=False)
        yield


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of the data that is too large for the repository."""
    folder = Path(os.environ.get("MLPHONON_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("set MLPHONON_DATA to the folder with phonopy-examples")
    return folder


@pytest.fixture(scope="session")
def phonopy_examples(data: Path) -> Path:
    folder = data / "phonopy-examples"
    if not folder.is_dir():
        pytest.skip(f"no phonopy-examples in {data}")
    return folder


@pytest.fixture(scope="session")
def embedded() -> Potential:
    """The potential that ships inside; its numbers change with every training."""
    return load_potential("embedded", device="cpu")


@pytest.fixture(scope="session")
def quartz_springs() -> Potential:
    return AsePotential(NetworkSprings(quartz(), reach=3.2), name="springs")


@pytest.fixture(scope="session")
def quartz_phonons(quartz_springs: Potential) -> Phonons:
    """Phonons of a stable crystal of low symmetry that was relaxed; cheap."""
    return compute_phonons(
        quartz(), quartz_springs, min_length=8.5, mesh=40, projected_mesh=20, band_points=21
    )


@pytest.fixture(scope="session")
def rocksalt_springs() -> Potential:
    """Harmonic to the last digit: 3 eV/A^2 along the bond, 0.5 across."""
    return AsePotential(LatticeSprings(cubic_axes(2.845), along=3.0, across=0.5))


@pytest.fixture(scope="session")
def rocksalt_phonons(rocksalt_springs: Potential) -> Phonons:
    return compute_phonons(
        rocksalt(), rocksalt_springs, min_length=11, mesh=60, projected_mesh=40, band_points=31
    )


class Counting(Calculator):
    """A calculator that counts what it is asked, around another."""

    def __init__(self, inner: Calculator) -> None:
        super().__init__()
        self.inner = inner
        self.implemented_properties = inner.implemented_properties
        self.calls = 0

    def calculate(self, atoms: Atoms | None = None, *args: object, **kwargs: object) -> None:
        super().calculate(atoms)
        self.calls += 1
        self.inner.calculate(atoms, *args, **kwargs)
        self.results = dict(self.inner.results)
