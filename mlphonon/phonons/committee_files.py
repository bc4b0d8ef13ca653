"""The members of a committee on disk, inside the folder of the first one's result."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlphonon.phonons.results import Spread

if TYPE_CHECKING:
    from mlphonon.phonons.committee import Committee
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.phonons.record import Record

FOLDER = "committee"


def summarise_committee(committee: Committee, temperature: float) -> dict[str, Any]:
    """Return what phonons.json says of a committee, as plain types; units in the names."""
    thermal = committee.thermal([temperature])
    n = thermal.mean.n_atoms

    def bars(field: str) -> dict[str, Any]:
        return _plain(Spread.of(float(getattr(m, field)[0]) / n for m in thermal.members))

    return {
        "names": list(committee.names),
        "stable_by_threshold": list(committee.stable),
        "frequency_spread_THz": committee.frequency_spread,
        "rms_frequency_THz": committee.rms_frequency,
        "max_frequency_THz": _plain(committee.max_frequency),
        "volume_A3_per_atom": _plain(committee.volume),
        f"thermal_{temperature:g}K": {
            "C_V_J_per_K_mol_atoms": bars("heat_capacity"),
            "S_J_per_K_mol_atoms": bars("entropy"),
            "F_kJ_per_mol_atoms": bars("free_energy"),
        },
    }


def _plain(spread: Spread) -> dict[str, Any]:
    return {"mean": spread.mean, "std": spread.std, "members": list(spread.members)}


def member_folders(folder: Path, names: list[str]) -> list[Path]:
    """Where the members after the first are; it is the result itself."""
    return [
        folder / FOLDER / f"{number}-{re.sub(r'[^A-Za-z0-9._+-]+', '_', name)[:80]}"
        for number, name in enumerate(names[1:], start=2)
    ]


def read_members(
    folder: Path, record: Record, names: list[str] | None, load: Callable[[Path], Phonons]
) -> tuple[Phonons, ...]:
    """Read the members after the first.

    Parameters
    ----------
    folder : Path
        Of the result, which is the first member's.
    record : Record
        Of the first member.
    names : list of str, optional
        Of all members; None where there is no committee.
    load : callable
        Reads one member.

    Raises
    ------
    ValueError
        If there are others than those of `names`, or they are not of one calculation.
    ResultError
        If one is damaged.
    """
    from mlphonon.phonons.committee import names_of, require_one_calculation

    expected = [] if names is None else member_folders(folder, names)
    place = folder / FOLDER
    there = {p.name for p in place.iterdir() if p.is_dir()} if place.is_dir() else set()
    if odd := sorted(there ^ {path.name for path in expected}):
        raise ValueError(f"its committee has a member too many or too few: {odd[0]}")
    others = tuple(load(path) for path in expected)
    records = [record, *(other.record for other in others)]
    if names is not None:
        require_one_calculation(records)
        if list(names_of(records)) != names:
            raise ValueError(f"its committee is {', '.join(names_of(records))}, not {names}")
    return others
