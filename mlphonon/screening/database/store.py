"""The database of a campaign: opened, brought up to date, and patient when it goes away."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mlphonon.errors import ResultError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

PATIENCE = 300.0
"""Seconds for which a database that does not answer is asked again."""

LONGEST_PAUSE = 10.0

FULL = ("disk is full", "disk full", "no space left", "disk i/o error", "could not extend file")
"""What databases say when they cannot write."""

Result = TypeVar("Result")


class Store:
    """A campaign's database.

    Parameters
    ----------
    address : str or Path
        A file (SQLite), or the URL of a database, such as ``postgresql://user@host/name``.
    say : callable, optional
        Is told when the database does not answer.
    """

    def __init__(
        self, address: str | Path, say: Callable[[str], None] = lambda _text: None
    ) -> None:
        self.address, self.say = str(address), say
        self.engine = _make_engine(self.address)

    @property
    def file(self) -> Path | None:
        """The file that holds it, if it is one."""
        name = self.engine.url.database
        return Path(name) if self.engine.dialect.name == "sqlite" and name else None

    @property
    def is_to_be_made(self) -> bool:
        """Whether it is a file that is not there."""
        return self.file is not None and not self.file.exists()

    @property
    def default_folder(self) -> Path | None:
        """Beside its file, where it is one: its name without the suffix."""
        if self.file is None:
            return None
        return self.file.with_suffix("" if self.file.suffix else ".phonons")

    def prepare(self, create: bool) -> Store:
        """Bring the tables up to date, or make them; returns the store.

        Raises
        ------
        ResultError
            If it is not there (and is not to be made), is no campaign, or comes from a newer
            mlphonon.
        """
        from mlphonon.screening.database.migrations import upgrade

        if self.file is not None and not create and not self.file.is_file():
            raise ResultError(
                f"there is no campaign {self.file}", fix="begin one with 'mlphonon screen run'"
            )
        self.run(lambda connection: upgrade(connection, self.address, create))
        return self

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """Do work in a transaction, again if the connection is lost; it may be done twice.

        Raises
        ------
        ResultError
            If the database cannot be written, or does not answer for `PATIENCE` seconds.
        """
        from sqlalchemy.exc import DBAPIError

        begun, pause = time.monotonic(), 0.1
        while True:
            try:
                with self.engine.begin() as connection:
                    return work(connection)
            except DBAPIError as error:
                if any(words in str(error.orig).lower() for words in FULL):
                    raise ResultError(
                        f"cannot write {self.address}",
                        _first_line(error),
                        "free some space and run again; what is done is kept",
                    ) from error
                if not _passing(error) or time.monotonic() - begun > PATIENCE:
                    raise ResultError(
                        f"the database {self.address} cannot be used", _first_line(error)
                    ) from error
                if pause > 1:
                    self.say(f"the database does not answer ({_first_line(error)}); asking again")
                self.engine.dispose()
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """Do work that reads, as `run` does.

        Raises
        ------
        ResultError
            Also if a row is not what mlphonon writes.
        """
        try:
            return self.run(work)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise ResultError(
                f"{self.address} holds a row that mlphonon did not write",
                f"{type(error).__name__}: {error}".partition("\n")[0][:200],
                "take a copy from before it was changed, or begin another campaign",
            ) from error

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()


def settle_folder(connection: Connection, store: Store, asked: str | Path | None) -> Path:
    """Return the campaign's folder: as asked for, as noted before, or beside the database.

    Raises
    ------
    ResultError
        If another one than asked for holds phonons, or it must be asked for.
    """
    from sqlalchemy import insert, select, update

    from mlphonon.screening.database.tables import facts

    row = connection.execute(select(facts.c.value).where(facts.c.name == "folder")).scalar()
    noted = None if row is None else Path(row)
    if asked is None and noted is not None:
        return noted
    beside = store.default_folder
    if asked is None and beside is None:
        raise ResultError(
            "a campaign in a database server needs a folder for phonons", fix="give one (-o)"
        )
    folder = Path(asked or beside or "").resolve()
    if noted is None:
        connection.execute(insert(facts).values(name="folder", value=str(folder)))
    elif noted != folder:
        if noted.exists():
            raise ResultError(
                f"the folder of the campaign is {noted}, not {folder}",
                fix="leave out -o; or move the folder, and name its new place",
            )
        connection.execute(update(facts).where(facts.c.name == "folder").values(value=str(folder)))
    return folder


def _make_engine(address: str) -> Engine:
    from sqlalchemy import NullPool, create_engine, event
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    is_url = "://" in address
    if address.startswith(("postgresql://", "postgres://")):
        address = "postgresql+psycopg://" + address.partition("://")[2]
    try:
        if is_url:
            return create_engine(address, pool_pre_ping=True)
        # Every connection is closed after use, so that SQLite's files beside it do not stay.
        engine = create_engine(
            f"sqlite:///{address}", connect_args={"timeout": 60}, poolclass=NullPool
        )
    except (ArgumentError, NoSuchModuleError) as error:
        raise ResultError(
            f"'{address}' is no database", str(error), "give a file, or postgresql://user@host/name"
        ) from error
    except ModuleNotFoundError as error:
        raise ResultError(
            f"databases such as {address} need {error.name}",
            fix="pip install 'mlphonon[postgres]'",
        ) from error

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        # SQLAlchemy begins transactions itself (below): pysqlite would begin them too late.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Any) -> None:
        # Readers and writers of one database at once: who will write takes its turn at once.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _passing(error: DBAPIError) -> bool:
    """Tell whether it may be otherwise in a while: connections lost or refused, locks."""
    from sqlalchemy.exc import InterfaceError, OperationalError

    if isinstance(error.orig, sqlite3.Error):
        return any(word in str(error.orig).lower() for word in ("locked", "busy"))
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0]
