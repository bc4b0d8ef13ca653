"""A campaign: crystals in, a table of phonon properties out, whatever happens on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import nullcontext
from functools import cached_property, partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from mlphonon.errors import PotentialError, ResultError
from mlphonon.io.atomic_files import check_writable
from mlphonon.phonons.phonons import Phonons
from mlphonon.reporter import Reporter, Silent
from mlphonon.screening.calculation import (
    TEMPERATURES,
    Calculation,
    PotentialSource,
    read_temperatures,
)
from mlphonon.screening.crystals.background import BackgroundIntake
from mlphonon.screening.crystals.intake import Intake, Progress, checkers, take_in
from mlphonon.screening.crystals.prediction import atoms_per_second
from mlphonon.screening.crystals.sources import Candidate, of_object, read_sources
from mlphonon.screening.database.answers import (
    Status,
    find_calculation,
    read_failures,
    read_folders,
    read_results,
    read_status,
)
from mlphonon.screening.database.store import Store, settle_folder
from mlphonon.screening.database.tasks import add_calculation, costliest, open_cost, retry
from mlphonon.screening.plan import CampaignPlan
from mlphonon.screening.properties import read_properties, read_property
from mlphonon.screening.ranking.table import Table
from mlphonon.screening.site import Site
from mlphonon.screening.workers.executors import executor_of
from mlphonon.screening.workers.outcome import Folder, Outcome
from mlphonon.screening.workers.run import Run
from mlphonon.screening.workers.work import load_potential_early
from mlphonon.settings import PhononSettings

FOREIGN_IN_FLIGHT = 64
"""Groups that an executor of the user's gets at once; how many workers it has is not known."""


