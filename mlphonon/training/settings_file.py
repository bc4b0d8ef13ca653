"""Settings of trainings: frozen objects, read from YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from mlphonon.errors import SettingsError, TrainingError
from mlphonon.io.plain_yaml import read_settings_file


class Frozen(BaseModel):
    """A settings block that cannot be changed and refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, path: Path | None, **changes: object) -> Self:
        """Read settings from a YAML file (none: the defaults), and change some.

        Raises
        ------
        TrainingError
            If the file cannot be read, or a setting is unknown or wrong.
        """
        try:
            found = {} if path is None else read_settings_file(path)
        except SettingsError as error:
            raise TrainingError(str(error)) from error
        try:
            return cls.model_validate(found | changes)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise TrainingError(
                f"the settings {'' if path is None else f'{path} '}are wrong"
                f"{f' at {where!r}' if where else ''}",
                first["msg"].removeprefix("Value error, "),
                "correct that line",
            ) from error
