"""All checks of a result, and the verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mlphonon.trust.committee import check_committee
from mlphonon.trust.verdict import Check, Trust, Unmeasured

if TYPE_CHECKING:
    from mlphonon.phonons import Phonons

CHECKS: tuple[Callable[[Phonons], Check | Unmeasured], ...] = (check_committee,)
"""Each from a result to what it found; in the order in which a calculation goes."""


def judge(phonons: Phonons) -> Trust:
    """Make every check that a result allows (see `Phonons.trust`)."""
    found = [check(phonons) for check in CHECKS]
    return Trust(
        checks=tuple(one for one in found if isinstance(one, Check)),
        unmeasured=tuple(one for one in found if isinstance(one, Unmeasured)),
    )
