"""What a worker does: a crystal, or several at once, each leaving a note of its end."""

from __future__ import annotations

import errno
import faulthandler
import os
import socket
import time
import traceback
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from mlphonon.anharmonic.temperature import renormalise
from mlphonon.errors import (
    CrystalError,
    MlphononError,
    PotentialError,
    RelaxationError,
    ResultError,
    SettingsError,
)
from mlphonon.plain_structure import to_atoms
from mlphonon.potentials.batches import TooLargeError
from mlphonon.screening.calculation import PotentialSource
from mlphonon.screening.properties import AtTemperature
from mlphonon.screening.quantities.at_temperature import (
    AT_TEMPERATURE,
    measure_at_temperature,
)
from mlphonon.screening.quantities.measure import measure, measure_thermal
from mlphonon.screening.workers.artifacts import keep
from mlphonon.screening.workers.outcome import Begun, Cause, Failure, Folder, Outcome, words_name
from mlphonon.screening.workers.sharing import do_together
from mlphonon.screening.workers.watch import watched
from mlphonon.settings import PhononSettings
from mlphonon.workflow import Silent, compute_phonons

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.phonons import Phonons
    from mlphonon.potentials.potential import Potential

CAUSES: tuple[tuple[type[Exception], Cause], ...] = (
    (CrystalError, "crystal"),
    (RelaxationError, "relaxation"),
    (SettingsError, "settings"),
    (PotentialError, "potential"),
    (TooLargeError, "memory"),
    (MemoryError, "memory"),
)

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
"""Errors of a disk, which are no crystal's fault."""


@dataclass(frozen=True)
class Limits:
    """Of one crystal: seconds, and gigabytes of the worker that computes it."""

    seconds: float | None = None
    gigabytes: float | None = None


@dataclass(frozen=True)
class Job:
    """What is done with every crystal.

    Attributes
    ----------
    source : PotentialSource
        Where the potential comes from.
    settings : PhononSettings
        The protocol.
    temperatures : tuple of float
        K.
    folder : Path
        The campaign's.
    limits : Limits
        Of one crystal.
    keep_phonons : bool
        Whether phonons are kept, not only numbers.
    properties : tuple of AtTemperature
        What is computed beyond harmonic phonons.
    """

    source: PotentialSource
    settings: PhononSettings
    temperatures: tuple[float, ...]
    folder: Path
    limits: Limits = field(default_factory=Limits)
    keep_phonons: bool = True
    properties: tuple[AtTemperature, ...] = ()


@dataclass(frozen=True)
class Item:
    """One crystal of a group: identity of the task, name, and structure."""

    task: str
    name: str
    structure: dict[str, Any]

    def atoms(self) -> Atoms:
        """Return the crystal as it was given."""
        return to_atoms(self.structure)


def work(job: Job, items: tuple[Item, ...]) -> None:
    """Compute crystals; how each ended stands in the campaign's folder then.

    Raises
    ------
    MlphononError
        If the potential cannot be loaded, or the folder cannot be written; no crystal is to blame.
    """
    folder = Folder(job.folder)
    _listen_for_crashes(folder)
    potential = job.source.load()
    left = [item for item in items if not folder.has_ended(item.task)]
    do_together(potential, left, lambda shared, item: _one(item, shared, job, folder))


def _one(item: Item, potential: Potential, job: Job, folder: Folder) -> None:
    begun = time.perf_counter()

    def spent() -> float:
        return round(time.perf_counter() - begun, 3)

    def end_with(failure: Failure) -> None:
        folder.end(Outcome(task=item.task, name=item.name, seconds=spent(), failure=failure))

    try:
        folder.begin(
            Begun(
                task=item.task,
                name=item.name,
                host=socket.gethostname(),
                pid=os.getpid(),
                since=time.time(),
            )
        )
        with watched(job.limits.seconds, job.limits.gigabytes, end_with):
            outcome = _compute(item, potential, job, folder)
        folder.end(outcome.model_copy(update={"seconds": spent()}))
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise ResultError(
            f"cannot write to {job.folder}",
            error.strerror or str(error),
            "free some space and run again; what is done is kept",
        ) from error


def _compute(item: Item, potential: Potential, job: Job, folder: Folder) -> Outcome:
    """Compute one crystal; what goes wrong with it is part of the outcome."""
    try:
        phonons = compute_phonons(item.atoms(), potential, job.settings)
        rows, beyond = _at_temperatures(phonons, potential, job.properties)
        return Outcome(
            task=item.task,
            name=item.name,
            seconds=0,
            quantities=measure(phonons),
            thermal=tuple(measure_thermal(phonons, job.temperatures)),
            at_temperature=tuple(rows),
            artifact=keep(phonons, folder, beyond) if job.keep_phonons else None,
        )
    except OSError:
        raise
    except Exception as error:
        return Outcome(task=item.task, name=item.name, seconds=0, failure=_explain(error))


def _at_temperatures(
    phonons: Phonons, potential: Potential, properties: tuple[AtTemperature, ...]
) -> tuple[list[dict[str, Any]], dict[str, Phonons]]:
    """Return rows of numbers, and phonons by label; what fails leaves a row that says why."""
    rows, kept = [], {}
    for asked in properties:
        row: dict[str, Any] = {"method": asked.method, "temperature": asked.temperature}
        row |= {quantity.name: None for quantity in AT_TEMPERATURE}
        try:
            found = renormalise(
                phonons, potential, asked.temperature, asked.method, asked.settings(), Silent()
            )
            row |= measure_at_temperature(found)
            kept[asked.label] = found.phonons
        except (OSError, MemoryError):
            raise
        except Exception as error:
            row["failure"] = _explain(error).message
        rows.append(row)
    return rows, kept


def _explain(error: Exception) -> Failure:
    """Name the cause of a failure; a fault of the program keeps its traceback."""
    for kind, cause in CAUSES:
        if isinstance(error, kind):
            return Failure(cause=cause, message=" ".join(str(error).split()) or kind.__name__)
    if isinstance(error, MlphononError):
        return Failure(cause="error", message=str(error))
    text = " ".join(str(error).split())
    return Failure(
        cause="error",
        message=f"{type(error).__name__}: {text}"[:500],
        last_words="".join(traceback.format_exception(error))[-4000:],
    )


@lru_cache(maxsize=1)
def _listen_for_crashes(folder: Folder) -> TextIO:
    """Have Python write where it was if the process crashes; once in a process."""
    file = (folder.words / words_name(socket.gethostname(), os.getpid())).open("w")
    faulthandler.enable(file)
    return file
