"""The verdict on a result: checks, each with its number and limits, and what they add up to."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Verdict = Literal["trusted", "use with care", "do not use"]

VERDICTS: tuple[Verdict, ...] = ("trusted", "use with care", "do not use")
"""From best to worst."""


NO_EVIDENCE = "the result was written by an older version, which did not measure it"


class Check(BaseModel):
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What it is called everywhere, such as ``"truncation"``.
    what : str
        What was measured, in words.
    measured : float
        The number.
    unit : str
        Of the number and of both limits; empty if it has none.
    limit : float
        Above it the check fires: the result is to be used with care.
    severe : float, optional
        Above it the result is not to be used; None if it never says that.
    effect_THz : float, optional
        About how much frequencies are wrong for it; None where that cannot be said.
    advice : str
        What to do about it if it fires.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    what: str
    measured: float
    unit: str
    limit: float
    severe: float | None = None
    effect_THz: float | None = None
    advice: str

    @property
    def verdict(self) -> Verdict:
        """What this check alone would say; a number that is none (NaN) is above all limits."""
        if self.measured <= self.limit:
            return "trusted"
        if self.severe is None or self.measured <= self.severe:
            return "use with care"
        return "do not use"

    @property
    def fired(self) -> bool:
        """Whether the number is above its limit."""
        return self.verdict != "trusted"

    def describe(self) -> str:
        """Say what was found and what to do, in a line."""
        effect = "" if self.effect_THz is None else f", about {self.effect_THz:.2g} THz"
        return (
            f"{self.name}: {self.what} {self.measured:.2g}{self.unit and ' '}{self.unit}"
            f" (limit {self.limit:.2g}){effect}; {self.advice}"
        )


class Unmeasured(BaseModel):
    """A check that was not made.

    Attributes
    ----------
    name : str
        Of the check.
    why : str
        Why it was not.
    needed : bool
        Whether a result without it can be trusted no more than with care: something could be
        wrong and nobody would know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    why: str
    needed: bool = False


NOT_CALIBRATED = ("LO-TO splitting",)
"""Checks that have no part in the calibration: the DFT that potentials were held against lacks the
same, and over the Brillouin zone it hardly counts."""

CONFIDENCE = 0.95
"""Share of crystals whose error is below an `ExpectedError`."""


class ExpectedError(BaseModel):
    """How far a potential is from DFT at most, in 95 of 100 crystals whose results are trusted.

    Attributes
    ----------
    frequency_THz : float
        Mean over all modes.
    heat_capacity, entropy : float
        At 300 K, J/K per mole of atoms.
    free_energy : float
        At 300 K, kJ per mole of atoms.
    source : str
        Where the numbers come from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    frequency_THz: float
    heat_capacity: float
    entropy: float
    free_energy: float
    source: str


class Trust(BaseModel):
    """What a result says about itself.

    Attributes
    ----------
    checks : tuple of Check
        All that were made.
    unmeasured : tuple of Unmeasured
        Those that could not be made.
    expected_error : ExpectedError, optional
        Of the potential against DFT in trusted results; None where nobody measured it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    checks: tuple[Check, ...]
    unmeasured: tuple[Unmeasured, ...] = ()
    expected_error: ExpectedError | None = None

    @property
    def stated_error(self) -> ExpectedError | None:
        """Of the potential against DFT; None where it was not measured, or this is no such result.

        It was measured on trusted results, and says nothing of others.
        """
        is_meant = self.without(*NOT_CALIBRATED).verdict == "trusted"
        return self.expected_error if is_meant else None

    @property
    def verdict(self) -> Verdict:
        """The worst that a check says; what is needed and was not measured asks for care."""
        missing: list[Verdict] = ["use with care" for one in self.unmeasured if one.needed]
        found = [*missing, *(check.verdict for check in self.checks)]
        return max(found, key=VERDICTS.index, default="trusted")

    @property
    def fired(self) -> tuple[Check, ...]:
        """The checks above their limits, worst first."""
        fired = (check for check in self.checks if check.fired)
        return tuple(sorted(fired, key=lambda check: -VERDICTS.index(check.verdict)))

    @property
    def numerical_error(self) -> float:
        """Error of frequencies by all that is not the potential, THz: effects added in squares."""
        effects = [c.effect_THz for c in self.checks if c.name in NUMERICAL and c.effect_THz]
        return math.sqrt(sum(effect**2 for effect in effects))

    def check(self, name: str) -> Check | None:
        """Return the check of a name, or None if it was not made."""
        return next((check for check in self.checks if check.name == name), None)

    def without(self, *names: str) -> Trust:
        """Return the verdict that there would be without some checks."""
        kept = {
            "checks": tuple(check for check in self.checks if check.name not in names),
            "unmeasured": tuple(one for one in self.unmeasured if one.name not in names),
        }
        return self.model_copy(update=kept)

    def summary(self) -> dict[str, Any]:
        """Return all of it as plain types, as it stands in phonons.json; units in the names."""
        expected = self.stated_error
        return {
            "verdict": self.verdict,
            "numerical_error_THz": self.numerical_error,
            "stated_error": None if expected is None else expected.model_dump(),
            "checks": [check.model_dump() | {"verdict": check.verdict} for check in self.checks],
            "unmeasured": [one.model_dump() for one in self.unmeasured],
        }

    @property
    def doubts(self) -> tuple[str, ...]:
        """Names of what brought the verdict down, worst first."""
        missing = [f"{one.name} not measured" for one in self.unmeasured if one.needed]
        return (*(check.name for check in self.fired), *missing)

    @property
    def headline(self) -> str:
        """The verdict, and why."""
        return self.verdict + (f": {', '.join(self.doubts)}" if self.doubts else "")

    def describe(self) -> str:
        """Return the verdict in a line: what it says, why, and how large the errors are."""
        own = f"by the calculation {self.numerical_error:.1g} THz"
        if self.expected_error is None:
            theirs = "never measured"
        elif self.stated_error is None:
            theirs = "not known for such a result"
        else:
            theirs = (
                f"below {self.stated_error.frequency_THz:.2g} THz"
                f" in {100 * CONFIDENCE:g} of 100 crystals"
            )
        return f"{self.headline}; errors: {own}, by the potential (against DFT) {theirs}"


NUMERICAL = (
    "residual force",
    "residual stress",
    "sum rule",
    "linearity",
    "precision",
    "kernels",
    "truncation",
    "mesh",
    "sampling",
)
"""Checks of the calculation, whatever the potential: names of those that have an effect in THz."""
