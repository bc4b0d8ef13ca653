"""Phonons of crystals from machine-learning potentials, and how far to believe them.

>>> from ase.build import bulk
>>> from mlphonon import compute_phonons
>>> phonons = compute_phonons(bulk("NaCl", "rocksalt", a=5.69))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlphonon.anharmonic.at_temperature.compute import compute_phonons_at_temperature
    from mlphonon.anharmonic.at_temperature.result import PhononsAtTemperature
    from mlphonon.anharmonic.at_temperature.settings import PhononsAtTemperatureSettings
    from mlphonon.anharmonic.conductivity.compute import compute_thermal_conductivity
    from mlphonon.anharmonic.conductivity.result import ThermalConductivity
    from mlphonon.anharmonic.conductivity.settings import ThermalConductivitySettings
    from mlphonon.anharmonic.expansion.compute import compute_thermal_expansion
    from mlphonon.anharmonic.expansion.result import ThermalExpansion
    from mlphonon.anharmonic.expansion.settings import ThermalExpansionSettings
    from mlphonon.anharmonic.gruneisen.compute import compute_gruneisen
    from mlphonon.anharmonic.gruneisen.result import Gruneisen
    from mlphonon.anharmonic.gruneisen.settings import GruneisenSettings
    from mlphonon.anharmonic.third_order.settings import ThirdOrderSettings
    from mlphonon.crystal.crystal import Crystal, make_crystal, read_crystal, read_crystals
    from mlphonon.errors import MlphononError
    from mlphonon.evaluation.against_dft import evaluate
    from mlphonon.force_constants.born import BornCharges
    from mlphonon.instabilities.explanation import Explanation
    from mlphonon.instabilities.family import explain_imaginary_modes
    from mlphonon.phonons.committee import Committee
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.phonons.results import BandStructure, DensityOfStates, ThermalProperties
    from mlphonon.potentials.dispersion import with_dispersion
    from mlphonon.potentials.loading import load_potential
    from mlphonon.potentials.named.installation import install_potential
    from mlphonon.potentials.potential import Evaluation, Potential, PotentialInfo
    from mlphonon.screening.campaign import Campaign
    from mlphonon.screening.plan import CampaignPlan
    from mlphonon.settings import PhononSettings
    from mlphonon.temperatures import TemperatureGrid
    from mlphonon.training.finetuning.compute import finetune
    from mlphonon.training.finetuning.inputs import FinetuneInputs
    from mlphonon.training.finetuning.settings import FinetuneSettings
    from mlphonon.workflow import compute_phonons

__version__ = "0.1.0"

# Where each public name lives; imported when first asked for, so that `import mlphonon` is quick.
_HOMES = {
    "BandStructure": "mlphonon.phonons.results",
    "BornCharges": "mlphonon.force_constants.born",
    "Campaign": "mlphonon.screening.campaign",
    "CampaignPlan": "mlphonon.screening.plan",
    "Committee": "mlphonon.phonons.committee",
    "Crystal": "mlphonon.crystal.crystal",
    "DensityOfStates": "mlphonon.phonons.results",
    "Evaluation": "mlphonon.potentials.potential",
    "Explanation": "mlphonon.instabilities.explanation",
    "FinetuneInputs": "mlphonon.training.finetuning.inputs",
    "FinetuneSettings": "mlphonon.training.finetuning.settings",
    "Gruneisen": "mlphonon.anharmonic.gruneisen.result",
    "GruneisenSettings": "mlphonon.anharmonic.gruneisen.settings",
    "MlphononError": "mlphonon.errors",
    "PhononSettings": "mlphonon.settings",
    "Phonons": "mlphonon.phonons.phonons",
    "PhononsAtTemperature": "mlphonon.anharmonic.at_temperature.result",
    "PhononsAtTemperatureSettings": "mlphonon.anharmonic.at_temperature.settings",
    "Potential": "mlphonon.potentials.potential",
    "PotentialInfo": "mlphonon.potentials.potential",
    "TemperatureGrid": "mlphonon.temperatures",
    "ThermalConductivity": "mlphonon.anharmonic.conductivity.result",
    "ThermalConductivitySettings": "mlphonon.anharmonic.conductivity.settings",
    "ThermalExpansion": "mlphonon.anharmonic.expansion.result",
    "ThermalExpansionSettings": "mlphonon.anharmonic.expansion.settings",
    "ThermalProperties": "mlphonon.phonons.results",
    "ThirdOrderSettings": "mlphonon.anharmonic.third_order.settings",
    "compute_gruneisen": "mlphonon.anharmonic.gruneisen.compute",
    "compute_phonons": "mlphonon.workflow",
    "compute_phonons_at_temperature": "mlphonon.anharmonic.at_temperature.compute",
    "compute_thermal_conductivity": "mlphonon.anharmonic.conductivity.compute",
    "compute_thermal_expansion": "mlphonon.anharmonic.expansion.compute",
    "evaluate": "mlphonon.evaluation.against_dft",
    "explain_imaginary_modes": "mlphonon.instabilities.family",
    "finetune": "mlphonon.training.finetuning.compute",
    "install_potential": "mlphonon.potentials.named.installation",
    "load_potential": "mlphonon.potentials.loading",
    "make_crystal": "mlphonon.crystal.crystal",
    "read_crystal": "mlphonon.crystal.crystal",
    "read_crystals": "mlphonon.crystal.crystal",
    "with_dispersion": "mlphonon.potentials.dispersion",
}

# What they were called before; gone in the next version but one.
_RENAMED = {
    "HeatConductivity": "ThermalConductivity",
    "QuasiHarmonic": "ThermalExpansion",
    "quasi_harmonic": "compute_thermal_expansion",
    "renormalised_phonons": "compute_phonons_at_temperature",
    "thermal_conductivity": "compute_thermal_conductivity",
}

__all__ = [
    "BandStructure",
    "BornCharges",
    "Campaign",
    "CampaignPlan",
    "Committee",
    "Crystal",
    "DensityOfStates",
    "Evaluation",
    "Explanation",
    "FinetuneInputs",
    "FinetuneSettings",
    "Gruneisen",
    "GruneisenSettings",
    "MlphononError",
    "PhononSettings",
    "Phonons",
    "PhononsAtTemperature",
    "PhononsAtTemperatureSettings",
    "Potential",
    "PotentialInfo",
    "TemperatureGrid",
    "ThermalConductivity",
    "ThermalConductivitySettings",
    "ThermalExpansion",
    "ThermalExpansionSettings",
    "ThermalProperties",
    "ThirdOrderSettings",
    "compute_gruneisen",
    "compute_phonons",
    "compute_phonons_at_temperature",
    "compute_thermal_conductivity",
    "compute_thermal_expansion",
    "evaluate",
    "explain_imaginary_modes",
    "finetune",
    "install_potential",
    "load_potential",
    "make_crystal",
    "read_crystal",
    "read_crystals",
    "with_dispersion",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    hint = f"; it is called '{_RENAMED[name]}' now" if name in _RENAMED else ""
    raise AttributeError(f"module 'mlphonon' has no attribute '{name}'{hint}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
