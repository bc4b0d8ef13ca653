"""How far potentials were from DFT, measured on crystals whose results deserved trust.

``calibration.toml`` holds, for each potential that was measured, the errors that 95 of 100 trusted
results stay below; ``benchmarks/trust.py`` writes it, and says how it held on other crystals.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlphonon.trust.verdict import ExpectedError

FILE = "calibration.toml"


class Calibration(BaseModel):
    """Errors of a potential against DFT that 95 of 100 trusted results stay below.

    Attributes
    ----------
    frequency : float
        Mean absolute error over all modes, over the root mean square frequency.
    heat_capacity, entropy : float
        Absolute errors at 300 K, J/K per mole of atoms.
    free_energy : float
        The same, kJ per mole of atoms.
    crystals : int
        How many trusted results it was measured on.
    source : str
        On which crystals, against what.
    sha256 : str, optional
        Of the weights; where it is given, others of that name are not meant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    frequency: float
    heat_capacity: float
    entropy: float
    free_energy: float
    crystals: int
    source: str
    sha256: str | None = None

    def expect(self, rms_THz: float) -> ExpectedError:
        """Return the errors of a result with this root mean square frequency, THz."""
        return ExpectedError(
            frequency_THz=self.frequency * rms_THz,
            heat_capacity=self.heat_capacity,
            entropy=self.entropy,
            free_energy=self.free_energy,
            source=self.source,
        )


def find_calibration(potential: Mapping[str, Any]) -> Calibration | None:
    """Return the calibration of a potential, as it stands in a record, or None if it has none."""
    found = _read().get(str(potential["name"]))
    if found is None or found.sha256 not in (None, potential.get("sha256")):
        return None
    return found


@cache
def _read() -> dict[str, Calibration]:
    text = (files("mlphonon.trust") / FILE).read_text(encoding="utf-8")
    return {name: Calibration.model_validate(x) for name, x in tomllib.loads(text).items()}
