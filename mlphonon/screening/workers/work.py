"""What a worker does: a crystal, or several at once, each leaving a note of its end."""

from __future__ import annotations

import errno
import faulthandler
import os
import socket
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from mlphonon.anharmonic.at_temperature.compute import compute_phonons_at_temperature
from mlphonon.errors import (
    CrystalError,
    MlphononError,
    PotentialError,
    RelaxationError,
    ResultError,
    SettingsError,
)
from mlphonon.potentials.batches import TooLargeError
from mlphonon.screening.plan import CampaignPlan
from mlphonon.screening.properties import AtTemperature
from mlphonon.screening.quantities.at_temperature import (
    AT_TEMPERATURE,
    measure_at_temperature,
)
from mlphonon.screening.quantities.measure import measure, measure_thermal
from mlphonon.screening.task import Task
from mlphonon.screening.workers.artifacts import keep
from mlphonon.screening.workers.outcome import (
    Cause,
    Failure,
    Folder,
    Outcome,
    StartNote,
    words_name,
)
from mlphonon.screening.workers.sharing import do_together
from mlphonon.screening.workers.watch import watched
from mlphonon.workflow import compute_phonons

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons
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


def work(plan: CampaignPlan, home: Path, tasks: tuple[Task, ...]) -> None:
    """Compute crystals; how each ended stands in the campaign's folder then.

    Parameters
    ----------
    plan : CampaignPlan
        What is done with every crystal.
    home : Path
        The campaign's folder.
    tasks : tuple of Task
        The crystals.

    Raises
    ------
    MlphononError
        If the potential cannot be loaded, or the folder cannot be written; no crystal is to blame.
    """
    folder = Folder(home)
    _listen_for_crashes(folder)
    potential = plan.source.load()
    left = [task for task in tasks if not folder.has_ended(task.id)]
    do_together(potential, left, lambda shared, task: _one(task, shared, plan, folder))


def load_potential_early(plan: CampaignPlan) -> None:
    """Have a worker ready by the time that there is work; an error is for the work to meet."""
    with suppress(MlphononError):
        plan.source.load()


def _one(task: Task, potential: Potential, plan: CampaignPlan, folder: Folder) -> None:
    begun, attempt = time.perf_counter(), _Attempt(task, plan, folder)

    def end(outcome: Outcome) -> None:
        seconds = round(time.perf_counter() - begun, 3)
        folder.end(outcome.model_copy(update={"seconds": seconds}))

    try:
        folder.begin(
            StartNote(
                task=task.id,
                name=task.name,
                host=socket.gethostname(),
                pid=os.getpid(),
                since=time.time(),
            )
        )
        limits = plan.site.seconds, plan.site.gigabytes
        with watched(*limits, lambda reason: end(attempt.ended_by(reason))):
            outcome = attempt.compute(potential)
        end(outcome)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise ResultError(
            f"cannot write to {folder.path}",
            error.strerror or str(error),
            "free some space and run again; what is done is kept",
        ) from error


@dataclass
class _Attempt:
    """What is known of a crystal so far; a limit may strike at any time."""

    task: Task
    plan: CampaignPlan
    folder: Folder
    phonons: Phonons | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    beyond: dict[str, Phonons] = field(default_factory=dict)

    def compute(self, potential: Potential) -> Outcome:
        """Compute all; what goes wrong is part of the outcome."""
        try:
            self.phonons = compute_phonons(self.task.atoms(), potential, self.plan.settings)
            for asked in self.plan.properties:
                self._add(asked, potential)
            return self._done()
        except OSError:
            raise
        except Exception as error:
            return self._failed(_explain(error))

    def ended_by(self, failure: Failure) -> Outcome:
        """Return what a limit leaves: harmonic phonons, where they were known, stand."""
        left = self.plan.properties[len(self.rows) :]
        if self.phonons is None or not left:
            return self._failed(failure)
        self.rows += [_row(asked, failure) for asked in left]
        return self._done()

    def _add(self, asked: AtTemperature, potential: Potential) -> None:
        assert self.phonons is not None
        try:
            found = compute_phonons_at_temperature(self.phonons, potential, asked.settings())
            row = _row(asked) | measure_at_temperature(found)
        except OSError:
            raise
        except Exception as error:
            row = _row(asked, _explain(error))
        else:
            self.beyond[asked.label] = found.phonons
        self.rows.append(row)

    def _done(self) -> Outcome:
        assert self.phonons is not None
        return Outcome(
            task=self.task.id,
            name=self.task.name,
            seconds=0,
            quantities=measure(self.phonons),
            thermal=tuple(measure_thermal(self.phonons, self.plan.temperatures)),
            at_temperature=tuple(self.rows),
            artifact=keep(self.phonons, self.folder, self.beyond)
            if self.plan.site.keep_phonons
            else None,
        )

    def _failed(self, failure: Failure) -> Outcome:
        return Outcome(task=self.task.id, name=self.task.name, seconds=0, failure=failure)


def _row(asked: AtTemperature, failure: Failure | None = None) -> dict[str, Any]:
    """Return a row of phonons at a temperature that are not there, and why."""
    return {
        "method": asked.method,
        "temperature": asked.temperature,
        **{quantity.name: None for quantity in AT_TEMPERATURE},
        "failure": None if failure is None else failure.message,
    }


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
