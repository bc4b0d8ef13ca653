"""Which formulas are never learnt from, decided by the formula alone."""

from __future__ import annotations

import hashlib

SHARE = 0.1
"""Of all formulas, for validation."""

SALT = "phonondb-2018"


def is_validation(formula: str) -> bool:
    """Tell whether a reduced formula is for validation; as `reduced_formula` writes it.

    The first eight hexadecimal digits of SHA-256 of ``"phonondb-2018:FORMULA"``, as a fraction of
    the largest, are below 0.1.
    """
    digest = hashlib.sha256(f"{SALT}:{formula}".encode()).hexdigest()
    return int(digest[:8], 16) / 0x100000000 < SHARE
