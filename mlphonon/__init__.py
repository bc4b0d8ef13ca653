"""Phonons of crystals from machine-learning potentials, and how far to believe them.

>>> from ase.build import bulk
>>> from mlphonon import compute_phonons
>>> phonons = compute_phonons(bulk("NaCl", "rocksalt", a=5.69))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlphonon.anharmonic.at_temperature.compute import renormalised_phonons
    from mlphonon.anharmonic.at_temperature.result import PhononsAtTemperature
    from mlphonon.anharmonic.conductivity.compute import thermal_conductivity
    from mlphonon.anharmonic.conductivity.result import HeatConductivity
    from mlphonon.anharmonic.expansion.compute import quasi_harmonic
    from mlphonon.anharmonic.expansion.result import QuasiHarmonic
    from mlphonon.anharmonic.gruneisen.result import Gruneisen
    from mlphonon.crystal.crystal import Crystal, make_crystal, read_crystals
    from mlphonon.errors import MlphononError
    from mlphonon.phonons.committee import Committee
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.phonons.results import BandStructure, DensityOfStates, ThermalProperties
    from mlphonon.potentials.dispersion import with_dispersion
    from mlphonon.potentials.loading import load_potential
    from mlphonon.potentials.named.installation import install_potential
    from mlphonon.potentials.potential import Evaluation, Potential, PotentialInfo
    from mlphonon.screening.campaign import Campaign
    from mlphonon.settings import PhononSettings
    from mlphonon.workflow import compute_phonons

__version__ = "0.1.0"

# Where each public name lives; imported when first asked for, so that `import mlphonon` is quick.
_HOMES = {
    "BandStructure": "mlphonon.phonons.results",
    "Campaign": "mlphonon.screening.campaign",
    "Committee": "mlphonon.phonons.committee",
    "Crystal": "mlphonon.crystal.crystal",
    "DensityOfStates": "mlphonon.phonons.results",
    "Evaluation": "mlphonon.potentials.potential",
    "Gruneisen": "mlphonon.anharmonic.gruneisen.result",
    "HeatConductivity": "mlphonon.anharmonic.conductivity.result",
    "MlphononError": "mlphonon.errors",
    "PhononSettings": "mlphonon.settings",
    "Phonons": "mlphonon.phonons.phonons",
    "PhononsAtTemperature": "mlphonon.anharmonic.at_temperature.result",
    "Potential": "mlphonon.potentials.potential",
    "PotentialInfo": "mlphonon.potentials.potential",
    "QuasiHarmonic": "mlphonon.anharmonic.expansion.result",
    "ThermalProperties": "mlphonon.phonons.results",
    "compute_phonons": "mlphonon.workflow",
    "install_potential": "mlphonon.potentials.named.installation",
    "load_potential": "mlphonon.potentials.loading",
    "make_crystal": "mlphonon.crystal.crystal",
    "quasi_harmonic": "mlphonon.anharmonic.expansion.compute",
    "read_crystals": "mlphonon.crystal.crystal",
    "renormalised_phonons": "mlphonon.anharmonic.at_temperature.compute",
    "thermal_conductivity": "mlphonon.anharmonic.conductivity.compute",
    "with_dispersion": "mlphonon.potentials.dispersion",
}

__all__ = [
    "BandStructure",
    "Campaign",
    "Committee",
    "Crystal",
    "DensityOfStates",
    "Evaluation",
    "Gruneisen",
    "HeatConductivity",
    "MlphononError",
    "PhononSettings",
    "Phonons",
    "PhononsAtTemperature",
    "Potential",
    "PotentialInfo",
    "QuasiHarmonic",
    "ThermalProperties",
    "compute_phonons",
    "install_potential",
    "load_potential",
    "make_crystal",
    "quasi_harmonic",
    "read_crystals",
    "renormalised_phonons",
    "thermal_conductivity",
    "with_dispersion",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mlphonon' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
