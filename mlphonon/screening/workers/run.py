"""One run of a campaign: tasks are claimed, computed by an executor, and entered."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mlphonon.errors import MlphononError, ResultError
from mlphonon.screening.database.store import Store
from mlphonon.screening.database.tasks import (
    Lease,
    claim,
    count_crash,
    count_open,
    disown,
    finish,
    knows,
    owners,
    release,
    renew,
)
from mlphonon.screening.plan import CampaignPlan
from mlphonon.screening.task import Task
from mlphonon.screening.workers.outcome import Failure, Folder, Outcome, StartNote
from mlphonon.screening.workers.work import work

PULSE = 1.0
"""Seconds between two looks at what others do, where there is nothing else to do."""

QUICK_PULSE = 0.2
"""The same while crystals come in."""

FALSE_STARTS = 5
"""Workers in a row that end before they began anything; then something else is wrong."""

Group = tuple[Task, ...]
Result = TypeVar("Result")


@dataclass
class Run:
    """A run of a campaign; several may work on one store.

    Attributes
    ----------
    store : Store
        The database.
    folder : Folder
        What workers write to.
    plan : CampaignPlan
        What is done with every crystal, and on what.
    calculation : str
        Digest of what is computed.
    """

    store: Store
    folder: Folder
    plan: CampaignPlan
    calculation: str
    owner: str = field(default_factory=lambda: f"{_here()}/{os.getpid()}/{uuid.uuid4().hex}")
    _false_starts: int = 0
    _trouble: list[MlphononError] = field(default_factory=list)

    def outcomes(
        self,
        executor: Executor,
        in_flight: int,
        more_may_come: Callable[[], bool] = lambda: False,
    ) -> Iterator[Outcome]:
        """Work until no task is left; yield how each ended that was entered by this run.

        Parameters
        ----------
        executor : Executor
            Runs the work; its processes see the campaign's folder.
        in_flight : int
            Groups that are handed out at once.
        more_may_come : callable
            Tells whether crystals are still being entered.

        Raises
        ------
        MlphononError
            If the potential cannot be loaded, nothing can be written, or the database is gone.
        """
        self._bury_the_dead()
        flying: dict[Future[None], Group] = {}
        with self._renewing():
            try:
                yield from self._enter()
                while True:
                    # Asked first: what came in before it ended is counted below.
                    coming = more_may_come()
                    self._hand_out(executor, in_flight, flying)
                    if flying:
                        done, _ = wait(flying, QUICK_PULSE if coming else PULSE, FIRST_COMPLETED)
                        for future in done:
                            self._look_at(future, flying.pop(future))
                    elif coming:
                        time.sleep(QUICK_PULSE)
                    elif self._do(count_open, self.calculation) == 0:
                        break
                    else:
                        # Others hold what is left, or held it when they were killed.
                        time.sleep(PULSE)
                    yield from self._enter()
                    if self._trouble:
                        raise self._trouble[0]
            finally:
                # Where the database is gone, the leases run out by themselves.
                with suppress(ResultError):
                    self._give_back(flying)

    def _hand_out(
        self, executor: Executor, in_flight: int, flying: dict[Future[None], Group]
    ) -> None:
        while len(flying) < in_flight:
            group = self._claim()
            if not group:
                return
            for part in _apart(group):
                for one in part:
                    # Of a run that was killed.
                    self.folder.forget_begun(one.id)
                try:
                    flying[executor.submit(work, self.plan, self.folder.path, part)] = part
                except BrokenExecutor as error:
                    self._release([one.id for one in group])
                    raise ResultError(
                        "the executor takes no more work",
                        str(error),
                        "one of its processes died; run again with another, what is done is kept",
                    ) from error

    def _claim(self) -> Group:
        site = self.plan.site
        lease = Lease(site.lease, site.cheapest_first)
        taken = self.store.read(
            lambda c: claim(c, self.calculation, self.owner, site.together, lease)
        )
        return tuple(taken)

    def _enter(self) -> Iterator[Outcome]:
        """Bring into the database what workers noted."""
        for outcome in self.folder.read_ended():
            self.folder.forget_begun(outcome.task)
            if self._do(finish, outcome):
                self.folder.forget_ended(outcome.task)
                yield outcome
            elif self._do(knows, outcome.task):
                self.folder.forget_ended(outcome.task)

    def _look_at(self, future: Future[None], group: Group) -> None:
        """Decide what becomes of crystals whose worker did not come to the end."""
        error = future.exception()
        if error is None:
            self._false_starts = 0
            return
        left = [one for one in group if not self.folder.has_ended(one.id)]
        if isinstance(error, MlphononError):
            for one in left:
                self.folder.forget_begun(one.id)
            self._release([one.id for one in left])
            raise error
        begun = {one.id: note for one in left if (note := self.folder.read_begun(one.id))}
        if begun or len(left) < len(group):
            self._false_starts = 0
        else:
            self._false_starts += 1
        if self._false_starts >= FALSE_STARTS:
            self._release([one.id for one in left])
            raise ResultError(
                "workers end before they begin", f"{type(error).__name__}: {error}"
            ) from error
        for one in left:
            if one.id in begun:
                self._blame(one, begun[one.id], error)
        self._release([one.id for one in left if one.id not in begun])

    def _blame(self, one: Task, begun: StartNote, error: BaseException) -> None:
        """Count a crash; a crystal that the process often ended under is set aside."""
        crashes = self._do(count_crash, one.id, self.owner)
        if crashes < self.plan.site.crashes:
            self.folder.forget_begun(one.id)
            self._do(release, [one.id], self.owner, tried=True)
            return
        failure = Failure(
            cause="crash",
            message=f"the process ended under it {crashes} times ({type(error).__name__})",
            last_words=self.folder.last_words(begun) or str(error) or None,
        )
        seconds = time.time() - begun.since
        self.folder.end(Outcome(task=one.id, name=one.name, seconds=seconds, failure=failure))

    def _give_back(self, flying: dict[Future[None], Group]) -> None:
        """Let others have what was handed out and did not end."""
        cancelled = {future for future in flying if _cancel(future)}
        self._release([one.id for future in cancelled for one in flying[future]])
        # What runs, and what was claimed when a signal came and is in no list yet.
        self._do(disown, self.owner)

    def _do(self, work: Callable[..., Result], *values: Any, **options: Any) -> Result:
        """Do something in a transaction of its own."""
        return self.store.run(lambda connection: work(connection, *values, **options))

    def _release(self, names: list[str]) -> None:
        if names:
            self._do(release, names, self.owner)

    def _bury_the_dead(self) -> None:
        """Take over at once what runs of this machine held that are no more."""
        for owner in self._do(owners, self.calculation):
            host, pid, _ = owner.split("/")
            if host == _here() and not _lives(int(pid)):
                self._do(disown, owner)

    @contextmanager
    def _renewing(self) -> Iterator[None]:
        """Renew the leases now and then, in a thread of its own."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(self.plan.site.lease / 4):
                try:
                    self._do(renew, self.owner, self.plan.site.lease)
                except MlphononError as error:
                    self._trouble.append(error)
                    return

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _apart(group: Group) -> list[Group]:
    """Let those that a process has ended under be alone: the others shall not be blamed."""
    sound = tuple(one for one in group if one.crashes == 0)
    alone = [(one,) for one in group if one.crashes > 0]
    return [sound, *alone] if sound else list(alone)


def _cancel(future: Future[None]) -> bool:
    try:
        return future.cancel()
    except NotImplementedError:
        # Parsl's futures cannot be.
        return False


def _here() -> str:
    return socket.gethostname().replace("/", "-")


def _lives(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
