"""What a room names without importing it: an object by a string, looked up when it is asked for.

A result names its figure, `Phonons` its verdict, by ``"module:attribute"``; so neither imports the
rooms below it. A test resolves every such string of the package.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def resolve(name: str) -> Any:
    """Return what ``"module:attribute"`` names.

    Parameters
    ----------
    name : str
        Such as ``"mlphonon.report.conductivity:plot_conductivity"``.
    """
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)
