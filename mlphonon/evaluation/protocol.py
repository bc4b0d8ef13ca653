"""How a potential is compared with DFT: fixed, versioned, and printed with every table."""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlphonon.errors import SettingsError
from mlphonon.settings import PhononSettings, make_settings


class Protocol(BaseModel):
    """The settings of a comparison; those not here are `PhononSettings`' own.

    The supercell is that of the reference. A crystal fails if its relaxation does not converge
    or changes the space group, or if the potential cannot evaluate it; failures are counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: int = 1
    """Of the rules that are not numbers here; results of different versions do not merge."""

    relax: bool = True
    """Relax cell and positions with the potential; otherwise take DFT's structure."""

    fmax: float = Field(default=1e-4, gt=0)
    """Largest force left, eV/A."""

    symprec: float = Field(default=1e-5, gt=0)
    """A."""

    displacement: float = Field(default=0.03, gt=0, le=0.2)
    """A; 0.03 as most entries of the kappa leaderboard, whose DFT had 0.03 too."""

    temperature: float = Field(default=300.0, gt=0)
    """Of the thermal properties, K."""

    def settings(self, supercell: tuple[int, ...]) -> PhononSettings:
        """Return the settings of one crystal's calculation."""
        return make_settings(
            relax=self.relax,
            fmax=self.fmax,
            symprec=self.symprec,
            displacement=self.displacement,
            supercell=supercell,
            allow_nonconservative=True,
        )

    def digest(self) -> str:
        """SHA-256: equal digests mean equal protocols."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def make_protocol(**changes: Any) -> Protocol:
    """Return the protocol with changes.

    Raises
    ------
    SettingsError
        If a value cannot be used; one line that names it.
    """
    try:
        return Protocol.model_validate(changes)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"protocol: {name} cannot be {first['input']!r}", first["msg"]
        ) from error
