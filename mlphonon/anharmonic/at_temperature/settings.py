"""The settings of phonons at a temperature: each default, and the reason for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from mlphonon.anharmonic.effective.settings import EffectiveSettings
from mlphonon.anharmonic.sscha.settings import SschaSettings
from mlphonon.errors import SettingsError
from mlphonon.settings import PhononSettings
from mlphonon.settings_base import Settings

TemperatureMethod = Literal["sscha", "effective"]

METHODS: Mapping[str, type[SschaSettings | EffectiveSettings]] = {
    "sscha": SschaSettings,
    "effective": EffectiveSettings,
}
"""The settings of each method."""


class PhononsAtTemperatureSettings(Settings):
    """Everything that decides phonons at a temperature, apart from crystal and potential."""

    words: ClassVar[str] = "phonons at a temperature"

    phonons: PhononSettings = PhononSettings()
    """Of the harmonic phonons. What temperature changes is found in a supercell of its own, by
    default the smallest that is 10 A high, and added to their force constants."""

    temperature: float = Field(default=300.0, ge=0)
    """K."""

    method: TemperatureMethod = "sscha"
    """Self-consistent phonons, quantum or classical, need no dynamics and hold to the lowest
    temperatures; effective force constants are fitted to classical molecular dynamics."""

    sscha: SschaSettings = SschaSettings()
    """Of that method."""

    effective: EffectiveSettings = EffectiveSettings()
    """Of the other."""

    @classmethod
    def make(cls, base: Self | None = None, /, **changes: Any) -> Self:
        """Return `base` (or the defaults) with `changes` (see `Settings.make`).

        Names that are none of these settings are settings of the method: ``pressure=0``.
        """
        method = changes.get("method", "sscha" if base is None else base.method)
        if method not in METHODS:
            raise SettingsError(
                f"there is no method '{method}'", fix=f"take {' or '.join(METHODS)}"
            )
        own = {name: value for name, value in changes.items() if name in cls.model_fields}
        inner = {name: value for name, value in changes.items() if name not in cls.model_fields}
        made = super().make(base, **own)
        return super().make(made, **{method: inner}) if inner else made

    @property
    def of_method(self) -> SschaSettings | EffectiveSettings:
        """Return the settings of the method that is chosen."""
        return self.sscha if self.method == "sscha" else self.effective
