"""Crystals as pymatgen writes them into JSON, read without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ase import Atoms


def atoms_of(structure: Mapping[str, Any]) -> Atoms:
    """Make atoms of the dictionary of a pymatgen structure, periodic in all directions.

    Parameters
    ----------
    structure : mapping
        With ``lattice.matrix`` (rows are vectors, A) and ``sites``, each with ``species`` and
        fractional coordinates ``abc``.

    Raises
    ------
    ValueError
        If a site is shared or partly empty.
    KeyError
        If something is missing.
    """
    sites = structure["sites"]
    for site in sites:
        if len(site["species"]) != 1 or site["species"][0].get("occu", 1) != 1:
            raise ValueError(f"the site at {site['abc']} is disordered")
    return Atoms(
        [site["species"][0]["element"] for site in sites],
        cell=structure["lattice"]["matrix"],
        scaled_positions=[site["abc"] for site in sites],
        pbc=True,
    )
