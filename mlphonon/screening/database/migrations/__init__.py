"""Steps that bring the tables of a database to their present shape (Alembic)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlphonon.errors import ResultError

if TYPE_CHECKING:
    from sqlalchemy import Connection


def upgrade(connection: Connection, address: str, create: bool) -> None:
    """Make the tables, or bring them up to date.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    address : str
        What the database is called in messages.
    create : bool
        Whether tables may be made where there are none.

    Raises
    ------
    ResultError
        If the database holds something else, nothing, or tables of a newer mlphonon.
    """
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import inspect

    here = Path(__file__).parent
    config = Config()
    config.set_main_option("script_location", str(here).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    newest = scripts.get_current_head()
    context = MigrationContext.configure(connection)
    present = context.get_current_revision()
    if present == newest:
        return
    if present is None:
        if inspect(connection).get_table_names():
            raise ResultError(f"{address} is a database, but not of a campaign")
        if not create:
            raise ResultError(f"{address} holds no campaign yet", fix="'mlphonon screen run'")
    elif present not in {script.revision for script in scripts.walk_revisions()}:
        raise ResultError(
            f"{address} was written by a newer mlphonon (its tables are '{present}')",
            fix="pip install --upgrade mlphonon",
        )
    config.attributes["connection"] = connection
    from alembic import command

    command.upgrade(config, "head")
