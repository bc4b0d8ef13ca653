"""What follows from the phonons of a crystal: elasticity, Debye temperatures, scattering.

Each is a function of any `Phonons`: harmonic ones, or those at a temperature.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlphonon.properties.cell import density, mean_mass, volume_per_atom
    from mlphonon.properties.debye import (
        debye_temperature,
        debye_temperature_of_sound,
        debye_temperature_of_spectrum,
    )
    from mlphonon.properties.elasticity import (
        Elasticity,
        UnstableWavesError,
        compute_elasticity,
    )
    from mlphonon.properties.gap import acoustic_gap
    from mlphonon.properties.group_velocity import rms_group_velocity
    from mlphonon.properties.isotope_scattering import isotope_rates, mean_isotope_rate

_HOMES = {
    "Elasticity": "mlphonon.properties.elasticity",
    "UnstableWavesError": "mlphonon.properties.elasticity",
    "acoustic_gap": "mlphonon.properties.gap",
    "compute_elasticity": "mlphonon.properties.elasticity",
    "debye_temperature": "mlphonon.properties.debye",
    "debye_temperature_of_sound": "mlphonon.properties.debye",
    "debye_temperature_of_spectrum": "mlphonon.properties.debye",
    "density": "mlphonon.properties.cell",
    "isotope_rates": "mlphonon.properties.isotope_scattering",
    "mean_isotope_rate": "mlphonon.properties.isotope_scattering",
    "mean_mass": "mlphonon.properties.cell",
    "rms_group_velocity": "mlphonon.properties.group_velocity",
    "volume_per_atom": "mlphonon.properties.cell",
}

__all__ = [
    "Elasticity",
    "UnstableWavesError",
    "acoustic_gap",
    "compute_elasticity",
    "debye_temperature",
    "debye_temperature_of_sound",
    "debye_temperature_of_spectrum",
    "density",
    "isotope_rates",
    "mean_isotope_rate",
    "mean_mass",
    "rms_group_velocity",
    "volume_per_atom",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mlphonon.properties' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
