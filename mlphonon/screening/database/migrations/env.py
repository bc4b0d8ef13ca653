"""Run by Alembic, on the connection that `upgrade` of this package gives it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
