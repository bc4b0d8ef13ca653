"""How a task ended, as a worker writes it down beside the campaign's database.

A worker needs no database: it leaves a file in the campaign's folder, whole or not at all, and who
runs the campaign enters it. If that one is killed in between, the next finds the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from mlphonon.errors import ResultError
from mlphonon.io.atomic_files import write_whole

Cause = Literal[
    "crystal", "potential", "relaxation", "settings", "memory", "timeout", "crash", "error"
]
"""Of a failure: "crash" where the process ended under it, "error" a fault of the program."""


class _Note(BaseModel):
    """What is written down: JSON as it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Failure(_Note):
    """Why a task failed: its cause, a line for people, and what a program said at the end."""

    cause: Cause
    message: str
    last_words: str | None = None


class Artifact(_Note):
    """A crystal's phonons on disk, named by what the files hold."""

    sha256: str
    path: str
    bytes: int


class Outcome(_Note):
    """How a task ended, and the name of its crystal."""

    task: str
    name: str
    seconds: float
    failure: Failure | None = None
    quantities: dict[str, Any] = {}
    thermal: tuple[dict[str, float], ...] = ()
    at_temperature: tuple[dict[str, Any], ...] = ()
    artifact: Artifact | None = None


class StartNote(_Note):
    """Left by a worker while it works on a task."""

    task: str
    name: str
    host: str
    pid: int
    since: float


@dataclass(frozen=True)
class Folder:
    """A campaign's folder: what is begun, what has ended, last words, and phonons.

    Attributes
    ----------
    path : Path
        Every worker sees it under this name.
    """

    path: Path

    def prepare(self) -> Folder:
        """Make what is missing of it; returns itself.

        Raises
        ------
        ResultError
            If it cannot be made.
        """
        try:
            for part in (self.begun, self.ended, self.words, self.artifacts):
                part.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultError(
                f"cannot write to {self.path}",
                error.strerror or str(error),
                "choose another with -o",
            ) from error
        return self

    @property
    def begun(self) -> Path:
        """Files of what is being worked on."""
        return self.path / "running"

    @property
    def ended(self) -> Path:
        """Files of what has ended and is not in the database yet."""
        return self.path / "finished"

    @property
    def words(self) -> Path:
        """What processes say as they crash."""
        return self.path / "last-words"

    @property
    def artifacts(self) -> Path:
        """Phonons of crystals."""
        return self.path / "phonons"

    def begin(self, begun: StartNote) -> None:
        """Note that a task is worked on."""
        write_whole(self.begun / f"{begun.task}.json", begun.model_dump_json())

    def end(self, outcome: Outcome) -> None:
        """Note how a task ended."""
        write_whole(self.ended / f"{outcome.task}.json", outcome.model_dump_json())
        self.forget_begun(outcome.task)

    def forget_begun(self, task: str) -> None:
        """Remove the note that a task is worked on."""
        (self.begun / f"{task}.json").unlink(missing_ok=True)

    def forget_ended(self, task: str) -> None:
        """Remove the note of how a task ended, once it is in the database."""
        (self.ended / f"{task}.json").unlink(missing_ok=True)

    def has_ended(self, task: str) -> bool:
        """Tell whether there is a note of how a task ended."""
        return (self.ended / f"{task}.json").exists()

    def read_begun(self, task: str) -> StartNote | None:
        """Return what a worker noted when it began, if it did not end."""
        with suppress(FileNotFoundError, ValidationError):
            return StartNote.model_validate_json((self.begun / f"{task}.json").read_text())
        return None

    def read_ended(self) -> Iterator[Outcome]:
        """Yield how tasks ended that are not in the database yet."""
        for path in sorted(self.ended.glob("*.json")):
            try:
                yield Outcome.model_validate_json(path.read_text())
            except FileNotFoundError:
                # Entered by another run of the same campaign just now.
                continue
            except ValidationError as error:
                aside = path.with_suffix(".unreadable")
                path.replace(aside)
                raise ResultError(
                    f"{path} cannot be read",
                    str(error).splitlines()[0],
                    f"it was moved to {aside.name}; run again, and its crystal is computed anew",
                ) from error

    def last_words(self, begun: StartNote) -> str | None:
        """Return what a process said as it crashed."""
        path = self.words / words_name(begun.host, begun.pid)
        text = path.read_text(errors="replace").strip() if path.exists() else ""
        return text[:2000] or None


def words_name(host: str, pid: int) -> str:
    """Name the file of a process's last words."""
    return f"{host}-{pid}.txt"
