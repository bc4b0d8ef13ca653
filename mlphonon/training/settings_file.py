"""Settings of trainings: frozen objects, read from YAML files."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from mlphonon.errors import TrainingError


class Frozen(BaseModel):
    """A settings block that cannot be changed and refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def read(cls, path: Path | None, **changes: object) -> Self:
        """Read settings from a YAML file (none: the defaults), and change some.

        Raises
        ------
        TrainingError
            If the file cannot be read, or a setting is unknown or wrong.
        """
        try:
            found = {} if path is None else yaml.safe_load(path.read_text()) or {}
        except (OSError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise TrainingError(f"cannot read the settings {path}", reason) from error
        if not isinstance(found, dict):
            raise TrainingError(f"{path} holds no settings", fix="write lines of 'name: value'")
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
