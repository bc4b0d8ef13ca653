"""What every backend must do. A new one is added to `BACKENDS` and has to pass."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from ase import Atoms
from ase.build import make_supercell
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms

from mlphonon import load_potential, with_dispersion
from mlphonon.errors import PotentialError
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.mace.architecture import MaceArchitecture
from mlphonon.potentials.mace.mace_potential import MacePotential
from mlphonon.potentials.potential import Potential
from tests.helpers.crystals import TURN
from tests.helpers.families import installed


@dataclass(frozen=True)
class Backend:
    """A potential, elements it knows, one that it does not, and how exact it is."""

    build: Callable[[], Potential]
    elements: tuple[str, str]
    unknown: str
    single_precision: bool = False
    mirrors: float | None = None
    """Tolerance under inversion of what knows rotations alone, relative to the largest."""
    repeats: bool = True
    """Whether asking again gives the last digit again, whatever was asked in between; kernels
    that are compiled for the sizes they met do not."""

    @property
    def step(self) -> float:
        """Step of finite differences, A and as a strain."""
        return 2e-2 if self.single_precision else 1e-4

    @property
    def slope(self) -> float:
        """Tolerance of derivatives by differences, relative to the largest."""
        return 2e-2 if self.single_precision else 1e-5

    @property
    def exact(self) -> float:
        """Tolerance of what is mathematically equal, relative to the largest."""
        return 2e-4 if self.single_precision else 1e-9


def random_mace() -> Potential:
    """Messages with vectors, which the embedded potential has not; weights at random."""
    import torch

    torch.manual_seed(0)
    architecture = MaceArchitecture(
        atomic_numbers=(8, 12, 29),
        atomic_energies=(-1.0, -2.0, -3.0),
        avg_num_neighbors=30.0,
        scale=200.0,
        shift=0.1,
        r_max=4.5,
        hidden_irreps="8x0e + 8x1o",
        max_ell=2,
        correlation=2,
        radial_mlp=(16, 16),
    )
    return MacePotential(architecture.build("float64"), name="random", dtype="float64")


BACKENDS = {
    "embedded, float64": Backend(
        lambda: load_potential("embedded", device="cpu"), ("Mg", "O"), "Rn"
    ),
    "embedded, float32": Backend(
        lambda: load_potential("embedded", device="cpu", dtype="float32"), ("Mg", "O"), "Rn", True
    ),
    "mace with vectors": Backend(random_mace, ("Mg", "O"), "Na"),
    "ase calculator": Backend(lambda: AsePotential(EMT()), ("Cu", "Au"), "Na"),
    "in another process": Backend(
        lambda: load_potential(f"python:{sys.executable}:ase.calculators.emt:EMT"),
        ("Cu", "Au"),
        "Na",
    ),
    "with dispersion": Backend(
        lambda: with_dispersion(load_potential("embedded", device="cpu"), "d3"), ("Mg", "O"), "Rn"
    ),
}

for NAME, UNKNOWN in {
    "sevennet-l3i5": "Rn",
    "chgnet": "Cm",
    "nequix-oam-1-pft": "Rn",
    "m3gnet-mp": "Rn",
    "tensornet-matpes-pbe": "Rn",
}.items():
    for DTYPE in ("float64", "float32"):
        BACKENDS[f"{NAME}, {DTYPE}"] = Backend(
            partial(installed, NAME, dtype=DTYPE),
            ("Mg", "O"),
            UNKNOWN,
            single_precision=DTYPE == "float32",
            # SevenNet's own mark: is_parity is false.
            mirrors=5e-3 if NAME.startswith("sevennet") else None,
            repeats=False,
        )
SLOW = [
    pytest.param(name, marks=pytest.mark.slow) if isinstance(backend.build, partial) else name
    for name, backend in BACKENDS.items()
]


@pytest.fixture(scope="module", params=SLOW)
def backend(request: pytest.FixtureRequest) -> Backend:
    return BACKENDS[request.param]


@pytest.fixture(scope="module")
def potential(backend: Backend) -> Potential:
    return backend.build()


@pytest.fixture(scope="module")
def structure(backend: Backend) -> Atoms:
    """Five atoms in a sheared cell, none at rest, closer and farther."""
    a, b = backend.elements
    fractional = [
        [0.02, 0.01, 0.03],
        [0.55, 0.12, 0.46],
        [0.21, 0.57, 0.55],
        [0.6, 0.55, 0.05],
        [0.9, 0.52, 0.62],
    ]
    cell = np.array([[4.1, 0, 0], [0.7, 4.6, 0], [-0.9, 0.5, 5.2]]) * 1.05
    return Atoms([a, b, a, b, b], scaled_positions=fractional, cell=cell, pbc=True)


@pytest.fixture(scope="module")
def others(backend: Backend, structure: Atoms) -> list[Atoms]:
    """Structures of other sizes and contents."""
    a, _ = backend.elements
    single = Atoms(a, cell=np.array([[0, 2, 2], [2, 0, 2], [2, 2, 0.0]]), pbc=True)
    wide = structure.copy()
    wide.set_cell(structure.cell * 1.1, scale_atoms=True)
    return [single, make_supercell(structure, np.diag([2, 1, 1])), wide, structure]


def test_meets_the_protocol(potential: Potential, backend: Backend) -> None:
    assert isinstance(potential, Potential)
    info = potential.info
    assert info.name
    if info.elements is not None:
        from ase.data import atomic_numbers

        assert {atomic_numbers[e] for e in backend.elements} <= info.elements
    assert set(info.as_dict()) >= {"name", "backend", "dtype", "device", "sha256"}


def test_shapes_and_types(potential: Potential, structure: Atoms) -> None:
    (found,) = potential.evaluate([structure])
    assert isinstance(found.energy, float)
    assert found.forces.shape == (5, 3)
    assert found.stress.shape == (3, 3)
    assert found.forces.dtype == found.stress.dtype == np.float64
    np.testing.assert_allclose(found.stress, found.stress.T, atol=1e-6 * np.abs(found.stress).max())
    assert np.abs(found.forces).max() > 0.05
    assert potential.evaluate([]) == []


def test_forces_are_minus_the_slope_of_the_energy(
    potential: Potential, backend: Backend, structure: Atoms
) -> None:
    forces = potential.evaluate([structure])[0].forces
    moved = []
    for atom, axis, sign in np.ndindex(5, 3, 2):
        copy = structure.copy()
        copy.positions[atom, axis] += (1 - 2 * sign) * backend.step
        moved.append(copy)
    energies = np.array([e.energy for e in potential.evaluate(moved)]).reshape(5, 3, 2)
    slopes = -(energies[..., 0] - energies[..., 1]) / (2 * backend.step)
    np.testing.assert_allclose(forces, slopes, atol=backend.slope * np.abs(forces).max())


def test_stress_is_the_slope_of_the_energy_with_strain(
    potential: Potential, backend: Backend, structure: Atoms
) -> None:
    """dE/d(strain)/V, positive where the crystal pulls; shear by a symmetric strain."""
    stress = potential.evaluate([structure])[0].stress
    strained = []
    # A large strain is no longer linear: half the step of positions in single precision.
    step = backend.step / 4
    for i, j, sign in np.ndindex(3, 3, 2):
        strain = np.zeros((3, 3))
        strain[i, j] += (1 - 2 * sign) * step / 2
        strain[j, i] += (1 - 2 * sign) * step / 2
        copy = structure.copy()
        copy.set_cell(structure.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        strained.append(copy)
    energies = np.array([e.energy for e in potential.evaluate(strained)]).reshape(3, 3, 2)
    slopes = (energies[..., 0] - energies[..., 1]) / (2 * step) / structure.get_volume()
    np.testing.assert_allclose(stress, slopes, atol=backend.slope * np.abs(stress).max())


def assert_like(found, expected, tolerance: float, turn: np.ndarray | None = None) -> None:
    """Same energy per atom, forces and stress, turned where asked."""
    turn = np.eye(3) if turn is None else turn
    scale = max(1.0, abs(expected.energy) / len(expected.forces))
    assert found.energy == pytest.approx(
        expected.energy, abs=tolerance * scale * len(expected.forces)
    )
    top = np.abs(expected.forces).max()
    np.testing.assert_allclose(found.forces, expected.forces @ turn.T, atol=tolerance * top)
    stress = turn @ expected.stress @ turn.T
    np.testing.assert_allclose(found.stress, stress, atol=tolerance * np.abs(stress).max())


def test_a_batch_is_its_parts_in_order(
    potential: Potential, backend: Backend, structure: Atoms, others: list[Atoms]
) -> None:
    batch = [structure, *others, structure]
    together = potential.evaluate(batch)
    assert [len(e.forces) for e in together] == [len(atoms) for atoms in batch]
    for found, atoms in zip(together, batch, strict=True):
        assert_like(found, potential.evaluate([atoms])[0], backend.exact)


def test_many_batches_keep_the_order(
    potential: Potential, backend: Backend, structure: Atoms
) -> None:
    """More than fits into one batch; every structure is a little more strained than the last."""
    large = make_supercell(structure, np.diag([2, 2, 1]))
    many = []
    for i in range(12):
        copy = large.copy()
        copy.set_cell(large.cell * (1 + 0.004 * i), scale_atoms=True)
        many.append(copy)
    seen: list[int] = []
    found = potential.evaluate(many, seen.append)
    assert sum(seen) == 12
    for i in (0, 5, 11):
        assert_like(found[i], potential.evaluate([many[i]])[0], backend.exact)
    energies = [e.energy for e in found]
    assert len(np.unique(np.round(energies, 6))) == 12


def test_inputs_are_left_alone(potential: Potential, structure: Atoms) -> None:
    given = structure.copy()
    given.info["note"] = "mine"
    given.set_array("tag", np.arange(5))
    given.positions -= 7.0
    before = given.copy()
    potential.evaluate([given])
    assert given == before
    assert given.calc is None
    assert given.info == {"note": "mine"}
    assert set(given.arrays) == set(before.arrays)


def assert_same(found, expected, backend: Backend) -> None:
    """The same numbers: to the last digit where the backend repeats itself so."""
    if not backend.repeats:
        assert_like(found, expected, backend.exact)
        return
    assert found.energy == expected.energy
    np.testing.assert_array_equal(found.forces, expected.forces)
    np.testing.assert_array_equal(found.stress, expected.stress)


def test_constraints_do_not_change_forces(
    potential: Potential, backend: Backend, structure: Atoms
) -> None:
    fixed = structure.copy()
    fixed.set_constraint(FixAtoms([0, 1]))
    assert_same(potential.evaluate([fixed])[0], potential.evaluate([structure])[0], backend)


def test_deterministic(
    potential: Potential, backend: Backend, structure: Atoms, others: list[Atoms]
) -> None:
    first = potential.evaluate([structure])[0]
    potential.evaluate(others)
    assert_same(potential.evaluate([structure])[0], first, backend)


def test_results_are_not_shared(potential: Potential, structure: Atoms) -> None:
    """What was returned is not overwritten by the next call."""
    first = potential.evaluate([structure])[0]
    kept = first.forces.copy()
    moved = structure.copy()
    moved.positions[0] += 0.1
    potential.evaluate([moved])
    np.testing.assert_array_equal(first.forces, kept)


def test_translation(potential: Potential, backend: Backend, structure: Atoms) -> None:
    """Anywhere in space, and out of the cell."""
    moved = structure.copy()
    moved.positions += [0.31, -12.7, 4.9]
    expected = potential.evaluate([structure])[0]
    assert_like(potential.evaluate([moved])[0], expected, backend.exact)
    assert (
        np.abs(expected.forces.sum(axis=0)).max()
        < backend.exact * np.abs(expected.forces).max() * 5
    )


def test_rotation(potential: Potential, backend: Backend, structure: Atoms) -> None:
    turned = structure.copy()
    turned.set_cell(structure.cell.array @ TURN.T)
    turned.positions = structure.positions @ TURN.T
    expected = potential.evaluate([structure])[0]
    assert_like(potential.evaluate([turned])[0], expected, backend.exact, TURN)


def test_inversion(potential: Potential, backend: Backend, structure: Atoms) -> None:
    mirrored = structure.copy()
    mirrored.set_cell(-structure.cell.array)
    mirrored.positions = -structure.positions
    expected = potential.evaluate([structure])[0]
    tolerance = backend.mirrors or backend.exact
    assert_like(potential.evaluate([mirrored])[0], expected, tolerance, -np.eye(3))


def test_permutation(potential: Potential, backend: Backend, structure: Atoms) -> None:
    order = [3, 0, 4, 2, 1]
    expected = potential.evaluate([structure])[0]
    found = potential.evaluate([structure[order]])[0]
    assert found.energy == pytest.approx(expected.energy, rel=backend.exact)
    tolerance = backend.exact * np.abs(expected.forces).max()
    np.testing.assert_allclose(found.forces, expected.forces[order], atol=tolerance)


def test_supercell(potential: Potential, backend: Backend, structure: Atoms) -> None:
    """Energy is extensive; forces repeat; stress is the same."""
    matrix = np.array([[1, 1, 0], [-1, 1, 0], [0, 1, 2]])
    count = round(np.linalg.det(matrix))
    large = make_supercell(structure, matrix)
    expected, found = (potential.evaluate([a])[0] for a in (structure, large))
    assert found.energy == pytest.approx(
        count * expected.energy, abs=backend.exact * 10 * abs(count * expected.energy)
    )
    fractional = (large.positions[:, None] - structure.positions) @ np.linalg.inv(structure.cell)
    off = np.abs(fractional - np.rint(fractional)).max(axis=2)
    like = off.argmin(axis=1)
    tolerance = backend.exact * 10 * np.abs(expected.forces).max()
    np.testing.assert_allclose(found.forces, expected.forces[like], atol=tolerance)
    np.testing.assert_allclose(
        found.stress, expected.stress, atol=backend.exact * 10 * np.abs(expected.stress).max()
    )


def test_cell_vectors_do_not_matter(
    potential: Potential, backend: Backend, structure: Atoms
) -> None:
    """A sheared description of the same lattice, with atoms far outside the cell."""
    sheared = structure.copy()
    sheared.set_cell(np.array([[1, 2, 0], [0, 1, 0], [1, 0, 1]]) @ structure.cell.array)
    expected = potential.evaluate([structure])[0]
    assert_like(potential.evaluate([sheared])[0], expected, backend.exact)


def test_unknown_element_is_refused(
    potential: Potential, backend: Backend, structure: Atoms
) -> None:
    alien = structure.copy()
    alien.symbols[2] = backend.unknown
    with pytest.raises(PotentialError) as caught:
        potential.evaluate([structure, alien])
    assert backend.unknown in str(caught.value)
    assert "\n" not in str(caught.value)


def test_calculator_gives_the_same_numbers(
    potential: Potential, backend: Backend, structure: Atoms
) -> None:
    expected = potential.evaluate([structure])[0]
    copy = structure.copy()
    copy.calc = potential.calculator()
    assert copy.get_potential_energy() == pytest.approx(expected.energy, rel=backend.exact)
    tolerance = backend.exact * np.abs(expected.forces).max()
    np.testing.assert_allclose(copy.get_forces(), expected.forces, atol=tolerance)
    np.testing.assert_allclose(
        copy.get_stress(voigt=False),
        expected.stress,
        atol=backend.exact * np.abs(expected.stress).max(),
    )
    # The calculator must not have changed the potential.
    assert_same(potential.evaluate([structure])[0], expected, backend)
