"""Potentials that say other things of themselves than they would."""

from __future__ import annotations

from dataclasses import replace
from typing import Any


def declare(potential: Any, **changes: Any) -> None:
    """Change what a potential says of itself (`PotentialInfo`), and nothing that it does."""
    potential._info = replace(potential.info, **changes)
