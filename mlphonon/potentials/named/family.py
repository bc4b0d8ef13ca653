"""Families of potentials: one Python package each, and the environment that it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

FAMILIES = Path(__file__).with_name("families")
"""Folder with, for each family, its entries and environment (``.toml``), the versions that
were run together (``.lock``), and what makes its calculator where its package does not do so
in one call (``.py``)."""

MACE = "mace"
"""The family that runs in this process."""


class Family(BaseModel):
    """How to install the package of a family, and how to get a calculator from it.

    Attributes
    ----------
    name : str
        Name in the catalogue.
    requirements : tuple of str
        What pip installs, with versions.
    unresolved : tuple of str
        What pip installs after that, without what it asks for.
    gpu_requirements : tuple of str
        What pip installs besides on a machine with a GPU.
    torch : bool
        Whether it needs torch: the same as in this process is then installed first.
    python : str
        Versions of Python it runs on, such as ``">=3.10,<3.13"``.
    module, factory : str
        Where the calculator is: a module of its environment, or a file beside its ``.toml``.
    arguments : dict
        Of the call; see `fill`.
    dtypes : tuple of str
        The precisions it can be run in; first that of the published weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    requirements: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    gpu_requirements: tuple[str, ...] = ()
    torch: bool = True
    python: str = ">=3.11"
    module: str = ""
    factory: str = "make"
    arguments: dict[str, Any] = {}
    dtypes: tuple[Literal["float32", "float64"], ...] = ("float32", "float64")

    @model_validator(mode="after")
    def _check(self) -> Family:
        if not self.in_process and not (self.module and self.requirements):
            raise ValueError("module or requirements are missing")
        return self

    @property
    def in_process(self) -> bool:
        """Whether it runs here instead of in an environment of its own."""
        return self.name == MACE

    @property
    def module_path(self) -> str:
        """The module, as a path if it is one of the files beside this."""
        beside = FAMILIES / self.module
        return str(beside) if self.module.endswith(".py") and beside.is_file() else self.module

    @property
    def lock(self) -> Path | None:
        """The file with the versions that were run together, if there is one."""
        path = FAMILIES / f"{self.name}.lock"
        return path if path.is_file() else None


def fill(arguments: dict[str, Any], places: dict[str, str | None]) -> dict[str, Any]:
    """Put ``{weights}``, ``{device}``, ``{dtype}`` and ``{head}`` into the arguments of a call.

    An argument whose place holds nothing is left out.

    >>> fill({"path": "{weights}", "head": "{head}", "n": 3}, {"weights": "/a", "head": None})
    {'path': '/a', 'n': 3}
    """
    filled: dict[str, Any] = {}
    for key, value in arguments.items():
        if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
            value = places.get(value[1:-1])
            if value is None:
                continue
        filled[key] = value
    return filled


def parse_elements(text: str) -> frozenset[int]:
    """Read atomic numbers such as ``"1-83, 89-94"``.

    Raises
    ------
    ValueError
        If it has another form.
    """
    numbers: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if found is None:
            raise ValueError(f"'{text}' are no atomic numbers such as 1-83, 89-94")
        numbers.update(range(int(found[1]), int(found[2] or found[1]) + 1))
    if not numbers or not numbers <= set(range(1, 119)):
        raise ValueError(f"'{text}' are no atomic numbers of elements")
    return frozenset(numbers)
