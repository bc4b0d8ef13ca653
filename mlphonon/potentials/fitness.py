"""Is a potential fit for phonons? Measured on this machine, in the precision it runs in.

Force constants are differences of forces divided by a hundredth of an Angstrom. Noise that
nobody would notice in a relaxation, kernels that round differently for a rotated crystal, or
forces that are no gradient of any energy come out of that division as wrong frequencies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.errors import PotentialError
from mlphonon.potentials.potential import Evaluation, KernelPotential, Potential

if TYPE_CHECKING:
    from ase import Atoms

DISPLACEMENT = 0.01
"""The step of finite differences that noise is judged at, A (phonopy's default)."""

AT_FREQUENCY = 1.0
"""The frequency whose error is stated, THz: low, where noise hurts most."""

SMEARING_LIMIT = 0.01
"""Largest error that noise may make in a mode of `AT_FREQUENCY`, THz."""

SLOPE_LIMIT = 0.01
"""Largest relative difference of forces, or stress, from the slope of the energy."""


FORCE_SLOPE = "forces against the slope of the energy"
INVERSION = "forces of the mirror image"
STRESS_SLOPE = "stress against the slope of the energy"


PRESSURE = "pressure of rock salt at its DFT volume"
ROCK_SALT = 5.69
"""Lattice constant of NaCl, A (PBE; r2SCAN and PBEsol give 1 to 2 % less, so 1 GPa)."""
PRESSURE_LIMIT = 3.0
"""GPa. matgl 4.1.2 gives 13 with its own weights, because it swaps the ends of messages."""

STENCIL = {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}
"""Weights of a first derivative, right to the fourth power of the step."""
STEP = 0.03
"""Of the stencil: length, A, of the displacement of all atoms together."""
STRAIN = 0.004
"""Of the stencil: strain."""


@dataclass(frozen=True)
class Measurement:
    """One measurement.

    Attributes
    ----------
    name : str
        What was looked at.
    value, limit : float
        What was found, and the most that is good.
    unit : str
        Of both.
    meaning : str
        What a larger value would do to phonons.
    """

    name: str
    value: float
    limit: float
    unit: str
    meaning: str

    @property
    def passed(self) -> bool:
        """Whether the value is within the limit; one that is not a number is not."""
        return bool(self.value <= self.limit)


@dataclass(frozen=True)
class Fitness:
    """Whether a potential is fit for phonons: what was measured, and what follows.

    Attributes
    ----------
    potential : str
        Its name.
    structure : str
        Formula of the structure that was used.
    noise : float
        Largest difference of forces that should be equal, eV/A.
    least_displacement : float
        Step of finite differences at which this noise stays below `SMEARING_LIMIT`, A.
    checks : tuple of Measurement
        All measurements.
    """

    potential: str
    structure: str
    noise: float
    least_displacement: float
    checks: tuple[Measurement, ...]

    @property
    def passed(self) -> bool:
        """Whether all checks are within their limits."""
        return all(check.passed for check in self.checks)

    @property
    def verdict(self) -> str:
        """What to do, in one line."""
        failed = [check.name for check in self.checks if not check.passed]
        if not failed:
            return f"fit for phonons with displacements of {DISPLACEMENT:g} A"
        if FORCE_SLOPE in failed:
            return "not fit for phonons: its forces are not the slope of its energy"
        if PRESSURE in failed:
            return "not fit for phonons: it does not know rock salt, or is not evaluated rightly"
        advice = []
        if INVERSION in failed:
            advice.append("its forces change when a crystal is mirrored: use another")
        if set(failed) - {STRESS_SLOPE, INVERSION}:
            advice.append(
                f"too noisy for displacements of {DISPLACEMENT:g} A: use float64, or at least"
                f" {self.least_displacement:.2g} A"
            )
        if STRESS_SLOPE in failed:
            advice.append("its stress is not the slope of its energy: relax with another")
        return "; ".join(advice)


def measure_fitness(potential: Potential, atoms: Atoms | None = None, seed: int = 0) -> Fitness:
    """Measure noise, symmetry and consistency of a potential's forces.

    Parameters
    ----------
    potential : Potential
        What to look at.
    atoms : Atoms, optional
        A periodic crystal of elements that it knows; by default rock salt (64 atoms), or an
        element if it does not know that.
    seed : int
        Of the displacements and of the rotation.

    Raises
    ------
    PotentialError
        If it cannot evaluate the crystal.
    """
    knows = potential.info.elements
    is_rock_salt = atoms is None and (knows is None or {11, 17} <= knows)
    if atoms is None:
        atoms = _rock_salt() if is_rock_salt else _element(knows or frozenset())
    if not atoms.pbc.all():
        raise PotentialError("the structure is not periodic", fix="give a crystal")
    rng = np.random.default_rng(seed)
    displaced = atoms.copy()
    displaced.calc = None
    displaced.set_constraint()
    displaced.positions += rng.normal(0.0, 0.03, displaced.positions.shape)
    base = potential.evaluate([displaced])[0]
    noises = _symmetry_noises(potential, displaced, base, rng)
    plain = potential.with_plain_kernels() if isinstance(potential, KernelPotential) else potential
    if plain is not potential:
        forces = plain.evaluate([displaced])[0].forces
        noises["kernels on against off"] = float(np.abs(forces - base.forces).max())
    noise = max(noises.values())
    mass = float(displaced.get_masses().min())
    checks = [
        Measurement(
            name,
            _frequency_error(value, mass),
            SMEARING_LIMIT,
            "THz",
            f"error of a mode at {AT_FREQUENCY:g} THz, from forces that differ by {value:.1e} eV/A",
        )
        for name, value in noises.items()
    ]
    checks += [_inversion(potential, displaced, base), *_slopes(potential, displaced, base)]
    if is_rock_salt and np.isfinite(base.stress).all():
        checks.append(_pressure(potential, atoms))
    least = DISPLACEMENT * _frequency_error(noise, mass) / SMEARING_LIMIT
    return Fitness(potential.info.name, atoms.get_chemical_formula(), noise, least, tuple(checks))


def _rock_salt() -> Atoms:
    from ase.build import bulk

    return bulk("NaCl", "rocksalt", a=ROCK_SALT, cubic=True) * (2, 2, 2)


def _element(numbers: frozenset[int]) -> Atoms:
    """Return a cubic element, 8 A and more along each axis, of those that are known."""
    from ase.build import bulk
    from ase.data import chemical_symbols, reference_states

    for number in sorted(numbers):
        state = reference_states[number] or {}
        if state.get("symmetry") in ("fcc", "bcc", "diamond"):
            cell = bulk(chemical_symbols[number], cubic=True)
            repeats = int(np.ceil(8 / cell.cell[0, 0]))
            return cell * (repeats, repeats, repeats)
    raise PotentialError(
        "there is no crystal to test the potential on",
        "it knows neither rock salt nor any cubic element",
        "give one with --crystal",
    )


def _frequency_error(noise: float, mass: float) -> float:
    """Error, THz, that noise in forces makes in a mode of `AT_FREQUENCY` of the lightest atom.

    The force constant is off by noise / (sqrt(2) step) for a central difference, and
    d(nu) = d(Phi) / (2 m nu) in phonopy's unit 15.633302 THz for sqrt(eV/A^2/amu).
    """
    from phonopy.physical_units import get_physical_units

    unit = float(get_physical_units().DefaultToTHz)
    force_constant = noise / (2**0.5 * DISPLACEMENT)
    return unit**2 * force_constant / (2 * mass * AT_FREQUENCY)


def _symmetry_noises(
    potential: Potential, atoms: Atoms, base: Evaluation, rng: np.random.Generator
) -> dict[str, float]:
    """Largest force differences, eV/A, between descriptions of one and the same crystal."""
    rotation = _random_rotation(rng)
    moved = atoms.copy()
    moved.positions += rng.uniform(0, 3, 3)
    turned = atoms.copy()
    turned.set_cell(atoms.cell.array @ rotation.T)
    turned.positions = atoms.positions @ rotation.T
    order = rng.permutation(len(atoms))
    again, shifted, rotated, permuted = potential.evaluate([atoms, moved, turned, atoms[order]])
    differences = {
        "repetition": again.forces - base.forces,
        "translation": shifted.forces - base.forces,
        "rotation": rotated.forces @ rotation - base.forces,
        "permutation": permuted.forces - base.forces[order],
        "net force": base.forces.sum(axis=0, keepdims=True) / len(atoms) ** 0.5,
    }
    return {name: float(np.abs(values).max()) for name, values in differences.items()}


def _inversion(potential: Potential, atoms: Atoms, base: Evaluation) -> Measurement:
    """Compare a crystal with its mirror image.

    Not noise: networks that know rotations but no mirrors (SevenNet's) err in proportion to
    the force, whatever the displacement.
    """
    mirrored = atoms.copy()
    mirrored.positions *= -1.0  # the lattice is its own mirror image
    forces = -potential.evaluate([mirrored])[0].forces
    return Measurement(
        INVERSION,
        float(np.abs(forces - base.forces).max() / np.abs(base.forces).max()),
        SLOPE_LIMIT,
        "relative",
        "otherwise a crystal loses its mirrors; frequencies err by up to half of it",
    )


def _pressure(potential: Potential, rest: Atoms) -> Measurement:
    """Measure the pressure of rock salt at the volume of DFT."""
    from ase.units import GPa

    pressure = -float(np.trace(potential.evaluate([rest])[0].stress)) / 3 / GPa
    return Measurement(
        PRESSURE,
        abs(pressure),
        PRESSURE_LIMIT,
        "GPa",
        "otherwise its weights and the program that reads them do not belong together",
    )


def _random_rotation(rng: np.random.Generator) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.random(random_state=rng).as_matrix())


