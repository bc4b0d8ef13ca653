"""What every backend must do. A new one is added to `BACKENDS` and has to pass."""

from __future__ import annotations

import doctest
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

import mlphonon.testing.conformance
from mlphonon import load_potential, with_dispersion
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.mace.architecture import MaceArchitecture
from mlphonon.potentials.mace.mace_potential import MacePotential, WeightsInfo
from mlphonon.potentials.potential import Evaluation, Potential, PotentialInfo
from mlphonon.testing import CHECKS, Subject, check_potential
from tests.helpers.families import installed
from tests.helpers.two_heads import two_head_model


@dataclass(frozen=True)
class Backend:
    """How a potential is made, elements it knows, one that it does not, and how exact it is."""

    build: Callable[[], Potential]
    elements: tuple[str, str]
    unknown: str
    more: dict[str, Any] = field(default_factory=dict)


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
    return MacePotential(architecture.build("float64"), WeightsInfo("random"), dtype="float64")


def two_heads() -> Potential:
    return MacePotential(two_head_model(), WeightsInfo("two"), head="r2scan")


SINGLE = {"single_precision": True}
BACKENDS = {
    "embedded, float64": Backend(
        lambda: load_potential("embedded", device="cpu"), ("Mg", "O"), "Rn"
    ),
    "embedded, float32": Backend(
        lambda: load_potential("embedded", device="cpu", dtype="float32"), ("Mg", "O"), "Rn", SINGLE
    ),
    "mace with vectors": Backend(random_mace, ("Mg", "O"), "Na"),
    "mace with two heads": Backend(two_heads, ("Na", "Cl"), "K"),
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
            {
                "single_precision": DTYPE == "float32",
                # SevenNet's own mark: is_parity is false.
                "inversion": 5e-3 if NAME.startswith("sevennet") else None,
                "reproducible": False,
            },
        )
SLOW = [
    pytest.param(name, marks=pytest.mark.slow) if isinstance(backend.build, partial) else name
    for name, backend in BACKENDS.items()
]


@pytest.fixture(scope="module", params=SLOW)
def subject(request: pytest.FixtureRequest) -> Subject:
    backend = BACKENDS[request.param]
    return Subject(backend.build(), backend.elements, backend.unknown, **backend.more)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conforms(subject: Subject, check: Callable[[Subject], None]) -> None:
    check(subject)


def test_the_examples_of_the_docstrings_run() -> None:
    for module in (mlphonon.testing, mlphonon.testing.conformance):
        found = doctest.testmod(module)
        assert found.attempted >= 3 and found.failed == 0


class Faulty:
    """EMT with a fault."""

    def __init__(self, fault: Callable[[Sequence[Atoms], list[Evaluation]], list[Evaluation]]):
        self._sound = AsePotential(EMT())
        self._fault = fault

    @property
    def info(self) -> PotentialInfo:
        return self._sound.info

    def evaluate(self, structures, progress=None):
        return self._fault(structures, self._sound.evaluate(structures, progress))

    def calculator(self):
        return self._sound.calculator()


def each(change: Callable[[Evaluation], Evaluation]) -> Callable[..., list[Evaluation]]:
    return lambda _, found: [change(one) for one in found]


def pull(one: Evaluation) -> Evaluation:
    """A force that is the same on all atoms, along z."""
    return replace(one, forces=one.forces + np.array([0.0, 0.0, 0.01]))


def moves(structures: Sequence[Atoms], found: list[Evaluation]) -> list[Evaluation]:
    for atoms in structures:
        atoms.positions[:] += 1e-3
    return found


FAULTS: dict[str, tuple[Callable[..., list[Evaluation]], str]] = {
    "forces too weak by 1 %": (
        each(lambda one: replace(one, forces=0.99 * one.forces)),
        "forces_are_the_slope_of_the_energy",
    ),
    "stress of the other sign": (
        each(lambda one: replace(one, stress=-one.stress)),
        "stress_is_the_slope_of_the_energy_with_strain",
    ),
    "forces in single precision": (
        each(lambda one: replace(one, forces=one.forces.astype(np.float32))),
        "shapes_and_types",
    ),
    "batches in reverse": (lambda _, found: found[::-1], "a_batch_is_its_parts_in_order"),
    "a net force": (each(pull), "forces_are_the_slope_of_the_energy"),
    "atoms that are moved": (moves, "inputs_are_left_alone"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str) -> None:
    fault, check = FAULTS[name]
    subject = Subject(Faulty(fault), ("Cu", "Au"), "Na")
    failing = [one.__name__ for one in CHECKS if fails(one, subject)]
    assert check in failing
    with pytest.raises(AssertionError) as caught:
        check_potential(subject.potential, ("Cu", "Au"), "Na")
    assert failing[0] in caught.value.__notes__[-1]


def fails(check: Callable[[Subject], None], subject: Subject) -> bool:
    try:
        check(subject)
    except AssertionError:
        return True
    return False
