"""What a campaign keeps of each crystal: numbers and words with names, units and meanings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.screening.quantities.quantity import Quantity, Value

if TYPE_CHECKING:
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
    from mlphonon.properties import mean_isotope_rate, rms_group_velocity

    found = {
        **_of_record(phonons.record),
        **_of_cell(phonons),
        **_of_spectrum(phonons),
        **_of_long_waves(phonons),
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


def _of_cell(phonons: Phonons) -> dict[str, Value]:
    from mlphonon.properties import density, mean_mass, volume_per_atom

    return {
        "mass": mean_mass(phonons),
        "volume": volume_per_atom(phonons),
        "density": density(phonons),
    }


def _of_spectrum(phonons: Phonons) -> dict[str, Value]:
    """Return what follows from frequencies alone."""
    from mlphonon.properties import acoustic_gap, debye_temperature_of_spectrum

    stability = phonons.stability
    thermal = phonons.thermal([0.0])
    return {
        "max_frequency": phonons.max_frequency,
        "min_frequency": stability.lowest_frequency_THz,
        "gap": acoustic_gap(phonons),
        "imaginary_share": stability.imaginary_share,
        "stable": stability.stable_by_threshold,
        "stable_by_share": stability.stable_by_share,
        "zero_point_energy": thermal.zero_point_energy / thermal.n_atoms,
        "debye_temperature_dos": debye_temperature_of_spectrum(phonons),
    }


def _of_long_waves(phonons: Phonons) -> dict[str, Value]:
    from mlphonon.properties import (
        UnstableWavesError,
        compute_elasticity,
        debye_temperature_of_sound,
        volume_per_atom,
    )

    try:
        found = compute_elasticity(phonons)
    except UnstableWavesError:
        names = ("sound_velocity", "debye_temperature", "bulk_modulus", "shear_modulus")
        return dict.fromkeys(names)
    velocity = found.mean_velocity
    return {
        "sound_velocity": velocity,
        "debye_temperature": debye_temperature_of_sound(velocity, volume_per_atom(phonons)),
        "bulk_modulus": found.bulk_modulus,
        "shear_modulus": found.shear_modulus,
    }