def _slopes(potential: Potential, atoms: Atoms, base: Evaluation) -> list[Measurement]:
    """Compare forces and stress with differences of the energy, along themselves."""
    direction = base.forces / np.linalg.norm(base.forces)
    moved, strained = [], []
    for n in STENCIL:
        copy = atoms.copy()
        copy.positions += n * STEP * direction
        moved.append(copy)
        copy = atoms.copy()
        copy.set_cell(atoms.cell.array * (1 + n * STRAIN), scale_atoms=True)
        strained.append(copy)
    energies = np.array([found.energy for found in potential.evaluate(moved + strained)])
    along, volume = energies[: len(STENCIL)], energies[len(STENCIL) :] / atoms.get_volume()
    weights = np.array(list(STENCIL.values()))
    expected = -float((base.forces * direction).sum())
    checks = [
        Measurement(
            FORCE_SLOPE,
            abs(float(weights @ along) / STEP / expected - 1),
            SLOPE_LIMIT,
            "relative",
            "otherwise force constants are not symmetric",
        )
    ]
    if np.isfinite(base.stress).all():
        trace = float(np.trace(base.stress))
        # Near the rest volume there is hardly any stress to be relative to: that at 1 % strain.
        curvature = abs(volume[0] + volume[-1] - 2 * base.energy / atoms.get_volume())
        scale = max(abs(trace), 0.01 * float(curvature) / (2 * STRAIN) ** 2)
        checks.append(
            Measurement(
                STRESS_SLOPE,
                abs(float(weights @ volume) / STRAIN - trace) / scale,
                SLOPE_LIMIT,
                "relative",
                "otherwise the relaxed volume is wrong",
            )
        )
    return checks
