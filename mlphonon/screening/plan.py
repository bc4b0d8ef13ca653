"""What a campaign is asked to compute, and where."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlphonon.screening.calculation import (
    TEMPERATURES,
    Calculation,
    PotentialSource,
    make_calculation,
)
from mlphonon.screening.properties import AtTemperature
from mlphonon.screening.site import Site
from mlphonon.settings import PhononSettings


@dataclass(frozen=True)
class CampaignPlan:
    """What a campaign is asked to compute, and where; workers get it as it is.

    Attributes
    ----------
    source : PotentialSource
        Whose forces.
    settings : PhononSettings
        How.
    temperatures : tuple of float
        At which thermal properties are stored, K.
    site : Site
        On what.
    properties : tuple of AtTemperature
        What is computed beyond harmonic phonons.
    """

    source: PotentialSource = field(default_factory=PotentialSource)
    settings: PhononSettings = field(default_factory=PhononSettings)
    temperatures: tuple[float, ...] = TEMPERATURES
    site: Site = field(default_factory=Site)
    properties: tuple[AtTemperature, ...] = ()

    def calculation(self) -> Calculation:
        """Return what is computed, of whatever site; the potential is loaded for its digest."""
        return make_calculation(self.source, self.settings, self.temperatures, self.properties)