class Campaign:
    """Phonons of many crystals, kept in a database.

    Parameters
    ----------
    store : str or Path
        File of the database (made if it is not there), or its URL, such as
        ``postgresql://user@host/name``.
    folder : path, optional
        Where phonons of crystals go, and what workers note; workers must see it. The database's
        file without its suffix by default.
    create : bool
        Make the database if it is not there.
    reporter : Reporter, optional
        Is told what is being done.

    Examples
    --------
    >>> campaign = Campaign("campaign.db")
    >>> for outcome in campaign.run(crystals, potential="embedded"): ...
    >>> campaign.results().columns["c_v_300"]

    Raises
    ------
    ResultError
        If the database cannot be used.
    """

    def __init__(
        self,
        store: str | Path,
        folder: str | Path | None = None,
        *,
        create: bool = True,
        reporter: Reporter | None = None,
    ) -> None:
        self._reporter = reporter or Silent()
        self._address, self._asked_folder = Store(store, self._reporter.say), folder
        self._create = create
        self._latest: tuple[CampaignPlan, Calculation] | None = None
        if create and self._address.is_to_be_made:
            # It is made when something is entered, so that a refused start leaves none behind.
            check_writable(Path(folder or self._address.default_folder or ""))
        else:
            _ = self._home

    @cached_property
    def _store(self) -> Store:
        return self._address.prepare(self._create)

    @cached_property
    def _home(self) -> Path:
        return self._store.run(lambda c: settle_folder(c, self._store, self._asked_folder))

    def run(
        self,
        crystals: Iterable[Any] = (),
        potential: Any = "embedded",
        *,
        executor: Executor | None = None,
        site: Site | None = None,
        temperatures: Any = TEMPERATURES,
        properties: Iterable[str] = (),
        **settings: Any,
    ) -> Iterator[Outcome]:
        """Add crystals, compute what is not computed, and yield how each ended.

        Parameters
        ----------
        crystals : iterable
            ASE atoms, pymatgen structures, or paths of files, folders and databases.
        potential : str, path, or an object that can be pickled
            As for `compute_phonons`.
        executor : Executor, optional
            Of `concurrent.futures`, Dask, Ray, mpi4py, ...; its processes must see the folder.
            Processes of this machine by default.
        site : Site, optional
            How many workers, and limits.
        temperatures : float, sequence of float, or str
            At which thermal properties are stored, K; ``"0:1000:100"`` is a range.
        properties : iterable of str
            What is computed beyond harmonic phonons, such as ``"sscha(300)"``. Where it fails, the
            harmonic phonons stand, and the reason is in a column, ``sscha_failure_300``.
        **settings
            Settings that differ from the defaults, by name (see `PhononSettings`).

        Yields
        ------
        Outcome
            In the order in which they end; of other runs of the same campaign, none.

        Raises
        ------
        MlphononError
            If nothing can be computed: the potential cannot be loaded, nothing can be written, the
            database is gone. What fails with one crystal is part of its outcome.
        """
        plan = CampaignPlan(
            PotentialSource(potential, device=site.device if site else "auto"),
            PhononSettings.make(None, **settings),
            read_temperatures(temperatures),
            site or Site(),
            read_properties(properties),
        )
        yield from self.compute(plan, executor, crystals=_candidates(crystals))

    def add(
        self, plan: CampaignPlan, crystals: Iterable[Candidate], progress: Progress | None = None
    ) -> Intake:
        """Enter crystals; those that are there already are only counted.

        Parameters
        ----------
        plan : CampaignPlan
            What is asked to be computed.
        crystals : iterable of Candidate
            Structures (see `mlphonon.screening.crystals.sources.read_sources`).
        progress : callable, optional
            Is told how many more are dealt with.
        """
        calculation = self._enter(plan)
        with self._reporter.step("reading crystals", None) as advance, checkers() as pool:
            return take_in(self._store, crystals, calculation, pool, progress or advance)

    def compute(
        self,
        plan: CampaignPlan,
        executor: Executor | None = None,
        *,
        crystals: Iterable[Candidate] = (),
        progress: Progress = lambda _more: None,
        at_end: Callable[[Intake], None] = lambda _intake: None,
    ) -> Generator[Outcome, None, None]:
        """Enter crystals, compute what waits as they come in, and yield how each ended.

        Parameters
        ----------
        plan : CampaignPlan
            What is computed, and on what.
        executor : Executor, optional
            As for `run`.
        crystals : iterable of Candidate
            Structures to enter.
        progress : callable
            Is told how many more of them are dealt with, in another thread.
        at_end : callable
            Is given the counts when all are entered, in another thread.
        """
        site = plan.site
        # One more for each worker, so that none waits for the database.
        in_flight = 2 * site.capacity if executor is None else FOREIGN_IN_FLIGHT
        coming = iter(crystals)
        first = list(islice(coming, 1))
        start = executor_of(site) if executor is None else nullcontext(executor)
        with start as chosen, checkers() as pool:
            here = executor is None and site.parsl is None
            if first and here:
                # One says what it has loaded (below); the others are ready when there is work.
                for _ in range(site.workers - 1):
                    chosen.submit(load_potential_early, plan)
            calculation = self._enter(plan, chosen if here else None)
            folder = Folder(self._home.resolve()).prepare()
            enter = partial(take_in, self._store, chain(first, coming), calculation, pool)
            cancel = partial(pool.shutdown, cancel_futures=True)
            run = Run(self._store, folder, plan, calculation.digest())
            with BackgroundIntake(enter, cancel, progress, at_end) as intake:
                yield from run.outcomes(chosen, in_flight, intake.goes_on)

    def predict(self, plan: CampaignPlan) -> float | None:
        """Return about how many seconds the work that is open takes on this machine.

        From the time of one force call; None if the potential cannot evaluate that crystal.
        """
        digest = self._enter(plan).digest()
        cost = self._store.read(lambda c: open_cost(c, digest))
        structure = self._store.read(lambda c: costliest(c, digest))
        if not structure:
            return 0.0
        try:
            rate = atoms_per_second(plan.source.load(), structure)
        except PotentialError:
            # That is for the crystal's own outcome to say.
            return None
        return cost / (rate * plan.site.workers)

    def status(self, calculation: str | None = None) -> Status:
        """Say how far a calculation has come (the only one, or that whose digest begins so)."""
        return self._store.read(lambda c: read_status(c, find_calculation(c, calculation)))

    def results(self, calculation: str | None = None) -> Table:
        """Return what is computed, a row for each crystal."""
        return self._store.read(lambda c: read_results(c, find_calculation(c, calculation)))

    def failures(self, calculation: str | None = None) -> list[dict[str, Any]]:
        """Return name, cause, message and last words of each crystal that failed."""
        return self._store.read(lambda c: read_failures(c, find_calculation(c, calculation)))

    def phonons(self, name: str, calculation: str | None = None, at: str = "") -> Phonons:
        """Return the phonons of one crystal: harmonic ones, or those `at`, such as ``sscha(300)``.

        Raises
        ------
        ResultError
            If they are not there.
        """
        found = self.folders(calculation)
        if name not in found:
            raise ResultError(f"the campaign holds no phonons of '{name}'")
        if not at:
            return Phonons.load(found[name])
        folder = found[name] / read_property(at).label
        if not folder.is_dir():
            raise ResultError(
                f"the campaign holds no phonons of '{name}' at {at}",
                fix="'mlphonon screen status' says what was computed and what failed",
            )
        return Phonons.load(folder)

    def folders(self, calculation: str | None = None) -> dict[str, Path]:
        """Return the folder of each crystal's phonons, by name."""
        return self._store.read(
            lambda c: read_folders(c, find_calculation(c, calculation), self._home)
        )

    def retry(self, cause: str | None = None, calculation: str | None = None) -> int:
        """Let crystals that failed, for one cause or any, wait again; return how many."""
        return self._store.run(lambda c: retry(c, find_calculation(c, calculation).digest(), cause))

    def calculation(self, plan: CampaignPlan, workers: Executor | None = None) -> Calculation:
        """Return what a plan computes, of whatever site.

        Parameters
        ----------
        plan : CampaignPlan
            What is asked to be computed; the last one is known by then.
        workers : Executor, optional
            Of this machine; loads a potential that is given by its name, which takes seconds and
            hundreds of MB. This process does otherwise.

        Raises
        ------
        MlphononError
            If the potential cannot be loaded, or a temperature cannot be.
        """
        if self._latest is None or self._latest[0] is not plan:
            named = isinstance(plan.source.asked, str | os.PathLike)
            try:
                with self._reporter.step("loading the potential", None):
                    found = (
                        workers.submit(plan.calculation).result()
                        if workers is not None and named
                        else plan.calculation()
                    )
            except BrokenExecutor as error:
                raise ResultError(
                    "the process that loads the potential ended",
                    str(error),
                    "it may have run out of memory",
                ) from error
            self._latest = plan, found
        return self._latest[1]

    def _enter(self, plan: CampaignPlan, workers: Executor | None = None) -> Calculation:
        calculation = self.calculation(plan, workers)
        self._store.run(lambda c: add_calculation(c, calculation))
        return calculation


def _candidates(crystals: Iterable[Any]) -> Iterator[Candidate]:
    if isinstance(crystals, str | os.PathLike):
        crystals = [crystals]
    for number, one in enumerate(crystals, start=1):
        if isinstance(one, str | os.PathLike):
            yield from read_sources([Path(one)])
        else:
            yield one if isinstance(one, Candidate) else of_object(one, number)
