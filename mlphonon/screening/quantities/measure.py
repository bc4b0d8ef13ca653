"""What a campaign keeps of each crystal: numbers and words with names, units and meanings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.screening.quantities.quantity import Quantity, Value
from mlphonon.system.threads import one_blas_thread
from mlphonon.units import G_PER_CM3, KELVIN_PER_THZ

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.evaluation.metrics.acoustic import Elasticity
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.phonons.record import Record
    from mlphonon.trust.verdict import Trust

QUANTITIES: tuple[Quantity, ...] = (
    Quantity("formula", "", str, "reduced chemical formula"),
    Quantity("spacegroup", "", str, "symbol and number of the space group"),
    Quantity("n_atoms", "", int, "atoms in the primitive cell"),
    Quantity("mass", "amu", float, "mean mass of an atom"),
    Quantity("volume", "A^3/atom", float, "volume for each atom"),
    Quantity("density", "g/cm^3", float, "mass over volume"),
    Quantity("energy", "eV/atom", float, "potential energy; its zero is the potential's own"),
    Quantity("volume_change", "", float, "relative change of the volume by the relaxation"),
    Quantity("max_frequency", "THz", float, "highest over path and mesh"),
    Quantity("min_frequency", "THz", float, "lowest over path and mesh; negative if imaginary"),
    Quantity(
        "gap",
        "THz",
        float,
        "from the top of the three lowest branches to the bottom of the others, over the mesh;"
        " 0 where they overlap, none for one atom in the cell",
    ),
    Quantity("imaginary_share", "", float, "share of the modes of the mesh that are imaginary"),
    Quantity("stable", "", bool, "no mode below minus the threshold of the settings"),
    Quantity("stable_by_share", "", bool, "no larger share of imaginary modes than the settings'"),
    Quantity("zero_point_energy", "kJ/mol", float, "per mole of atoms, of the real modes"),
    Quantity(
        "debye_temperature",
        "K",
        float,
        "of the mean sound velocity, all atoms counted; none if a long wave is unstable",
    ),
    Quantity(
        "debye_temperature_dos",
        "K",
        float,
        "of Debye's spectrum with the same mean squared frequency (imaginary ones have negative"
        " squares); none if that is not positive",
    ),
    Quantity(
        "sound_velocity",
        "km/s",
        float,
        "Debye's mean over directions and branches; none if a long wave is unstable",
    ),
    Quantity(
        "bulk_modulus", "GPa", float, "Hill's mean, of long waves; none if one of them is unstable"
    ),
    Quantity(
        "shear_modulus", "GPa", float, "Hill's mean, of long waves; none if one of them is unstable"
    ),
    Quantity(
        "group_velocity",
        "km/s",
        float,
        "root mean square over the real modes, weighted by their heat capacities at 300 K",
    ),
    Quantity(
        "isotope_rate",
        "1/ps",
        float,
        "1/tau of scattering by the natural mixture of isotopes, mean over the real modes weighted"
        " by their heat capacities at 300 K; none for elements without a natural mixture",
    ),
    Quantity("residual_force", "eV/A", float, "largest force left by the relaxation"),
    Quantity(
        "residual_stress",
        "GPa",
        float,
        "largest component of the stress left; none if the potential gives no stress",
    ),
    Quantity("truncation", "THz", float, "estimated error by the size of the supercell"),
    Quantity("verdict", "", str, "trusted, use with care or do not use"),
    Quantity("doubts", "", str, "checks that brought the verdict down; separated by commas"),
    Quantity("numerical_error", "THz", float, "of frequencies, by all that is not the potential"),
    Quantity(
        "expected_error",
        "THz",
        float,
        "mean error of frequencies against DFT, by the potential, that 95 of 100 trusted results"
        " stay below; none for others, and where nobody measured it",
    ),
    Quantity("n_atoms_supercell", "", int, "atoms in the supercell"),
    Quantity("n_displacements", "", int, "displaced supercells"),
    Quantity("steps", "", int, "of the relaxation"),
    Quantity("notes", "", str, "on how the crystal was given; separated by semicolons"),
)
"""What does not depend on temperature."""

THERMAL: tuple[Quantity, ...] = (
    Quantity("c_v", "J/K/mol", float, "heat capacity at constant volume, per mole of atoms"),
    Quantity("entropy", "J/K/mol", float, "of the vibrations, per mole of atoms"),
    Quantity(
        "free_energy", "kJ/mol", float, "of the vibrations, zero point included, per mole of atoms"
    ),
)
"""What is kept at each temperature."""


def measure(phonons: Phonons) -> dict[str, Value]:
    """Return the value of each of `QUANTITIES`, None where a crystal has none."""
    from mlphonon.screening.quantities.transport import mean_isotope_rate, rms_group_velocity

    found = {
        **_of_record(phonons.record),
        **_of_cell(phonons.phonopy),
        **_of_spectrum(phonons),
        **_of_long_waves(phonons.phonopy),
        **_of_trust(phonons.trust),
        "group_velocity": rms_group_velocity(phonons),
        "isotope_rate": mean_isotope_rate(phonons),
    }
    return {quantity.name: found[quantity.name] for quantity in QUANTITIES}


def measure_thermal(phonons: Phonons, temperatures: Sequence[float]) -> list[dict[str, float]]:
    """Return temperature (K) and the values of `THERMAL`, one mapping for each temperature."""
    found = phonons.thermal(temperatures)
    columns = np.stack([found.heat_capacity, found.entropy, found.free_energy]) / found.n_atoms
    names = ("temperature", *(quantity.name for quantity in THERMAL))
    rows = zip(found.temperatures, *columns, strict=True)
    return [dict(zip(names, map(float, row), strict=True)) for row in rows]


def highest_frequency(phonons: Phonons) -> float:
    """Return the highest frequency over path and mesh, THz."""
    path = phonons.bands().frequencies
    return float(max(phonons.mesh[1].max(), *(piece.max() for piece in path)))


def debye_temperature(sound_velocity: float, volume: float) -> float:
    """Debye temperature of long waves, K: (h/k) v/(2 pi) (6 pi^2/V)^(1/3).

    Parameters
    ----------
    sound_velocity : float
        Debye's mean, km/s.
    volume : float
        A^3 for each atom: all atoms of the cell count, as in Anderson, J. Phys. Chem. Solids 24,
        909 (1963), so that C_V per atom is 12 pi^4/5 k (T/theta)^3 at low temperatures.
    """
    wave_number = (6 * np.pi**2 / volume) ** (1 / 3)
    return float(KELVIN_PER_THZ * 10 * sound_velocity * wave_number / (2 * np.pi))


def _of_record(record: Record) -> dict[str, Value]:
    return {
        "formula": record.formula,
        "spacegroup": record.spacegroup,
        "n_atoms": record.n_atoms_primitive,
        "energy": record.energy_eV_per_atom,
        "volume_change": record.volume_change,
        "residual_force": record.residual_force_eV_per_A,
        "residual_stress": record.residual_stress_GPa,
        "truncation": record.truncation_THz,
        "n_atoms_supercell": record.n_atoms_supercell,
        "n_displacements": record.n_displacements,
        "steps": record.relaxation_steps,
        "notes": "; ".join(record.notes),
    }


def _of_trust(trust: Trust) -> dict[str, Value]:
    stated = trust.stated_error
    return {
        "verdict": trust.verdict,
        "doubts": ", ".join(trust.doubts),
        "numerical_error": trust.numerical_error,
        "expected_error": None if stated is None else stated.frequency_THz,
    }


def _of_cell(phonopy: Phonopy) -> dict[str, Value]:
    cell = phonopy.primitive
    return {
        "mass": float(cell.masses.mean()),
        "volume": float(cell.volume / len(cell)),
        "density": float(cell.masses.sum() / cell.volume * G_PER_CM3),
    }


def _of_spectrum(phonons: Phonons) -> dict[str, Value]:
    """Return what follows from frequencies alone."""
    stability = phonons.stability
    _, frequencies, stars = phonons.mesh
    thermal = phonons.thermal([0.0])
    return {
        "max_frequency": highest_frequency(phonons),
        "min_frequency": stability.lowest_frequency_THz,
        "gap": _gap(frequencies),
        "imaginary_share": stability.imaginary_share,
        "stable": stability.stable_by_threshold,
        "stable_by_share": stability.stable_by_share,
        "zero_point_energy": thermal.zero_point_energy / thermal.n_atoms,
        "debye_temperature_dos": _debye_temperature_of_moment(frequencies, stars),
    }


def _gap(frequencies: np.ndarray) -> float | None:
    """Width of the gap above the acoustic branches, THz; frequencies (n_qpoints, n_bands)."""
    if frequencies.shape[1] == 3:
        return None
    return max(0.0, float(frequencies[:, 3].min() - frequencies[:, 2].max()))


def _debye_temperature_of_moment(frequencies: np.ndarray, stars: np.ndarray) -> float | None:
    """Debye temperature of the second moment, K: <nu^2> is 3/5 of Debye's cutoff squared.

    The mean square is the trace of the dynamical matrix at one site: springs over masses,
    whatever the crystal's stability.
    """
    squares = np.sign(frequencies) * frequencies**2
    mean = float(stars @ squares.mean(axis=1) / stars.sum())
    return KELVIN_PER_THZ * float(np.sqrt(5 / 3 * mean)) if mean > 0 else None


def _of_long_waves(phonopy: Phonopy) -> dict[str, Value]:
    cell, found = phonopy.primitive, _long_waves(phonopy)
    names = ("sound_velocity", "debye_temperature", "bulk_modulus", "shear_modulus")
    if found is None:
        return dict.fromkeys(names)
    velocity = found.mean_velocity
    theta = debye_temperature(velocity, cell.volume / len(cell))
    values = (velocity, theta, found.bulk_modulus, found.shear_modulus)
    return dict(zip(names, values, strict=True))


def _long_waves(phonopy: Phonopy) -> Elasticity | None:
    """Elastic constants, or None if a long wave is unstable."""
    from mlphonon.evaluation.metrics.acoustic import UnstableWavesError, elasticity

    try:
        with one_blas_thread():
            return elasticity(phonopy)
    except UnstableWavesError:
        return None
