"""What is computed of every crystal of a campaign, and the identity of a task."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from mlphonon.errors import PotentialError, SettingsError, shortened
from mlphonon.potentials.loading import load_potential, resolve_device
from mlphonon.potentials.potential import Potential
from mlphonon.potentials.several import refuse_several
from mlphonon.screening.properties import AtTemperature
from mlphonon.settings import PhononSettings
from mlphonon.temperatures import TemperatureGrid

PROTOCOL = 1
"""Of the code: raised when the same crystal, potential and settings give other numbers."""

TEMPERATURES = (300.0,)
"""K, where none are asked for."""


@dataclass(frozen=True)
class PotentialSource:
    """How a worker gets its potential.

    Attributes
    ----------
    asked : str, path, or an object that can be pickled
        What `mlphonon.load_potential` takes.
    device, dtype, head, allow_pickle
        As there.
    """

    asked: Any = "embedded"
    device: str = "auto"
    dtype: str = "float64"
    head: str | None = None
    allow_pickle: bool = False

    def load(self) -> Potential:
        """Return the potential; a process loads it once."""
        refuse_several(self.asked)
        named = isinstance(self.asked, str | os.PathLike)
        # "auto" and what it stands for are one potential in memory.
        source = replace(self, device=resolve_device(self.device)) if named else self
        try:
            return _load(pickle.dumps(source))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise PotentialError(
                f"a {type(self.asked).__name__} cannot be sent to workers",
                str(error),
                "give the name or path of a potential, or an object that can be pickled",
            ) from error


@lru_cache(maxsize=2)
def _load(pickled: bytes) -> Potential:
    source = pickle.loads(pickled)
    return load_potential(
        source.asked,
        device=source.device,
        dtype=source.dtype,
        head=source.head,
        allow_pickle=source.allow_pickle,
    )


class Calculation(BaseModel):
    """All that decides what is computed of a crystal; JSON as it stands.

    Attributes
    ----------
    potential : str
        Its name.
    potential_digest : str
        SHA-256 of its weights, or of what pickle makes of an object.
    dtype : str
        Precision.
    head : str, optional
        The one that is asked, of a potential with several; named or not, it is part of the
        identity.
    settings : PhononSettings
        The protocol.
    temperatures : tuple of float
        At which thermal properties are stored, K.
    properties : tuple of AtTemperature
        What is computed beyond harmonic phonons.
    protocol : int
        Of the code.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    potential: str
    potential_digest: str
    dtype: str
    head: str | None = None
    settings: PhononSettings
    temperatures: tuple[float, ...]
    properties: tuple[AtTemperature, ...] = ()
    protocol: int = PROTOCOL

    def digest(self) -> str:
        """SHA-256: equal digests mean that equal crystals get equal numbers."""
        # So that what was computed before there were properties, and temperatures as text, keeps
        # its name.
        text = self.model_dump_json(exclude=None if self.properties else {"properties"})
        grid = str(self.settings.temperatures)
        if ":" in grid:
            numbers = json.dumps([float(part) for part in grid.split(":")], separators=(",", ":"))
            text = text.replace(f'"temperatures":"{grid}"', f'"temperatures":{numbers}', 1)
        return hashlib.sha256(text.encode()).hexdigest()

    @field_validator("settings", mode="before")
    @classmethod
    def _read_old_range(cls, value: Any) -> Any:
        """Take the temperatures of settings as they were stored once: first, last and step."""
        if isinstance(value, Mapping) and isinstance(value.get("temperatures"), list):
            return {**value, "temperatures": ":".join(map(str, value["temperatures"]))}
        return value

    def describe(self) -> str:
        """Return a line for people."""
        return f"{self.digest()[:8]}: {self.potential} ({self.dtype}), {self._differences()}"

    def _differences(self) -> str:
        """Name the settings that are not the defaults."""
        different = self.settings.model_dump(exclude_defaults=True)
        changed = [f"{name} {value}" for name, value in different.items()]
        changed += [one.describe() for one in self.properties]
        return ", ".join(changed) or "default settings"


def make_calculation(
    source: PotentialSource,
    settings: PhononSettings,
    temperatures: tuple[float, ...],
    properties: tuple[AtTemperature, ...] = (),
) -> Calculation:
    """Describe what a potential and settings will compute.

    Raises
    ------
    SettingsError
        If a temperature is negative, not a number or given twice.
    """
    if len(set(temperatures)) < len(temperatures) or not all(0 <= t < 1e5 for t in temperatures):
        raise SettingsError(
            f"temperatures cannot be {', '.join(f'{t:g}' for t in temperatures)}",
            fix="give different ones of at least 0 K",
        )
    # Who only asks for its name needs no GPU.
    info = replace(source, device="cpu").load().info
    digest = info.sha256
    if digest is None:
        # A name stands for a program of its own, whose versions decide its numbers.
        whole = source.asked if isinstance(source.asked, str) else pickle.dumps(source.asked)
        text = json.dumps([str(whole), dict(info.versions)], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
    return Calculation(
        potential=info.name,
        potential_digest=digest,
        dtype=info.dtype,
        head=info.head,
        settings=settings,
        temperatures=tuple(sorted(temperatures)),
        properties=properties,
    )


def read_temperatures(value: Any) -> tuple[float, ...]:
    """Return temperatures, K, as they are given everywhere (see `TemperatureGrid.of`).

    Raises
    ------
    SettingsError
        If they are not.
    """
    try:
        return tuple(map(float, TemperatureGrid.of(value).values))
    except ValueError as error:
        given = shortened(str(value), 80)
        raise SettingsError(f"temperatures cannot be {given!r}", str(error)) from error


def task_id(crystal: str, calculation: str) -> str:
    """Return the identity of a task: SHA-256 of crystal and calculation."""
    return hashlib.sha256(f"{crystal} {calculation}".encode()).hexdigest()
