"""Frozen dataclasses of arrays as one flat mapping of arrays, the form of an npz file.

A field that is itself a dataclass, or a tuple of arrays, becomes several entries: ``axes.lengths``,
``path_gamma.0``, ``path_gamma.1``. Numbers are arrays without dimensions; a field that is None has
no entry.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def flatten(value: Any, leave_out: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Return the fields of a dataclass as arrays, by name.

    Parameters
    ----------
    value : dataclass
        Its fields hold arrays, numbers, tuples of arrays or strings, other such dataclasses, or
        None.
    leave_out : collection of str
        Fields that are no arrays.
    """
    flat: dict[str, np.ndarray] = {}
    for field in fields(value):
        if field.name not in leave_out:
            flat |= _entries(field.name, getattr(value, field.name))
    return flat


def _entries(name: str, value: Any) -> dict[str, np.ndarray]:
    if value is None:
        return {}
    if is_dataclass(value):
        return {f"{name}.{key}": array for key, array in flatten(value).items()}
    if isinstance(value, tuple) and all(isinstance(item, np.ndarray) for item in value):
        return {f"{name}.{number}": item for number, item in enumerate(value)}
    return {name: np.asarray(value)}


def unflatten(
    kind: type, flat: Mapping[str, np.ndarray], leave_out: Collection[str] = ()
) -> dict[str, Any]:
    """Return the values of a dataclass' fields from what `flatten` made of them.

    Parameters
    ----------
    kind : type
        The dataclass.
    flat : mapping of str to ndarray
        By name.
    leave_out : collection of str
        Fields that are read elsewhere.

    Raises
    ------
    ValueError
        If an entry is missing.
    """
    hints = typing.get_type_hints(kind)
    return {
        field.name: _value(field.name, hints[field.name], flat)
        for field in fields(kind)
        if field.name not in leave_out
    }


def _value(name: str, hint: Any, flat: Mapping[str, np.ndarray]) -> Any:
    optional = isinstance(hint, types.UnionType) and type(None) in typing.get_args(hint)
    if optional:
        (hint,) = (one for one in typing.get_args(hint) if one is not type(None))
    inner = {
        key.removeprefix(f"{name}."): array
        for key, array in flat.items()
        if key.startswith(f"{name}.")
    }
    if optional and not inner and name not in flat:
        return None
    if is_dataclass(hint) and isinstance(hint, type):
        return hint(**unflatten(hint, inner))
    if typing.get_origin(hint) is tuple:
        return _tuple(name, hint, flat, inner)
    if name not in flat:
        raise ValueError(f"array '{name}' is missing")
    if hint in (int, float, str, bool):
        return hint(flat[name][()])
    return flat[name]


def _tuple(
    name: str, hint: Any, flat: Mapping[str, np.ndarray], inner: Mapping[str, np.ndarray]
) -> tuple[Any, ...]:
    """Arrays one by one; labels, which are strings, from one array."""
    if typing.get_args(hint)[0] is np.ndarray:
        return tuple(inner[str(number)] for number in range(len(inner)))
    if name not in flat:
        raise ValueError(f"array '{name}' is missing")
    return tuple(
        tuple(str(label) for label in row) if isinstance(row, list) else str(row)
        for row in flat[name].tolist()
    )
