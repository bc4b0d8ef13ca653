"""Where a potential in another Python environment is, and how its calculator is made."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from mlphonon.errors import PotentialError

PREFIX = "python:"
"""What the name of a potential in an environment of the user's own begins with."""


@dataclass(frozen=True)
class WorkerSpec:
    """How to get an ASE calculator in another Python.

    Attributes
    ----------
    python : Path
        The interpreter.
    module : str
        Module, or path of a ``.py`` file, in that environment.
    factory : str
        Name in the module that is called for a calculator; may hold dots.
    arguments : mapping
        Keyword arguments of the call; plain types.
    packages : tuple of str
        Packages whose versions it is to report.
    """

    python: Path
    module: str
    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ("ase", "numpy", "torch", "jax")


def parse_spec(text: str, device: str) -> WorkerSpec:
    """Read ``python:ENVIRONMENT:MODULE:FACTORY?NAME=VALUE&NAME=VALUE``.

    ENVIRONMENT is a folder with ``bin/python``, or an interpreter. Values are JSON where they
    can be (``3``, ``true``, ``"3"``), else strings; ``{device}`` in them stands for `device`.

    Raises
    ------
    PotentialError
        If it has another form, or there is no such environment.
    """
    form = "write python:/path/to/env:module:factory?argument=value"
    head, _, query = text.removeprefix(PREFIX).partition("?")
    place, _, call = head.partition(":")
    module, _, factory = call.rpartition(":")
    if not (place and module and factory):
        raise PotentialError(f"'{text}' names no potential in another environment", fix=form)
    arguments = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        arguments[name] = _plain(value.replace("{device}", device))
    return WorkerSpec(find_python(Path(place).expanduser()), module, factory, arguments)


def _plain(value: str) -> Any:
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def find_python(place: Path) -> Path:
    """Return the interpreter of an environment, given by its folder or by itself."""
    candidates = [place / "bin" / "python", place / "Scripts" / "python.exe", place]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            # Not resolved: a virtual environment's python is a link, and knows it by its place.
            return candidate.absolute()
    raise PotentialError(
        f"there is no Python environment at {place}",
        f"neither {candidates[0]} nor itself can be run",
        "give the folder that holds bin/python, or the interpreter",
    )
