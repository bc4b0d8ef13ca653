"""A candidate, checked and priced: what becomes a row of the database."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mlphonon.crystal.crystal import make_crystal
from mlphonon.crystal.structure_json import to_dict
from mlphonon.errors import CrystalError
from mlphonon.screening.calculation import Calculation
from mlphonon.screening.crystals.prediction import predicted_cost
from mlphonon.screening.crystals.sources import Candidate


@dataclass(frozen=True)
class Entry:
    """A row of the table of crystals, and what its task costs.

    Attributes
    ----------
    row : dict
        By the columns of `mlphonon.screening.database.tables.crystals`.
    cost : float
        Atoms in all force calls.
    problem : str
        Why it cannot be computed; empty if it can.
    """

    row: dict[str, Any]
    cost: float
    problem: str = ""


def check_candidates(candidates: Sequence[Candidate], calculation: Calculation) -> list[Entry]:
    """Check candidates and price them; this takes longer than all else of an intake."""
    return [_check(one, calculation) for one in candidates]


def refused(candidate: Candidate, problem: str) -> Entry:
    """Return the entry of what is no crystal, or none that can be used."""
    key = hashlib.sha256(f"{candidate.name} {problem}".encode(errors="replace")).hexdigest()
    row = _row(key, candidate, formula="", spacegroup="", n_atoms=0, structure={})
    return Entry(row, 0.0, problem)


def _check(candidate: Candidate, calculation: Calculation) -> Entry:
    if candidate.atoms is None:
        return refused(candidate, candidate.problem)
    try:
        crystal = make_crystal(candidate.atoms, calculation.settings.symprec, candidate.name)
        cost = predicted_cost(crystal, calculation.settings, calculation.properties)
    except CrystalError as error:
        return refused(candidate, str(error))
    # What a damaged structure does to a library is not foreseen; the others are to go on.
    except Exception as error:
        return refused(candidate, f"unexpected {type(error).__name__}: {error}"[:500])
    row = _row(
        crystal.structure_hash(),
        candidate,
        formula=crystal.formula,
        spacegroup=crystal.spacegroup,
        n_atoms=len(crystal.atoms),
        structure=to_dict(crystal.given) | {"primitive": to_dict(crystal.atoms)},
    )
    return Entry(row, cost)


def _row(key: str, candidate: Candidate, **values: Any) -> dict[str, Any]:
    return {
        "key": key,
        "name": candidate.name,
        "properties": candidate.properties,
        "duplicate_of": None,
        **values,
    }
