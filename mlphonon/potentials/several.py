"""One potential or several: loading each, and saying which one an error is about."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mlphonon.errors import MlphononError, PotentialError
from mlphonon.potentials.potential import Potential


def load_each(potential: Any, load: Callable[[Any], Potential]) -> tuple[Potential, ...]:
    """Load one potential, or every one of a list.

    Parameters
    ----------
    potential : str, path, ASE calculator, Potential, or list of these
        What is given to `load`, one by one.
    load : callable
        Such as `mlphonon.load_potential`.

    Raises
    ------
    PotentialError
        If the list is empty or one of it cannot be loaded; the message names it.
    """
    if not isinstance(potential, list | tuple):
        return (load(potential),)
    if not potential:
        raise PotentialError("no potential was given", "the list is empty", "name one or more")
    if len(potential) == 1:
        return (load(potential[0]),)
    loaded = []
    for one in potential:
        with naming(_what_was_asked(one)):
            loaded.append(load(one))
    return tuple(loaded)


def refuse_several(potential: Any) -> None:
    """Raise `PotentialError` if this is a list, where one potential is used."""
    if isinstance(potential, list | tuple):
        raise PotentialError(
            f"{len(potential)} potentials were given where one is used",
            "a committee of several is for the phonons of one crystal",
            "give one here, or several to compute_phonons ('mlphonon phonons')",
        )


def distinct_names(names: Sequence[str]) -> tuple[str, ...]:
    """Give a number to names that are there already: ``a, a, b`` becomes ``a, a (2), b``."""
    taken: list[str] = []
    for name in names:
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name} ({number})"
        taken.append(free)
    return tuple(taken)


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Say in an error which potential it is about."""
    try:
        yield
    except MlphononError as error:
        if f"'{name}'" in str(error):
            raise
        raise type(error)(f"potential '{name}': {error}") from error
    except Exception as error:
        error.add_note(f"with potential '{name}'")
        raise


def _what_was_asked(potential: Any) -> str:
    if isinstance(potential, str | os.PathLike):
        return str(potential)
    return potential.info.name if isinstance(potential, Potential) else type(potential).__name__
