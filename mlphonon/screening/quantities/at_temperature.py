"""What a campaign keeps of phonons at a temperature, beside those of harmonic ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlphonon.screening.quantities.measure import measure_thermal
from mlphonon.screening.quantities.quantity import Quantity, Value
from mlphonon.units import J_PER_EV_MOL

if TYPE_CHECKING:
    from mlphonon.anharmonic.at_temperature.result import PhononsAtTemperature

AT_TEMPERATURE: tuple[Quantity, ...] = (
    Quantity("max_frequency", "THz", float, "highest over path and mesh"),
    Quantity("min_frequency", "THz", float, "lowest over path and mesh; negative if imaginary"),
    Quantity("stable", "", bool, "no mode below minus the threshold of the settings"),
    Quantity(
        "frequency_error", "THz", float, "standard error of the sampling, largest of all modes"
    ),
    Quantity("c_v", "J/K/mol", float, "of these frequencies, held; per mole of atoms"),
    Quantity("entropy", "J/K/mol", float, "of these frequencies; per mole of atoms"),
    Quantity(
        "free_energy",
        "kJ/mol",
        float,
        "anharmonic, above the energy of the minimum, per mole of atoms; none by the method"
        " effective",
    ),
    Quantity("volume", "A^3/atom", float, "for each atom; that of the minimum unless relaxed"),
    Quantity("n_snapshots", "", int, "displaced supercells that were used"),
    Quantity("converged", "", bool, "the last changes were within the errors"),
    Quantity("verdict", "", str, "trusted, use with care or do not use"),
    Quantity("failure", "", str, "why there are none of these phonons; none if there are"),
)
"""Of each method and temperature."""


def measure_at_temperature(found: PhononsAtTemperature) -> dict[str, Value]:
    """Return the value of each of `AT_TEMPERATURE`, None where there is none."""
    phonons, how = found.phonons, found.renormalisation
    stability = phonons.stability
    (thermal,) = measure_thermal(phonons, [how.temperature_K])
    n_atoms = len(phonons.atoms)
    free_energy = None
    if how.free_energy_eV is not None:
        above = how.free_energy_eV / n_atoms - found.harmonic.record.energy_eV_per_atom
        free_energy = float(above * J_PER_EV_MOL / 1000)
    return {
        "max_frequency": phonons.max_frequency,
        "min_frequency": stability.lowest_frequency_THz,
        "stable": stability.stable_by_threshold,
        "frequency_error": how.frequency_error_THz,
        "c_v": thermal["c_v"],
        "entropy": thermal["entropy"],
        "free_energy": free_energy,
        "volume": float(phonons.atoms.get_volume() / n_atoms),
        "n_snapshots": how.n_snapshots,
        "converged": how.converged,
        "verdict": phonons.trust.verdict,
        "failure": None,
    }
