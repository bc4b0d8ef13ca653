"""What all settings are: frozen, checked, nested, read from YAML, known by a digest.

Values that cannot be used end in one line that names them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from mlphonon.errors import SettingsError
from mlphonon.io.plain_yaml import read_settings_file

Model = TypeVar("Model", bound=BaseModel)

SHOWN = 80
"""Characters of a value that an error message repeats."""


class Settings(BaseModel):
    """Base of settings: every field has a default, and a docstring that gives the reason for it.

    A field may hold other settings. `make` takes changes of these as a mapping, too.

    Attributes
    ----------
    words : str
        Whose settings they are, in error messages; empty for those of phonons.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    words: ClassVar[str] = ""

    @classmethod
    def make(cls, base: Self | None = None, /, **changes: Any) -> Self:
        """Return `base` (or the defaults) with `changes`, checked.

        Parameters
        ----------
        base : Settings, optional
            Of the same class.
        **changes
            Values by the names of the fields. Those of nested settings are settings, or a mapping
            of what differs in them: ``phonons={"min_length": 20}``.

        Raises
        ------
        SettingsError
            If a name is unknown or a value cannot be used; one line that names it.
        """
        if base is not None and not isinstance(base, cls):
            raise SettingsError(f"settings must be {cls.__name__}, not {type(base).__name__}")
        values: dict[str, Any] = {name: getattr(base, name) for name in cls.model_fields if base}
        for name, value in changes.items():
            field = cls.model_fields.get(name)
            nested = None if field is None else field.annotation
            if isinstance(value, Mapping) and _is_settings(nested):
                before = values.get(name, field.get_default(call_default_factory=True))  # type: ignore[union-attr]
                value = nested.make(before, **value)  # type: ignore[union-attr]
            values[name] = value
        return checked(cls, values, cls.words)

    @classmethod
    def read(cls, path: str | Path | None, /, **changes: Any) -> Self:
        """Return the settings in a YAML file (names of fields to values), with `changes`.

        Parameters
        ----------
        path : str or Path, optional
            None: the defaults.
        **changes
            As `make` takes them.

        Raises
        ------
        SettingsError
            If the file cannot be read or a value cannot be used.
        """
        if path is None:
            return cls.make(**changes)
        values = read_settings_file(Path(path))
        try:
            before = cls.make(**values)
        except SettingsError as error:
            raise SettingsError(f"settings in {path}: {error}") from error
        return cls.make(before, **changes)

    def digest(self) -> str:
        """SHA-256 of the settings: equal digests mean equal protocols."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def _is_settings(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Settings)


def checked(kind: type[Model], values: Mapping[str, Any], words: str = "") -> Model:
    """Return a model that holds these values.

    Parameters
    ----------
    kind : type
        Of pydantic.
    values : mapping
        By the names of its fields; defaults otherwise.
    words : str
        Whose settings they are, where that is not plain.

    Raises
    ------
    SettingsError
        If a name is unknown or a value cannot be used; one line that names it.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise _refusal(kind, error.errors()[0], words) from error


def _refusal(kind: type[BaseModel], first: ErrorDetails, words: str) -> SettingsError:
    name = ".".join(str(part) for part in first["loc"][:1])
    whose = f" of {words}" if words else ""
    if first["type"] == "extra_forbidden":
        return SettingsError(
            f"unknown setting '{name}'{whose}",
            fix=f"the settings are {', '.join(kind.model_fields)}",
        )
    return SettingsError(
        f"setting '{name}'{whose} cannot be {_shown(first['input'])}"
        if name
        else f"settings{whose} do not fit together",
        first["msg"].removeprefix("Value error, "),
        "give another value",
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
