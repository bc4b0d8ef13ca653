from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

from mlphonon import load_potential
from mlphonon.errors import PotentialError
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.fitness import (
    FORCE_SLOPE,
    INVERSION,
    PRESSURE,
    STRESS_SLOPE,
    _frequency_error,
    measure_fitness,
)
from mlphonon.potentials.potential import Evaluation, Potential
from tests.helpers.potentials import declare


class Spoiled(AsePotential):
    """EMT with one thing wrong."""

    def __init__(self, fault: str, size: float) -> None:
        super().__init__(EMT())
        self.fault, self.size = fault, size
        self.rng = np.random.default_rng(5)

    def evaluate(self, structures, progress=None):
        return [
            self._spoil(atoms, found)
            for atoms, found in zip(structures, super().evaluate(structures), strict=True)
        ]

    def _spoil(self, atoms, found: Evaluation) -> Evaluation:
        energy, forces, stress = found.energy, found.forces.copy(), found.stress
        if self.fault == "noise":
            forces += self.size * self.rng.choice([-1.0, 1.0], forces.shape)
        if self.fault == "grid":
            forces += self.size * np.sin(2 * np.pi * atoms.positions)
        if self.fault == "axes":
            forces[:, 0] *= 1 + self.size
        if self.fault == "order":
            forces[0] += self.size
        if self.fault == "mirror":
            # A product of two forces does not change sign with them.
            forces += self.size * np.cross(forces, np.roll(forces, 1, axis=0))
        if self.fault == "scale":
            forces *= 1 + self.size
        if self.fault == "stress":
            stress = stress * (1 + self.size)
        return Evaluation(energy, forces, stress)


@pytest.fixture(scope="module")
def copper():
    return bulk("Cu", a=3.7, cubic=True) * (2, 2, 2)


def failed(report) -> set[str]:
    return {check.name for check in report.checks if not check.passed}


def test_exact_forces_pass(copper) -> None:
    report = measure_fitness(AsePotential(EMT()), copper)
    assert report.passed
    assert report.noise < 1e-10
    assert report.verdict.startswith("fit for phonons")
    assert report.structure == "Cu32"


class FastKernels(Spoiled):
    """EMT with noise that is gone where the fast kernels are turned off."""

    def with_plain_kernels(self) -> AsePotential:
        return AsePotential(EMT())


def test_kernels_are_compared_where_they_can_be_turned_off(copper) -> None:
    name = "kernels on against off"
    wrong = measure_fitness(FastKernels("grid", 2e-3), copper)
    value = next(check.value for check in wrong.checks if check.name == name)
    noise = next(check.value for check in wrong.checks if check.name == "translation")
    assert name in failed(wrong)
    assert 0.3 < value / noise < 1.0, "the noise itself, and the difference of two of it"
    right = measure_fitness(FastKernels("scale", 0.0), copper)
    assert right.passed and name in {check.name for check in right.checks}
    assert name not in {check.name for check in measure_fitness(AsePotential(EMT()), copper).checks}


def test_the_embedded_potential_is_fit_in_float64_and_noisier_in_float32() -> None:
    double = measure_fitness(load_potential("embedded", device="cpu"))
    single = measure_fitness(load_potential("embedded", device="cpu", dtype="float32"))
    assert double.passed
    assert double.noise < 1e-9 < 1e-7 < single.noise
    assert single.least_displacement > double.least_displacement


@pytest.mark.parametrize(
    ("fault", "size", "found"),
    [
        ("noise", 1e-3, "repetition"),
        ("grid", 1e-3, "translation"),
        ("axes", 1e-2, "rotation"),
        ("order", 1e-2, "permutation"),
        ("order", 1e-1, "net force"),
        ("mirror", 1.0, INVERSION),
        ("scale", 0.03, FORCE_SLOPE),
        ("stress", 0.03, STRESS_SLOPE),
    ],
)
def test_each_fault_is_found(copper, fault: str, size: float, found: str) -> None:
    report = measure_fitness(Spoiled(fault, size), copper)
    assert found in failed(report)
    assert not report.verdict.startswith("fit")


def test_small_faults_are_let_pass(copper) -> None:
    assert measure_fitness(Spoiled("noise", 1e-7), copper).passed
    assert measure_fitness(Spoiled("scale", 0.001), copper).passed


def test_noise_gives_the_frequency_error_that_it_says(copper) -> None:
    """A spring of known frequency, its force constant off by the stated amount."""
    mass, noise = 20.0, 1e-5
    unit = 15.633302
    spring = mass / unit**2  # 1 THz
    off = noise / (2**0.5 * 0.01)
    shift = unit * np.sqrt((spring + off) / mass) - 1.0
    assert _frequency_error(noise, mass) == pytest.approx(shift, rel=0.01)


def test_the_advised_displacement_quiets_the_noise(copper) -> None:
    report = measure_fitness(Spoiled("noise", 1e-3), copper)
    assert f"{report.least_displacement:.2g} A" in report.verdict
    # Noise halves with twice the step.
    error = max(check.value for check in report.checks if check.unit == "THz")
    assert error * 0.01 / report.least_displacement == pytest.approx(0.01)


def test_weights_read_wrongly_show_as_pressure(embedded: Potential) -> None:
    """Rock salt squeezed by 13 GPa, as matgl 4.1.2 makes it of weights of its own."""

    class Squeezed(AsePotential):
        def evaluate(self, structures, progress=None):
            return [
                Evaluation(
                    found.energy - 0.08 * atoms.get_volume(),
                    found.forces,
                    found.stress - 0.08 * np.eye(3),
                )
                for atoms, found in zip(structures, embedded.evaluate(structures), strict=True)
            ]

    report = measure_fitness(Squeezed(EMT()))
    assert failed(report) == {PRESSURE}
    assert "does not know rock salt" in report.verdict


def test_a_potential_that_does_not_know_rock_salt_is_tried_on_an_element() -> None:
    potential = AsePotential(EMT())
    declare(potential, elements=frozenset({1, 13, 29}))
    report = measure_fitness(potential)
    assert report.structure == "Al32"
    assert report.passed
    declare(potential, elements=frozenset({1}))
    with pytest.raises(PotentialError, match="no crystal to test"):
        measure_fitness(potential)


def test_a_molecule_is_refused() -> None:
    with pytest.raises(PotentialError, match="not periodic"):
        measure_fitness(AsePotential(EMT()), molecule("H2O"))
