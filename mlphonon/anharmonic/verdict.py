"""How far to believe what is anharmonic: no further than it was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlphonon.trust.verdict import Trust, Verdict

UNCALIBRATED = "how right a potential is away from rest is not calibrated"


def anharmonic_verdict(harmonic: Trust) -> Verdict:
    """Return "do not use" where that is said of the harmonic phonons, and "use with care" else.

    A potential whose frequencies are right may be wrong about how they change: the embedded one is
    trusted for silicon, and gives it thirteen times its thermal expansion.
    """
    return "do not use" if harmonic.verdict == "do not use" else "use with care"


def describe_verdict(verdict: str) -> str:
    """Return the line that is printed."""
    return f"  verdict: {verdict}" + (f" ({UNCALIBRATED})" if verdict == "use with care" else "")
