"""Temperatures as a user gives them, everywhere alike: a number, a list, or first:last:step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

MOST = 100_000
"""Temperatures in a grid."""

FORMS = "a number, a list such as '100,300', or a range first:last:step such as '0:1000:10'"


@dataclass(frozen=True)
class TemperatureGrid:
    """Ascending temperatures, K.

    A sequence always means these temperatures, never a range: (0, 1000, 10) is refused, since it
    does not ascend, and '0:1000:10' is the range.

    Attributes
    ----------
    text : str
        ``"300"``, ``"100,300"`` or ``"0:1000:10"``.
    """

    text: str

    @classmethod
    def of(cls, value: Any) -> TemperatureGrid:
        """Return the grid that a user means.

        Parameters
        ----------
        value : TemperatureGrid, str, float or sequence of float
            As text in the forms above.

        Raises
        ------
        ValueError
            If it is none of these, or the temperatures are negative or do not ascend.
        """
        if isinstance(value, TemperatureGrid):
            return value
        if isinstance(value, str) and ":" in value:
            return _range(value)
        if isinstance(value, str):
            value = value.replace(",", " ").split()
        elif not isinstance(value, Iterable):
            value = [value]
        numbers = _numbers(value)
        if not numbers:
            raise ValueError(f"temperatures must be {FORMS}")
        if any(b <= a for a, b in pairwise(numbers)):
            hint = ""
            if len(numbers) == 3 and numbers[0] <= numbers[1] and numbers[2] > 0:
                hint = f"; the range is written '{':'.join(map(_short, numbers))}'"
            raise ValueError(f"temperatures must ascend: a sequence means just these{hint}")
        return cls(",".join(map(_short, numbers)))

    @cached_property
    def _values(self) -> np.ndarray:
        if ":" in self.text:
            first, last, step = (float(part) for part in self.text.split(":"))
            values = first + step * np.arange(_steps(first, last, step) + 1)
        else:
            values = np.array([float(part) for part in self.text.split(",")])
        values.setflags(write=False)
        return values

    @property
    def values(self) -> np.ndarray:
        """K, shape (n,), ascending; the last of a range is included if a step falls on it."""
        return self._values

    def __str__(self) -> str:
        return self.text

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.of, serialization=core_schema.to_string_ser_schema()
        )


def _range(text: str) -> TemperatureGrid:
    parts = text.split(":")
    if len(parts) != 3:
        raise ValueError(f"temperatures must be {FORMS}")
    first, last, step = _numbers(parts)
    if not (first <= last and step > 0):
        raise ValueError("temperatures first:last:step must have 0 <= first <= last and step > 0")
    if (last - first) / step > MOST:
        raise ValueError(f"temperatures must not be more than {MOST}")
    return TemperatureGrid(":".join(map(_short, (first, last, step))))


def _numbers(parts: Iterable[Any]) -> list[float]:
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError) as error:
        raise ValueError(f"temperatures must be {FORMS}") from error
    if not all(math.isfinite(x) and x >= 0 for x in numbers):
        raise ValueError("temperatures must be numbers >= 0")
    return numbers


def _steps(first: float, last: float, step: float) -> int:
    return int(np.floor((last - first) / step + 1e-9))


def _short(number: float) -> str:
    """Return the shortest text that reads back as the same number."""
    return repr(float(number)).removesuffix(".0")
