"""What a campaign computes of each crystal beyond its harmonic phonons: ``sscha(300)``."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlphonon.anharmonic.at_temperature.settings import (
    PhononsAtTemperatureSettings,
    TemperatureMethod,
)
from mlphonon.anharmonic.sscha.settings import check_temperature
from mlphonon.errors import SettingsError


class AtTemperature(BaseModel):
    """Phonons at a temperature, by a method of `mlphonon.compute_phonons_at_temperature`.

    Attributes
    ----------
    method : {"sscha", "effective"}
        How.
    temperature : float
        K.
    changes : dict
        Settings of the method that are not the defaults.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: TemperatureMethod
    temperature: float
    changes: dict[str, Any] = {}

    def settings(self) -> PhononsAtTemperatureSettings:
        """Return the settings of the method, with the temperature."""
        return PhononsAtTemperatureSettings.make(
            temperature=self.temperature, method=self.method, **self.changes
        )

    @property
    def label(self) -> str:
        """Names its folder, such as ``sscha-300``."""
        return f"{self.method}-{self.temperature:g}"

    def describe(self) -> str:
        """Return it as it is asked for, such as ``sscha(300, snapshots=50)``."""
        named = [f"{name}={value!r}" for name, value in self.changes.items()]
        return f"{self.method}({', '.join([f'{self.temperature:g}', *named])})"


def read_property(text: str) -> AtTemperature:
    """Read what is asked for, such as ``sscha(300)`` or ``effective(300, tolerance=0.05)``.

    Raises
    ------
    SettingsError
        If it is no method with a temperature, or a setting cannot be used.
    """
    try:
        asked = ast.parse(text.strip(), mode="eval").body
        if not (isinstance(asked, ast.Call) and isinstance(asked.func, ast.Name)):
            raise ValueError("it names no method with its temperature in brackets")
        if len(asked.args) != 1 or any(each.arg is None for each in asked.keywords):
            raise ValueError("one temperature is wanted, then settings by name")
        temperature = ast.literal_eval(asked.args[0])
        changes = {str(each.arg): ast.literal_eval(each.value) for each in asked.keywords}
        if isinstance(temperature, bool) or not isinstance(temperature, int | float):
            raise ValueError("a temperature is a number of K")
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise SettingsError(
            f"property '{text}' cannot be read",
            reason,
            "write sscha(300), effective(300) or sscha(300, pressure=0)",
        ) from error
    method = asked.func.id
    settings = PhononsAtTemperatureSettings.make(method=method, **changes).of_method
    check_temperature(temperature, settings.statistics)
    return AtTemperature(
        method=method,  # type: ignore[arg-type]
        temperature=temperature,
        changes=dict(sorted(settings.model_dump(exclude_defaults=True).items())),
    )


def read_properties(texts: Iterable[str]) -> tuple[AtTemperature, ...]:
    """Read several, in the order of method and temperature.

    Raises
    ------
    SettingsError
        As `read_property`, or if a method is given twice at one temperature.
    """
    found = sorted(map(read_property, texts), key=lambda one: (one.method, one.temperature))
    labels = [one.label for one in found]
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise SettingsError(
            f"{twice.replace('-', ' at ')} K is asked for twice", fix="give each property once"
        )
    return tuple(found)
