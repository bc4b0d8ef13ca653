"""The exceptions a user can meet. Each message says what is wrong, why, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

LONGEST_PART = 600
"""Characters of each part of a message; longer ones repeat an input that nobody would read."""


def format_error(summary: str, reason: str = "", fix: str = "") -> str:
    """Join the three parts of a message into one line: what; why; what to do."""
    parts = [" ".join(part.split()).rstrip(".") for part in (summary, reason, fix)]
    return "; ".join(shortened(part) for part in parts if part)


def shortened(text: str, longest: int = LONGEST_PART) -> str:
    """Return text of at most `longest` characters; of longer ones, how they begin and end."""
    if len(text) <= longest:
        return text
    kept = longest - len(" ... ")
    return f"{text[: kept - kept // 4]} ... {text[-(kept // 4) :]}"


def first_line(error: BaseException, limit: int = 200) -> str:
    """Return the first line of what an exception says, cut; its kind if it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:limit] if lines else type(error).__name__


def first_fault(error: ValidationError) -> str:
    """Return the first of the faults that pydantic found: which field, and why."""
    fault = error.errors()[0]
    field = ".".join(str(part) for part in fault["loc"])
    reason = fault["msg"].removeprefix("Value error, ")
    return f"{field}: {reason}" if field else reason


class MlphononError(Exception):
    """Base of all errors that are the user's to mend; the command line exits 2 on them.

    Parameters
    ----------
    summary : str
        What is wrong.
    reason : str
        Why it is so, with the numbers or the file.
    fix : str
        What to do about it.
    """

    def __init__(self, summary: str, reason: str = "", fix: str = "") -> None:
        super().__init__(format_error(summary, reason, fix))


class CrystalError(MlphononError):
    """The structure cannot be used: unreadable, not periodic, disordered, atoms too close."""


class SettingsError(MlphononError):
    """A setting has a value that cannot be used."""


class PotentialError(MlphononError):
    """The potential is unknown, cannot be loaded, or does not fit the crystal."""


class UntrustedFileError(PotentialError):
    """A pickled model file that neither the catalogue nor the user vouches for."""


class RelaxationError(MlphononError):
    """The relaxation did not reach the asked-for forces and stress."""


class ResultError(MlphononError):
    """A result cannot be written or read back."""


class TrainingError(MlphononError):
    """A training recipe, data set or checkpoint cannot be used."""
