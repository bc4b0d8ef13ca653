"""Values that a user gave -> settings, or one line that says which of them cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mlphonon.errors import SettingsError

Settings = TypeVar("Settings", bound=BaseModel)


def checked_settings(kind: type[Settings], values: Mapping[str, Any], of: str = "") -> Settings:
    """Return settings that hold these values.

    Parameters
    ----------
    kind : type
        Of the settings.
    values : mapping
        By the names of its fields; defaults otherwise.
    of : str
        Whose settings they are, in words, where that is not plain.

    Raises
    ------
    SettingsError
        If a name is unknown or a value cannot be used; one line that names it.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][:1])
        whose = f" of {of}" if of else ""
        if first["type"] == "extra_forbidden":
            raise SettingsError(
                f"unknown setting '{name}'{whose}",
                fix=f"the settings are {', '.join(kind.model_fields)}",
            ) from error
        raise SettingsError(
            f"setting '{name}'{whose} cannot be {first['input']!r}"
            if name
            else f"settings{whose} do not fit together",
            first["msg"].removeprefix("Value error, "),
            "give another value",
        ) from error
